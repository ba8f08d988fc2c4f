"""Refusals of sharing (拒绝共享): what no agreement covers is refused, kept and logged.

Rules: the leaf holds the hash of question, rule and salt; question and salt stay sealed beside
it, so that an inspector can be shown what was refused; the wording names the rule, never a value
of the data.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final

import orjson

from hub.store import deliveries, log, refusals
from protos.yixin.v1 import sharing_pb2, transparency_pb2
from security.encoding import pae, parse_exactly
from security.errors import AgreementError
from security.members import is_member_id
from security.sharing.coverage import FORWARD

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.store.identity import HubIdentity
    from protos.yixin.v1.transparency_pb2 import LogKind

DIGEST_TYPE: Final = "yixin/sharing-query/v1"
SALT_BYTES: Final = 32
MAX_REFUSAL_BYTES: Final = 1024 * 1024
_UNKNOWN_RULE: Final = "agreement"


def rule_of(message: str) -> str:
    """The rule that a refusal names before its colon; ``agreement`` where it names none.

    >>> rule_of("purpose: asked for 'x'"), rule_of("No agreement 'x' is in force")
    ('purpose', 'agreement')
    """
    rule, colon, _ = message.partition(":")
    return rule if colon and rule.isidentifier() and len(rule) <= 32 else _UNKNOWN_RULE


def record(
    connection: Connection,
    identity: HubIdentity,
    *,
    asker: str,
    agreement: str,
    purpose: str,
    period: str,
    question: bytes,
    answer: bytes,
    rule: str,
    word: str,
    now_ms: int,
) -> int:
    """Store and log one question, answered (no rule) or refused by a rule.

    Args:
        connection: A writing transaction.
        identity: The hub.
        asker: Member id, or the word of a class of askers.
        agreement: Agreement as it was named.
        purpose: Purpose as it was declared.
        period: Rating period, or empty.
        question: What was asked, bytes.
        answer: What was answered, or the wording of the refusal.
        rule: Name of the rule that refused; empty for an answer.
        word: What was asked for, in the place of the leaf's payload type.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        Index of the leaf.
    """
    salt = secrets.token_bytes(SALT_BYTES)
    digest = hashlib.sha256(pae(DIGEST_TYPE, question, answer, rule.encode(), salt)).digest()
    kind: LogKind.ValueType = (
        transparency_pb2.LOG_KIND_REFUSED_REQUEST if rule else transparency_pb2.LOG_KIND_QUERY
    )
    leaf = log.event_leaf(
        kind,
        hub=identity.hub,
        digest=digest,
        word=word,
        at_ms=now_ms,
        subject=asker if is_member_id(asker) else "",
        purpose=purpose[:64],
        period=period,
        agreement=agreement[:80],
    )
    log_index = log.append_leaves(connection, [leaf])
    sealed = orjson.dumps(
        {"question": question.hex(), "answer": answer.hex(), "rule": rule, "salt": salt.hex()}
    )
    deliveries.add_query(
        connection,
        deliveries.StoredQuery(
            agreement=agreement[:80],
            asker=asker[:200],
            period=period,
            rule=rule,
            sealed=identity.vault.seal(sealed, f"sharing_query/{digest.hex()}"),
            digest=digest,
            log_index=log_index,
            asked_at_ms=now_ms,
        ),
    )
    return log_index


def take_refusal(connection: Connection, payload: bytes, sender: str, *, now_ms: int) -> None:
    """Take what the routing hub says of a product that it did not pass on.

    It is kept among the refused attempts, and the product can be delivered again.

    Args:
        connection: A writing transaction.
        payload: Serialised Product with the wording of the refusal.
        sender: Member id of the routing hub.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    try:
        found = parse_exactly(sharing_pb2.Product, payload, MAX_REFUSAL_BYTES)
    except ValueError as error:
        cause = f"a refusal that cannot be read: {error}"
    else:
        deliveries.drop_refused(connection, found.agreement, found.period, found.digest)
        cause = f"{found.agreement[:80]} {found.period[:8]} was not passed on: {found.refusal}"
    refusals.add_refusal(
        connection,
        refusals.RefusedAttempt(
            at_ms=now_ms, peer=sender, method=FORWARD, code=AgreementError.__name__, cause=cause
        ),
    )
