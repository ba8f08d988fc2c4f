"""Mutants of packs: metadata of every role and the file of a pack, as a member meets them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from security.errors import PackAbsentError
from security.packs.archive import read_archive, write_archive
from security.packs.ceremony import sign_root, stage_root
from security.packs.client import fetch, refresh
from security.packs.layout import TIMESTAMP, file_of
from tests.support.mutants import change_byte, register
from tests.support.pack_repository import NOW, Repository

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from tests.support.mutants import Draw, Subject

NAME: Final = "packs/2026.12.1.zip"
FILES: Final = {"pack.json": b"{}", "catalog/units.yaml": b"a: 1\n", "golden/a.json": b"[1]"}


@dataclass(frozen=True, slots=True)
class Memory:
    """Gives files that are held in memory."""

    files: dict[str, bytes] = field(repr=False)

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        if name not in self.files:
            raise PackAbsentError(name)
        yield self.files[name][offset:]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFile:
    """One file of a repository; the others stay as they are."""

    name: str
    files: dict[str, bytes] = field(repr=False)
    root: bytes = field(repr=False)

    @property
    def data(self) -> bytes:
        return self.files[self.name]

    def judge(self, data: bytes) -> Hashable:
        line = Memory(self.files | {self.name: data})
        with tempfile.TemporaryDirectory() as place:
            release = refresh(Path(place) / "client", self.root, line, NOW)
            target = release.targets[NAME]
            content = fetch(target, line, Path(place) / "held").read_bytes()
        return (
            tuple(release.versions.items()),
            release.expires_at,
            tuple(sorted((one.name, one.digest) for one in release.targets.values())),
            tuple(read_archive(content).items()),
        )

    def change_field(self, draw: Draw) -> bytes:
        if self.name.endswith(".zip"):
            name = draw.choice(sorted(FILES))
            return write_archive({**FILES, name: change_byte(FILES[name], draw)})
        document = json.loads(self.data)
        _change(document, draw)
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _change(document: Any, draw: Draw) -> None:  # noqa: ANN401 - any JSON value
    """Change one value somewhere in a JSON document."""
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key = draw.choice(keys)
    value = document[key]
    if isinstance(value, dict | list) and value and draw.randrange(5):
        _change(value, draw)
    elif isinstance(value, bool):
        document[key] = not value
    elif isinstance(value, int):
        document[key] = draw.choice([value + 1, value - 1, 0, -1, 2**63, str(value), None])
    elif isinstance(value, str):
        document[key] = draw.choice(["", value + "a", value[:-1], value[::-1] + "b", 1, None, []])
    else:
        document[key] = draw.choice([None, [], {}, "x", 7])


@cache
def _repository() -> tuple[dict[str, bytes], bytes]:
    with tempfile.TemporaryDirectory() as place:
        made = Repository(Path(place))
        stage_root(made.directory, made.root_keys(), NOW)
        for name in ("bo", "cy"):
            sign_root(made.directory, made.signer(name))
        made.publish("2026.12.1", write_archive(FILES))
        files = {
            str(path.relative_to(made.directory)): path.read_bytes()
            for path in made.directory.rglob("*")
            if path.is_file()
        }
        return files, made.root


@register("packs", weight=10)
def _packs() -> Sequence[Subject]:
    files, root = _repository()
    digest = next(name.split("/")[2][:64] for name in files if name.startswith("targets/"))
    names = (
        "metadata/2.root.json",
        "metadata/1.targets.json",
        "metadata/1.snapshot.json",
        TIMESTAMP,
        file_of(NAME, bytes.fromhex(digest)),
    )
    return [RepositoryFile(name=name, files=files, root=root) for name in names]
