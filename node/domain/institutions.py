"""Institutions a node takes records of: under custody, or foreign with a code given here."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

__all__ = ["CODE_PATTERN", "FOREIGN_PREFIX", "Institution", "foreign_code"]

CODE_PATTERN: Final = re.compile(r"[HP][0-9]{11}")
FOREIGN_PREFIX: Final = "H99"
_FOREIGN_SPACE: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """A designated institution (定点医药机构) in this node's register."""

    code: str
    """Institution code, ``H`` or ``P`` and eleven digits."""
    name: str = ""
    level: str = "0"
    """Level: "3", "2", "1" or "0" (none)."""
    type: str = "general"
    """Type: general, tcm, specialist, primary or pharmacy."""
    division: str = ""
    """Division code (GB/T 2260), six digits."""
    foreign: bool = False
    """True when the code was given here to an institution of a foreign data set."""
    namespace: str = ""
    """Data set that the foreign code belongs to."""
    foreign_code: str = ""
    """Code the institution has in that data set."""


def foreign_code(namespace: str, code: str, attempt: int = 0) -> str:
    """Give a foreign institution a code of the national form, always the same one.

    No Chinese division starts with 99, so the code cannot meet a real one.

    Args:
        namespace: Data set the code belongs to, for example ``cms-claims``.
        code: Code of the institution there.
        attempt: Raised by the register when two foreign codes meet.

    >>> foreign_code("cms-claims", "PRV55912")
    'H99090120983'
    """
    seed = f"{namespace}\x1f{code}\x1f{attempt}".encode()
    number = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big") % _FOREIGN_SPACE
    return f"{FOREIGN_PREFIX}{number:09d}"
