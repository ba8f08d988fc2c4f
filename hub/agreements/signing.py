"""Signing and retiring of sharing agreements (共享协议签署与终止).

Numbered as applied inside one transaction:

1. The version is the next one of its id; the version before is retired at the same moment.
2. The hub signs with its identity key; while officers are registered, the job that comes here
   has been approved by a second one (``hub.operators``).
3. Version, leaf of the log and retirement are stored together: what is in force is in the log.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hub.errors import AgreementRefusedError
from hub.store import agreements, log
from hub.store.agreements import RETIRED, SIGNED, SignedVersion
from protos.yixin.v1 import sharing_pb2, transparency_pb2
from security.members import is_member_id
from security.sharing import Agreement, agreement_body, sign_agreement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.agreements.terms import Terms
    from hub.store.identity import HubIdentity


def sign_terms(
    connection: Connection,
    identity: HubIdentity,
    terms: Terms,
    *,
    parent: str,
    recipient: str = "",
    officer: str,
    now_ms: int,
) -> SignedVersion:
    """Put terms in force.

    Args:
        connection: A writing transaction.
        identity: The hub; its identity key signs.
        terms: What is agreed.
        parent: Member id of the parent hub; empty where there is none.
        recipient: Another recipient than the terms name, or empty.
        officer: Who signs for the hub, as the record names them.
        now_ms: Present moment and first moment of validity, milliseconds since the epoch, UTC.

    Raises:
        AgreementError: The terms are malformed here, for example name a parent there is not.
    """
    # 1. Version.
    agreement = terms.made(
        provider=identity.hub,
        parent=parent,
        version=agreements.next_version(connection, terms.id),
        begin_ms=now_ms,
        recipient=recipient,
    )
    before = agreements.find_current(connection, terms.id)
    if before is not None:
        _retire(connection, identity, before, now_ms)
    # 2. Signature.
    body = agreement_body(agreement)
    signed = sharing_pb2.SignedAgreement(
        body=body, signatures=[sign_agreement(body, identity.hub, identity.root)]
    )
    # 3. Version and leaf.
    version = SignedVersion(
        agreement=agreement,
        signed=signed,
        officer=officer,
        signed_at_ms=now_ms,
        retired_at_ms=None,
        log_index=_log(connection, identity, agreement, SIGNED, now_ms),
    )
    agreements.add_version(connection, version)
    return version


def retire(
    connection: Connection, identity: HubIdentity, agreement_id: str, now_ms: int
) -> SignedVersion:
    """End an agreement at once; what it has queued is withdrawn when it would be sealed.

    Raises:
        AgreementRefusedError: No version of it is in force.
    """
    held = agreements.find_current(connection, agreement_id)
    if held is None:
        raise AgreementRefusedError(
            f"Found no agreement {agreement_id[:64]!r} in force; list them with "
            "`yixin hub agreements list`."
        )
    _retire(connection, identity, held, now_ms)
    return held


def get_in_force(connection: Connection, agreement_id: str, at_ms: int) -> Agreement:
    """The version of an agreement that holds.

    Args:
        connection: Any transaction.
        agreement_id: Id, or ``id@version``; then that version has to be the one in force.
        at_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        AgreementRefusedError: None holds; nothing may be shared under it.
    """
    held = agreements.find_current(connection, agreement_id.partition("@")[0])
    if held is None or ("@" in agreement_id and held.agreement.reference != agreement_id):
        raise AgreementRefusedError(
            f"No agreement {agreement_id[:80]!r} is in force, so nothing is shared under it; see "
            "`yixin hub agreements list`, and sign it with `yixin hub agreements sign`."
        )
    if not held.agreement.is_valid_at(at_ms):
        raise AgreementRefusedError(
            f"Agreement {held.agreement.reference} is not valid now, so nothing is shared under "
            "it; sign a new version with `yixin hub agreements sign`."
        )
    return held.agreement


def _retire(
    connection: Connection, identity: HubIdentity, held: SignedVersion, now_ms: int
) -> None:
    agreement = held.agreement
    agreements.retire_version(connection, agreement.id, agreement.version, now_ms)
    _log(connection, identity, agreement, RETIRED, now_ms)


def _log(
    connection: Connection, identity: HubIdentity, agreement: Agreement, word: str, now_ms: int
) -> int:
    leaf = log.event_leaf(
        transparency_pb2.LOG_KIND_AGREEMENT,
        hub=identity.hub,
        digest=hashlib.sha256(agreement_body(agreement)).digest(),
        word=word,
        at_ms=now_ms,
        subject=agreement.recipient if is_member_id(agreement.recipient) else "",
        purpose=agreement.purpose,
        agreement=agreement.reference,
    )
    return log.append_leaves(connection, [leaf])
