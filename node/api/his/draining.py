"""The gateway's spool into the store: copies become lines, a file goes after its commit.

0. A response counts where the platform gave one: status 200 and a JSON object.
1. A call without one waits for it, like any request: what the platform did is not known.
2. What is no message (no path of the interface, no transaction number) is counted and left out.
3. A file with a copy that cannot be read, or that a fault of ours kept out, is set aside whole:
   what went in is known by its msgid.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from node.api.his import UNIFORM_PATH
from node.api.his.desk import LineIntake
from node.api.his.screening import Call, Screening, body_text
from node.gateway import Exchange, SpoolFile, closed_files
from node.gateway.spool_files import close_orphans
from node.intake.lines import MAX_LINE_BYTES, Line
from node.intake.outcomes import Outcome
from security.at_rest import Vault

__all__ = ["Drained", "SpoolDrain"]

_GROUP_LINES: Final = 256
_GROUP_BYTES: Final = 8 * 1024 * 1024
_OK: Final = 200
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(slots=True, kw_only=True)
class Drained:
    """What a drain came to."""

    files: int = 0
    messages: int = 0
    """Copies that were taken in, refused ones included."""
    refused: int = 0
    skipped: int = 0
    """Calls that are no messages."""
    damaged: int = 0
    """Copies that could not be read or taken in; their files are set aside."""

    def add(self, other: "Drained") -> None:
        """Add the counts of another file."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


class SpoolDrain:
    """Takes a spool in; called from one thread."""

    def __init__(
        self,
        directory: Path,
        vault: Vault,
        intake: LineIntake,
        screening: Screening,
        *,
        paths: Mapping[str, frozenset[str]],
        now: Callable[[], datetime],
    ) -> None:
        """Take the parts.

        Args:
            directory: The spool; need not be there.
            vault: Opens the copies.
            intake: Takes lines in.
            screening: Makes lines of copies.
            paths: Paths of the interface.
            now: The time, aware.
        """
        self._directory = directory
        self._vault = vault
        self._intake = intake
        self._screening = screening
        self._paths = frozenset((UNIFORM_PATH, *paths))
        self._now = now

    def drain(self) -> Drained:
        """Take in what is closed, the oldest file first.

        Raises:
            StoreError: The store failed; what is left is drained at the next turn.
        """
        total = Drained()
        if not self._directory.is_dir():
            return total
        close_orphans(self._directory)
        for file in closed_files(self._directory):
            drained = self._drain_file(file)
            if drained.damaged:
                file.set_aside()
            else:
                file.forget()
            total.add(drained)
        return total

    def _drain_file(self, file: SpoolFile) -> Drained:
        drained = Drained(files=1)
        group: list[Line] = []
        size = 0
        for number, exchange in file.exchanges(self._vault):
            line = None if exchange is None else self._line(number, exchange)
            if exchange is None:
                drained.damaged += 1
            elif line is None:
                drained.skipped += 1
            else:
                group.append(line)
                size += len(line.body)
            if len(group) >= _GROUP_LINES or size >= _GROUP_BYTES:
                self._take(file, group, drained)
                group, size = [], 0
        self._take(file, group, drained)
        return drained

    def _take(self, file: SpoolFile, group: list[Line], drained: Drained) -> None:
        if not group:
            return
        for taken in self._intake.take(f"spool/{file.name}", group):
            drained.messages += taken is not None
            drained.damaged += taken is None
            drained.refused += taken is not None and taken.standing is Outcome.REFUSED
        self._intake.settle()

    def _line(self, number: int, exchange: Exchange) -> Line | None:
        request = body_text(exchange.request, exchange.request_type)
        document = _json_object(request)
        if document is None or "infno" not in document:
            if exchange.path not in self._paths:
                return None
            return self._screen(number, exchange, exchange.request, exchange.request_type)
        response = self._response(exchange)
        if response is None:
            return self._screen(number, exchange, request, "")
        # Both parts are whole JSON objects, so they stay apart when they are put together.
        body = b'{"request":' + request + b',"response":' + response + b"}"
        return self._screen(number, exchange, body, "")

    def _screen(self, number: int, exchange: Exchange, body: bytes, content_type: str) -> Line:
        call = Call(
            path=exchange.path, body=body, content_type=content_type, received_at=self._now()
        )
        return self._screening.screen(number, call).line

    @staticmethod
    def _response(exchange: Exchange) -> bytes | None:
        """The platform's response in UTF-8; None where there is none that can be read."""
        if exchange.response is None or exchange.status != _OK:
            return None
        body = _unpacked(exchange.response, exchange.response_encoding)
        if body is None:
            return None
        text = body_text(body, exchange.response_type)
        return text if _json_object(text) is not None else None


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _unpacked(body: bytes, encoding: str) -> bytes | None:
    """Undo a Content-Encoding, bounded; None where it cannot be undone."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    bits = _WINDOW_BITS.get(name)
    if bits is None:
        return None
    unpacker = zlib.decompressobj(bits)
    try:
        unpacked = unpacker.decompress(body, MAX_LINE_BYTES + 1)
    except zlib.error:
        return None
    return unpacked if unpacker.eof and len(unpacked) <= MAX_LINE_BYTES else None
