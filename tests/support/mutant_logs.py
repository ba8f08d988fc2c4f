"""Mutants of a published log: cosigned checkpoints, lines of witnesses, tiles and entry bundles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from security.errors import CosignatureError, LogCorruptError
from security.keys import SigningKey
from security.tlog.cosigning import cosign, verify_cosignatures
from security.tlog.reader import TileReader
from security.tlog.witness_policy import Witness, parse_witness
from security.transparency import sign_checkpoint, verify_checkpoint
from tests.support.members import city
from tests.support.mutants import register
from tests.support.tile_logs import MemoryTiles, checkpoint_of, leaves, written

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from tests.support.mutants import Draw, Subject

NAME = "yixin/330000/hub/province/witness"
AT = 1_790_000_000
SIZE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of lines; its fields are words."""

    data: bytes
    read: Callable[[str], Hashable] = field(repr=False)

    def judge(self, data: bytes) -> Hashable:
        try:
            return self.read(data.decode())
        except UnicodeDecodeError as error:
            raise LogCorruptError("not a text") from error

    def change_field(self, draw: Draw) -> bytes:
        lines = self.data.decode().splitlines(keepends=True)
        at = draw.randrange(len(lines))
        match draw.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[draw.randrange(len(lines))])
            case 2:
                lines[at] = lines[draw.randrange(len(lines))]
            case _:
                words = lines[at].split(" ")
                words[draw.randrange(len(words))] = str(draw.randrange(10**6))
                lines[at] = " ".join(words)
        return "".join(lines).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a published log; the others are as they were."""

    name: str
    store: MemoryTiles = field(repr=False)

    @property
    def data(self) -> bytes:
        return self.store.files[self.name]

    def judge(self, data: bytes) -> Hashable:
        store = MemoryTiles(files=self.store.files | {self.name: data})
        reader = TileReader(store, checkpoint_of(leaves(0, SIZE)))
        return tuple(reader.entries(0, SIZE))

    def change_field(self, draw: Draw) -> bytes:
        """Another file of the same log in its place, or two parts of it exchanged."""
        if draw.randrange(2):
            return draw.choice(list(self.store.files.values()))
        low, middle, high = sorted(draw.sample(range(len(self.data) + 1), 3))
        return self.data[:low] + self.data[middle:high] + self.data[low:middle] + self.data[high:]


@register("cosigned notes", weight=8)
def cosigned_notes() -> Sequence[Subject]:
    hub, _ = city()
    key = SigningKey.generate(post_quantum=True)
    witness = Witness(name=NAME, key=key.verifying)
    checkpoint = checkpoint_of(leaves(0, 9), hub.anchor.log_origin)
    note = sign_checkpoint(checkpoint, hub.signing) + cosign(checkpoint.body, NAME, key, AT)

    def read(text: str) -> Hashable:
        found = verify_checkpoint(text, hub.anchor), verify_cosignatures(text, [witness], now_s=AT)
        if not found[1]:
            raise CosignatureError("no witness signed")
        return found

    return [Text(data=note.encode(), read=read)]


@register("witness lines", weight=1)
def witness_lines() -> Sequence[Subject]:
    key = SigningKey.generate(post_quantum=True)
    line = Witness(name=NAME, key=key.verifying).line()

    def read(text: str) -> Hashable:
        return parse_witness(text)

    return [Text(data=line.encode(), read=read)]


@register("tiles", weight=3)
def tiles() -> Sequence[Subject]:
    store = written(SIZE)
    return [File(name=name, store=store) for name in store.files]
