"""The checks of a publication (公布): a leaf of the log and the grade statements under its root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import statement_pb2, transparency_pb2
from security.audit.report import Failure, Verdict
from security.audit.source import publication_name
from security.certificates import SIGNING
from security.encoding import parse_exactly
from security.errors import AuditInputError, SecurityError, cause_of
from security.group_signature import Proof, verify_member
from security.keys import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust
    from security.certificates import Keyring

PAYLOAD_TYPE: Final = "yixin/publication/v1"
MAX_STATEMENT_BYTES: Final = 1024 * 1024
MAX_STATEMENTS: Final = 10_000_000
_MAX_PATH: Final = 32
_MAX_FAILURES: Final = 1000


def find_publication_failures(
    evidence: Evidence,
    leaf: transparency_pb2.LogLeaf,
    findings: Findings,
    *,
    is_covered: bool,
) -> list[Failure]:
    """Verify what the bundle shows of a publication.

    Args:
        evidence: The bundle.
        leaf: Leaf of the publication.
        findings: Counts publications and statements.
        is_covered: Whether the bundle is to show its statements.
    """
    findings.counts["publications"] += 1
    if not evidence.source.has_publication(leaf.envelope_hash):
        if not is_covered:
            return []
        return [
            Failure(
                check="publication_missing",
                detail="the log names a publication whose statements the bundle does not show",
                verdict=Verdict.INDETERMINATE,
            )
        ]
    evidence.show(leaf.kind, leaf.envelope_hash)
    name = publication_name(leaf.envelope_hash)
    frames = evidence.source.frames(name, max_bytes=MAX_STATEMENT_BYTES, max_count=MAX_STATEMENTS)

    def counted() -> Iterator[bytes]:
        for data in frames:
            findings.counts["statements"] += 1
            yield data

    try:
        return find_statement_failures(leaf, counted(), evidence.keyring)
    except AuditInputError as error:
        return [Failure(check="statements", detail=str(error))]


def find_foreign_publications(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Name the publications of a bundle that no leaf speaks of."""
    shown = evidence.shown.get(transparency_pb2.LOG_KIND_PUBLICATION, set())
    foreign = evidence.source.publications() - {publication_name(root) for root in shown}
    for name in sorted(foreign)[:_MAX_FAILURES]:
        findings.fail("publication", f"{name[:120]} belongs to no leaf")


def find_statement_failures(
    leaf: transparency_pb2.LogLeaf, statements: Iterator[bytes], keyring: Keyring
) -> list[Failure]:
    """Verify the statements of a publication, in leaf order.

    Args:
        leaf: Leaf of the publication; its hash is the root of the statements.
        statements: Serialised ``SignedGradeStatement``.
        keyring: Keys certified by the anchor.

    Returns:
        The failures, at most a thousand.

    Raises:
        AuditInputError: The statements cannot be read to their end.
    """
    failures: list[Failure] = []
    count, group_size = 0, 0
    for count, data in enumerate(statements, start=1):
        try:
            statement = parse_exactly(statement_pb2.SignedGradeStatement, data, MAX_STATEMENT_BYTES)
            root = _verify_statement(leaf, statement, keyring)
        except (ValueError, SecurityError) as error:
            failures.append(
                Failure(check="statement", detail=f"statement {count - 1}: {cause_of(error)}")
            )
        else:
            group_size = statement.group_size
            if root != leaf.envelope_hash or statement.leaf_index != count - 1:
                detail = f"statement {count - 1} is of another publication or place"
                failures.append(Failure(check="statement", detail=detail))
        if len(failures) >= _MAX_FAILURES:
            return failures
    if count != group_size and not failures:
        detail = f"{count} statements are shown, {group_size} were published"
        failures.append(Failure(check="statements", detail=detail, verdict=Verdict.INDETERMINATE))
    return failures


def _verify_statement(
    leaf: transparency_pb2.LogLeaf,
    statement: statement_pb2.SignedGradeStatement,
    keyring: Keyring,
) -> bytes:
    if len(statement.path) > _MAX_PATH:
        raise ValueError(f"a path of {len(statement.path)} hashes")
    key = keyring.find(leaf.sender, statement.key_id, SIGNING, leaf.logged_at_ms)
    return verify_member(
        key.verifying,
        PAYLOAD_TYPE,
        statement.body,
        Proof(
            leaf_index=statement.leaf_index,
            group_size=statement.group_size,
            path=tuple(statement.path),
        ),
        Signature(classical=statement.signature, post_quantum=statement.pq_signature),
    )
