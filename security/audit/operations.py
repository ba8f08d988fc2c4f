"""The operator log (操作日志) within a bundle: each entry is chained to the one before.

Rules: an entry names the hash of the entry before it, whose leaf stands before its own. Entries
that came while the transparency log was read-only have no leaf; the next entry that has one fixes
them, so they are shown beside and linked through. What a bundle does not show is open: an entry
that nothing shows is a gap. What contradicts is invalid: two entries after one, a number that
does not follow, an entry logged twice, or before the one that it follows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.bundle import MAX_RANGE, OPERATIONS
from security.audit.report import Failure, Verdict
from security.errors import AuditInputError
from security.operator.log_chain import NO_ENTRY, parse_entry

if TYPE_CHECKING:
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust
    from security.operator.log_chain import ChainedEntry

__all__ = ["OperatorChain", "find_foreign_operations", "find_operator_failures", "read_operations"]

MAX_OPERATION_BYTES: Final = 16 * 1024
_FORK: Final = "operator_fork"
_GAP: Final = "operator_gap"


@dataclass(slots=True, kw_only=True)
class OperatorChain:
    """The entries shown, and how far their leaves were followed."""

    entries: dict[bytes, ChainedEntry] = field(default_factory=dict)
    """Entries, by hash."""
    broken: set[bytes] = field(default_factory=set)
    """SHA-256 of what is shown as an entry and is none."""
    linked: set[bytes] = field(default_factory=set)
    """Entries that a leaf fixes: its own, or that of an entry after it."""
    logged: list[bytes] = field(default_factory=list)
    """Hashes in the leaves so far, in order."""
    place: dict[bytes, int] = field(default_factory=dict)
    """Place of each among them."""


def read_operations(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Read the entries of the operator log; each is named by its hash in a leaf."""
    chain = evidence.operators
    try:
        for data in evidence.source.frames(
            OPERATIONS, max_bytes=MAX_OPERATION_BYTES, max_count=MAX_RANGE
        ):
            findings.counts["operations_shown"] += 1
            digest = hashlib.sha256(data).digest()
            evidence.show(transparency_pb2.LOG_KIND_OPERATOR, digest)
            try:
                chain.entries[digest] = parse_entry(data)
            except ValueError:
                chain.broken.add(digest)
    except AuditInputError as error:
        findings.fail("operations", str(error))


def find_operator_failures(
    evidence: Evidence, _index: int, leaf: transparency_pb2.LogLeaf
) -> list[Failure]:
    """Follow the chain to the entry of the next leaf; leaves are asked for in their order."""
    chain, digest = evidence.operators, leaf.envelope_hash
    failures = _find(chain, digest, from_start=evidence.manifest.from_index == 0)
    chain.place.setdefault(digest, len(chain.logged))
    chain.logged.append(digest)
    return failures


def find_foreign_operations(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Name the entries of the operator log that no leaf of the range fixes."""
    chain = evidence.operators
    findings.counts["operations_chained"] = len(chain.linked)
    for digest in sorted((chain.entries.keys() | chain.broken) - chain.linked - {*chain.logged}):
        findings.fail("operations", f"entry {digest.hex()} belongs to no leaf")


def _find(chain: OperatorChain, digest: bytes, *, from_start: bool) -> list[Failure]:
    if digest in chain.broken:
        return [Failure(check="operator", detail="what is shown as its entry is none")]
    if digest in chain.place:
        return [_fork("this entry was logged before")]
    entry = chain.entries.get(digest)
    return [] if entry is None else _follow(chain, entry, from_start=from_start)


def _follow(chain: OperatorChain, entry: ChainedEntry, *, from_start: bool) -> list[Failure]:
    # Back through entries without leaves, to one that was logged or that nothing shows.
    first = _follow_back(chain, entry)
    if first is None:
        detail = f"entry {entry.number}, or one without a leaf before it, does not follow the last"
        return [_fork(detail)]
    at = chain.place.get(first.previous)
    if at is not None:
        return _skipped(chain, entry, at)
    if first.previous != NO_ENTRY:
        return _gap(chain, first, from_start=from_start)
    is_first = not chain.logged and first.number == 1
    return [] if is_first else [_fork(f"entry {first.number} follows none, and is not the first")]


def _fork(detail: str, verdict: Verdict = Verdict.INVALID) -> Failure:
    return Failure(check=_FORK, detail=detail, verdict=verdict)


def _follow_back(chain: OperatorChain, entry: ChainedEntry) -> ChainedEntry | None:
    """The earliest of the entries that lead to one without a leaf between.

    None where numbers are wrong, or where another entry was seen to follow one of them.
    """
    chain.linked.add(entry.hash)
    while (before := chain.entries.get(entry.previous)) is not None:
        if before.number != entry.number - 1:
            return None
        if before.hash in chain.place:
            break
        if before.hash in chain.linked:
            return None
        chain.linked.add(before.hash)
        entry = before
    return entry


def _skipped(chain: OperatorChain, entry: ChainedEntry, at: int) -> list[Failure]:
    """Whether leaves stand between an entry's and that of the entry which it follows."""
    passed = chain.logged[at + 1 :]
    if not passed:
        return []
    is_shown = any(one in chain.entries for one in passed)
    detail = f"entry {entry.number} goes on before {len(passed)} logged entries, " + (
        "which are shown: the log was written anew"
        if is_shown
        else "which are not shown: a restored database lost them, or they are withheld"
    )
    return [_fork(detail, Verdict.INVALID if is_shown else Verdict.INDETERMINATE)]


def _gap(chain: OperatorChain, first: ChainedEntry, *, from_start: bool) -> list[Failure]:
    """What stands before the first entry that is shown of a stretch."""
    if not chain.logged and not from_start:
        return []
    last = next((one for one in map(chain.entries.get, reversed(chain.logged)) if one), None)
    known = 0 if last is None else last.number
    missing = first.number - known - 1
    if missing <= 0:
        return [_fork(f"entry {first.number} stands after entry {known} and does not follow it")]
    detail = f"{missing} entries before entry {first.number} are in no leaf and not shown"
    return [Failure(check=_GAP, detail=detail, verdict=Verdict.INDETERMINATE)]
