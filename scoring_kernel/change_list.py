"""The catalogue's change list (``CHANGES.md``): what changed, from when, and what it does.

Rules:
- Newest entry first, one ``##`` heading each, with the five points of ``POINTS``.
- The newest entry names the digest of the catalogue it describes, so that a changed
  catalogue without an entry is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from scoring_kernel.errors import CatalogError

FILE: Final = "CHANGES.md"
POINTS: Final = ("类别", "适用日期", "涉及指标", "对等级的影响", "digest")
"""Kind, days concerned, indicators touched, effect on a grade, digest of the catalogue."""
KINDS: Final = ("规则", "技术", "更正", "细节")
"""Rule, technical, fix, minor."""
DIGEST_CHARS: Final = 16
"""Hexadecimal digits of the catalogue's digest that an entry names."""
MAX_CHARS: Final = 1_000_000

_HEADING: Final = re.compile(r"## (.+)")
_POINT: Final = re.compile(r"- ([^:：]+)[:：]\s*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEntry:
    """One entry of the change list."""

    title: str
    line: int
    """Line of its heading."""
    points: dict[str, str]


def digest_line(digest: bytes) -> str:
    """Line that the newest entry must carry for a catalogue.

    Args:
        digest: Digest of the catalogue, 32 bytes.

    Returns:
        The line, to be pasted.

    >>> digest_line(bytes(32))
    '- digest: 0000000000000000'
    """
    return f"- digest: {digest.hex()[:DIGEST_CHARS]}"


def parse_changes(text: str) -> tuple[ChangeEntry, ...]:
    """Read the change list.

    Args:
        text: The whole file.

    Returns:
        Its entries, newest first.

    Raises:
        CatalogError: There is no entry, or one lacks a point or names an unknown kind.
    """
    if len(text) > MAX_CHARS:
        raise CatalogError(FILE, 0, f"more than {MAX_CHARS} characters: move old entries away")
    entries: list[ChangeEntry] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := _HEADING.fullmatch(line.strip()):
            entries.append(ChangeEntry(title=heading[1], line=number, points={}))
        elif entries and (stated := _POINT.fullmatch(line.strip())):
            entries[-1].points[stated[1].strip()] = stated[2].strip()
    if not entries:
        raise CatalogError(FILE, 0, "found no entry: add one under a '## ' heading")
    for entry in entries:
        for point in POINTS:
            if not entry.points.get(point):
                raise CatalogError(FILE, entry.line, f"the entry has no point '- {point}': add it")
        if entry.points["类别"] not in KINDS:
            kinds = ", ".join(KINDS)
            problem = f"found kind {entry.points['类别'][:20]!r}, expected one of {kinds}"
            raise CatalogError(FILE, entry.line, problem)
    return tuple(entries)


def names_catalog(text: str, digest: bytes) -> bool:
    """Whether the newest entry is about this very catalogue; a list nobody can read names none.

    Args:
        text: The whole change list.
        digest: Digest of the catalogue, 32 bytes.
    """
    try:
        verify_changes(text, digest)
    except CatalogError:
        return False
    return True


def verify_changes(text: str, digest: bytes) -> ChangeEntry:
    """Verify that the newest entry describes this very catalogue.

    Args:
        text: The whole change list.
        digest: Digest of the catalogue, 32 bytes.

    Returns:
        The newest entry.

    Raises:
        CatalogError: The list is malformed, or its newest entry names another digest.
    """
    newest = parse_changes(text)[0]
    expected = digest_line(digest)
    if f"- digest: {newest.points['digest']}" != expected:
        problem = (
            f"the newest entry names digest {newest.points['digest'][:64]}, but the catalogue "
            f"changed: describe the change in a new entry with the line '{expected}'"
        )
        raise CatalogError(FILE, newest.line, problem)
    return newest
