"""What a refused row of a mapped file was read with: enough to read the very row again.

One context serves all refused rows of a file; its name is its digest, so it is kept once.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Final, Self

import orjson

from node.errors import StoreError

__all__ = ["CELLS", "LINE", "RowContext"]

LINE: Final = "line"
"""A row is a line of text, cells between delimiters."""
CELLS: Final = "cells"
"""A row is a JSON object of its cells by column."""
_FORMS: Final = (LINE, CELLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowContext:
    """How rows of one file were read."""

    mapping: str = field(repr=False)
    """Text of the mapping file."""
    mapping_name: str
    """Name of the mapping file, for messages."""
    header: tuple[str, ...]
    """Columns of the file, in order; empty for a column without a name."""
    form: str = LINE
    """``LINE`` or ``CELLS``."""
    delimiter: str = ","
    """Between the cells of a line."""
    encoding: str = "utf-8"
    """Of a line."""

    def to_bytes(self) -> bytes:
        """Write the context as the store keeps it."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)

    @property
    def name(self) -> str:
        """Name under which the store keeps it: 32 hex digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:32]

    @classmethod
    def from_bytes(cls, kept: bytes) -> Self:
        """Read a context that the store kept.

        Raises:
            StoreError: It is of another version.
        """
        try:
            found = orjson.loads(kept)
            context = cls(**{**found, "header": tuple(found["header"])})
        except (orjson.JSONDecodeError, TypeError, KeyError) as error:
            raise StoreError(
                "what a refused row was read with is of another version: ingest its file again"
            ) from error
        if context.form not in _FORMS:
            raise StoreError(f"a refused row of form {context.form!r}: ingest its file again")
        return context
