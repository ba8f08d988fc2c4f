"""Certificates that a hub issues: of its members' keys, and of its own epochs.

Rules: the identity key signs every certificate; each is a leaf of the log, in the transaction that
issues it; a new epoch of the hub begins 90 days before the old one ends, and signs from the day
after it was first shown to members on. The first SM2 key, which signs beside the others for members
of suite GM, signs at once: they are shown it before anything that it signed.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine

from hub.domain.members import MemberId
from hub.errors import LogReadOnlyError
from hub.store import log, members
from hub.store.engine import reading, writing
from hub.store.epochs import SUITE
from hub.store.identity import HubIdentity
from hub.store.members import StoredCertificate
from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.certificates import CLOCK_SKEW_MS, ENCRYPTION, SIGNING, issue_key_certificate
from security.countersigning import can_check, is_countersigning
from security.keys import EncryptionKey, SigningKey
from security.members import parse_member_id
from security.suites import GM

SERIAL_COUNTER: Final = "certificate_serial"
LEAF_WORD: Final = "key_certificate"
KEY_DAYS: Final = 365
RENEW_BEFORE_MS: Final = 90 * 86_400_000
"""Overlap of two epochs, milliseconds."""
ANNOUNCE_MS: Final = 86_400_000
"""A new signing key is shown for this long before it signs, where an older one still can."""
_DAY_MS: Final = 86_400_000
_LOG: Final = logging.getLogger(__name__)

OwnKey: TypeAlias = SigningKey | EncryptionKey
KeyUse: TypeAlias = identity_pb2.KeyUse.ValueType
Role: TypeAlias = tuple[KeyUse, str]
"""Use and suite of a key of the hub."""


def certify(
    connection: Connection,
    identity: HubIdentity,
    *,
    member: str,
    use: KeyUse,
    suite: str,
    public_key: bytes,
    pq_public_key: bytes,
    now_ms: int,
    days: int,
    approved: str,
) -> identity_pb2.KeyCertificate:
    """Certify a key of a member, store the certificate and log it.

    Args:
        connection: A writing transaction.
        identity: The certifying hub.
        member: Owner of the key.
        use: Signing or encryption.
        suite: Suite the key belongs to.
        public_key: Public key of that use.
        pq_public_key: ML-DSA-65 half of a signing key, or empty.
        now_ms: Present moment, milliseconds since the epoch, UTC.
        days: Validity, days.
        approved: Who let the key in, as the log says it: ``officer``, ``advance`` (an officer,
            when issuing the token), ``token``, ``renewal``, or ``own`` for the hub's own keys.

    Raises:
        UntrustedCertificateError: The parts do not make a valid certificate.
        LogReadOnlyError: The log takes no leaf now.
    """
    serial = members.next_number(connection, SERIAL_COUNTER)
    certificate = issue_key_certificate(
        identity.root,
        issuer=identity.hub,
        member=member,
        kind=parse_member_id(member).kind,
        use=use,
        suite=suite,
        public_key=public_key,
        pq_public_key=pq_public_key,
        not_before_ms=now_ms - CLOCK_SKEW_MS,
        not_after_ms=now_ms + days * _DAY_MS,
        serial=serial,
    )
    body = identity_pb2.KeyCertificateBody.FromString(certificate.body)
    stored = StoredCertificate(
        serial=serial,
        member=MemberId(member),
        key_id=body.key_id,
        use=body.use,
        not_before_ms=body.not_before_ms,
        not_after_ms=body.not_after_ms,
        certificate=certificate.SerializeToString(deterministic=True),
    )
    members.add_certificates(connection, [stored])
    leaf = log.event_leaf(
        transparency_pb2.LOG_KIND_CERTIFICATE,
        hub=identity.hub,
        digest=hashlib.sha256(certificate.body).digest(),
        word=LEAF_WORD,
        at_ms=now_ms,
        subject=member,
        purpose=approved,
    )
    log.append_leaves(connection, [leaf])
    return certificate


def own_keys(
    engine: Engine, identity: HubIdentity, now_ms: int, suite: str = SUITE
) -> list[identity_pb2.KeyCertificate]:
    """The hub's certificates in force for members of a suite; begins a new epoch where it is due.

    Raises:
        HubStoreError: The database failed.
    """
    with reading(engine) as connection:
        rows = _own_rows(connection, identity)
    if not _due(identity, rows, now_ms, suite):
        return _in_force(identity, rows, now_ms, suite)
    try:
        with writing(engine) as connection:
            return own_certificates(connection, identity, now_ms, suite)
    except LogReadOnlyError:
        # The old epoch goes on for the overlap; the new one begins when the log is open again.
        _LOG.warning("a new epoch of the hub's keys waits for the log")
        return _in_force(identity, rows, now_ms, suite)


def begin_epochs(engine: Engine, identity: HubIdentity, suites: Iterable[str], now_ms: int) -> None:
    """Begin the epochs that are due: of the default suite's keys, and of SM2 where GM is allowed.

    Args:
        engine: The hub's database.
        identity: The hub.
        suites: Suites that its settings allow.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        HubStoreError: The database failed.
    """
    own_keys(engine, identity, now_ms)
    for suite in suites:
        # Without the extra the hub says so when it states its policy.
        if is_countersigning(suite) and can_check():
            own_keys(engine, identity, now_ms, suite)


def own_certificates(
    connection: Connection, identity: HubIdentity, now_ms: int, suite: str = SUITE
) -> list[identity_pb2.KeyCertificate]:
    """As ``own_keys``, within a writing transaction.

    Args:
        connection: A writing transaction.
        identity: The hub.
        now_ms: Present moment, milliseconds since the epoch, UTC.
        suite: Suite of the members: of the hub's encryption keys, and of a second signing key
            where the hub countersigns for them.

    Returns:
        Signing certificates, then encryption certificates, each in order of issue.

    Raises:
        LogReadOnlyError: A new epoch is due and the log takes no leaf now.
        UnknownSuiteError: No such suite.
    """
    rows = _own_rows(connection, identity)
    for use, of_suite in _due(identity, rows, now_ms, suite):
        key = _spare(identity, rows, use, of_suite) or _new(identity, use, of_suite)
        certify(
            connection,
            identity,
            member=identity.hub,
            use=use,
            suite=of_suite,
            public_key=_public(key),
            pq_public_key=key.verifying.pq_public_key if isinstance(key, SigningKey) else b"",
            now_ms=now_ms,
            days=KEY_DAYS,
            approved="own",
        )
    return _in_force(identity, _own_rows(connection, identity), now_ms, suite)


def own_suites(identity: HubIdentity) -> tuple[str, ...]:
    """Suites whose signing keys the hub uses: its own, and GM once it has an SM2 key."""
    return (SUITE, GM.name) if identity.sm2_epoch else (SUITE,)


def choose_signing(connection: Connection, identity: HubIdentity, now_ms: int) -> None:
    """Let the hub sign with the newest certified epoch that members had time to learn."""
    _choose(identity, _own_rows(connection, identity), now_ms)


def _own_rows(connection: Connection, identity: HubIdentity) -> tuple[StoredCertificate, ...]:
    return members.certificates(connection, member_id=identity.hub)


def _held(identity: HubIdentity, use: int, suite: str) -> dict[str, OwnKey]:
    epochs = identity.epochs
    keys: Sequence[OwnKey] = (
        epochs.signing_keys(suite) if use == SIGNING else epochs.encryption_keys(suite)
    )
    return {key.key_id: key for key in keys}


def _valid(
    identity: HubIdentity, rows: Sequence[StoredCertificate], use: int, now_ms: int, suite: str
) -> list[StoredCertificate]:
    held = _held(identity, use, suite)
    return [
        row
        for row in rows
        if row.use == use
        and row.key_id in held
        and row.revoked_at_ms is None
        and row.not_before_ms <= now_ms <= row.not_after_ms
    ]


def _roles(suite: str) -> list[Role]:
    """The hub's keys that members of a suite use."""
    second: list[Role] = [(SIGNING, suite)] if is_countersigning(suite) else []
    return [(SIGNING, SUITE), *second, (ENCRYPTION, suite)]


def _due(
    identity: HubIdentity, rows: Sequence[StoredCertificate], now_ms: int, suite: str
) -> list[Role]:
    return [
        (use, of_suite)
        for use, of_suite in _roles(suite)
        if not any(
            row.not_after_ms - RENEW_BEFORE_MS > now_ms
            for row in _valid(identity, rows, use, now_ms, of_suite)
        )
    ]


def _in_force(
    identity: HubIdentity, rows: Sequence[StoredCertificate], now_ms: int, suite: str
) -> list[identity_pb2.KeyCertificate]:
    _choose(identity, rows, now_ms)
    return [
        identity_pb2.KeyCertificate.FromString(row.certificate)
        for use, of_suite in _roles(suite)
        for row in _valid(identity, rows, use, now_ms, of_suite)
    ]


def _choose(identity: HubIdentity, rows: Sequence[StoredCertificate], now_ms: int) -> None:
    for suite in (SUITE, GM.name):
        valid = _valid(identity, rows, SIGNING, now_ms, suite)
        known = [row for row in valid if row.not_before_ms + ANNOUNCE_MS <= now_ms]
        # Of those that members know the newest; where none is old enough, the one that began first.
        best = max(known, key=_age) if known else min(valid, key=_age, default=None)
        identity.epochs.use(suite, best.key_id if best else None, best.not_before_ms if best else 0)


def _age(row: StoredCertificate) -> tuple[int, int]:
    return row.not_before_ms, row.serial


def _spare(
    identity: HubIdentity, rows: Sequence[StoredCertificate], use: int, suite: str
) -> OwnKey | None:
    """A key that was made and never certified: its transaction did not commit."""
    certified = {row.key_id for row in rows}
    spare = [key for name, key in _held(identity, use, suite).items() if name not in certified]
    return spare[-1] if spare else None


def _new(identity: HubIdentity, use: int, suite: str) -> OwnKey:
    epochs = identity.epochs
    return epochs.new_signing(suite) if use == SIGNING else epochs.new_encryption(suite)


def _public(key: OwnKey) -> bytes:
    return key.verifying.public_key if isinstance(key, SigningKey) else key.public_bytes
