"""The checks of a publication (公布): a leaf of the log and the grade statements under its root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import statement_pb2
from security.audit.report import Failure, Verdict
from security.certificates import SIGNING
from security.encoding import parse_exactly
from security.errors import SecurityError
from security.group_signature import Proof, verify_member
from security.keys import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protos.yixin.v1 import transparency_pb2
    from security.certificates import Keyring

PAYLOAD_TYPE: Final = "yixin/publication/v1"
MAX_STATEMENT_BYTES: Final = 1024 * 1024
MAX_STATEMENTS: Final = 10_000_000
_MAX_PATH: Final = 32
_MAX_FAILURES: Final = 1000


def find_publication_leaf_failures(leaf: transparency_pb2.LogLeaf, hub: str) -> list[Failure]:
    """Whether the leaf of a publication is one of this hub."""
    if leaf.sender == hub and not leaf.recipient:
        return []
    return [Failure(check="leaf", detail=f"published by {leaf.sender[:120]!r}, expected {hub}")]


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
            failures.append(Failure(check="statement", detail=f"statement {count - 1}: {error}"))
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
