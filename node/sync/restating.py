"""Parts that replace each other at the hub: which of them changed, and how they are sent.

The order of work, in one transaction of the outbox:

0. A part is digested together with what its payload says of all parts; equal to its mark, there is
   nothing to say. Otherwise its version rises by one.
1. A part that was stated before and is there no longer is stated empty, once.
2. Marks of parts that the hub keeps no longer are dropped: nothing of them is stated again.
3. Changed parts are packed into payloads, each appended together with its marks.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from node.sync.flow import Link
from protos.yixin.v1 import clue_pb2, envelope_pb2
from security.encoding import pae

__all__ = ["Restating"]

PAYLOAD_BYTES: Final = 512 * 1024
MAX_PARTS_PER_PAYLOAD: Final = 4_096
_VERSION_BYTES: Final = 8
_DIGEST: Final = "yixin/part-mark/v1"

PartT = TypeVar("PartT", clue_pb2.JoinDay, clue_pb2.ClueMonth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restating(Generic[PartT]):
    """How the parts of one kind are stated."""

    link: Link
    prefix: str
    """What the keys of their marks begin with."""
    common: bytes = field(repr=False)
    """What the payload says of all parts: when it changes, all of them are stated again."""
    payload: Callable[[list[PartT]], Message] = field(repr=False)
    """The payload of some parts."""
    empty: Callable[[str], PartT] = field(repr=False)
    """The part of a key without rows."""
    is_kept: Callable[[str], bool] = field(repr=False)
    """Whether the hub still keeps the part of a key."""
    payload_type: str
    data_class: str
    pack_digest: bytes = field(repr=False)

    def state(self, parts: Iterable[tuple[str, PartT]]) -> int:
        """Put changed parts into the outbox; returns their number.

        Args:
            parts: Every part with its key, the version not set.
        """
        with self.link.engine.begin() as connection:
            marks = self.link.outbox.get_marks(connection, self.prefix)
            batch: list[PartT] = []
            left: dict[str, bytes] = {}
            size = count = 0
            for key, part, digest in self._changed(parts, marks):
                version = int.from_bytes(marks.get(key, b"")[:_VERSION_BYTES], "big") + 1
                part.version = version
                length = part.ByteSize()
                if batch and (size + length > PAYLOAD_BYTES or len(batch) == MAX_PARTS_PER_PAYLOAD):
                    self._append(connection, batch, left)
                    batch, left, size = [], {}, 0
                batch.append(part)
                left[key] = version.to_bytes(_VERSION_BYTES, "big") + digest
                size += length
                count += 1
            if batch:
                self._append(connection, batch, left)
            # 2. What the hub keeps no longer.
            old = [key for key in marks if not self.is_kept(key.removeprefix(self.prefix))]
            self.link.outbox.drop_marks(connection, old)
        return count

    def _changed(
        self, parts: Iterable[tuple[str, PartT]], marks: dict[str, bytes]
    ) -> Iterator[tuple[str, PartT, bytes]]:
        seen: set[str] = set()
        # 0. What is there.
        for name, part in parts:
            key = self.prefix + name
            seen.add(key)
            digest = self._digest(part)
            if marks.get(key, b"")[_VERSION_BYTES:] != digest:
                yield key, part, digest
        # 1. What is there no longer.
        for key, mark in sorted(marks.items()):
            name = key.removeprefix(self.prefix)
            if key in seen or not self.is_kept(name):
                continue
            part = self.empty(name)
            digest = self._digest(part)
            if mark[_VERSION_BYTES:] != digest:
                yield key, part, digest

    def _digest(self, part: PartT) -> bytes:
        content = part.SerializeToString(deterministic=True)
        return hashlib.sha256(pae(_DIGEST, self.common, content)).digest()

    def _append(self, connection: object, parts: list[PartT], marks: dict[str, bytes]) -> None:
        self.link.outbox.append(
            connection,  # type: ignore[arg-type]  # of this link's engine
            recipient=self.link.membership.hub_id,
            lane=envelope_pb2.LANE_BULK,
            payload_type=self.payload_type,
            schema_version=1,
            purpose="supervision",
            data_class=self.data_class,
            period="",
            payload=self.payload(parts).SerializeToString(deterministic=True),
            marks=marks,
            pack_digest=self.pack_digest,
        )
