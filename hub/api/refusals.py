"""Refusals as they travel: what a member that proved who it is may be told.

Rules of this module:

- Forgery, damage and unreadable content read alike: one public wording, the cause only in the log.
- A rule that the caller itself broke is named, with how to mend it, because the caller is known by
  its TLS certificate and learns nothing that it could not see in its own envelope.
- Texts are constant, or name suites and policies; never another member, a key or a content.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import grpc

from hub.api.errors import row_of
from hub.errors import AgreementRefusedError, LogReadOnlyError, MemberRefusedError
from hub.intake.committing import Refused
from protos.yixin.v1 import exchange_pb2
from security.chain import ChainPosition
from security.errors import (
    AgreementError,
    BrokenRule,
    CertificateEndedError,
    ChainForkError,
    ChainGapError,
    RevokedError,
    SuitePolicyError,
    UntrustedEnvelopeError,
)
from security.exchange.heads import to_chain_head


class Told(NamedTuple):
    """What a caller is told."""

    code: exchange_pb2.RefusalCode.ValueType
    rule: str
    mend: str


_REVOKED: Final = Told(
    exchange_pb2.REFUSAL_CODE_REVOKED,
    "The member, its certificate or the key that signed is revoked.",
    "Ask the hub's security officer for the reason; with a new token the member can join again.",
)
_CERTIFICATE: Final = Told(
    exchange_pb2.REFUSAL_CODE_CERTIFICATE,
    "A certificate of this member has ended, or has not begun, at the hub's time.",
    "Renew the certificates and synchronise again: what waits is sealed under the new keys.",
)
_GAP: Final = Told(
    exchange_pb2.REFUSAL_CODE_GAP,
    "An earlier envelope of the chain is missing.",
    "Synchronise again: it resumes after the stated head.",
)
_FORK: Final = Told(
    exchange_pb2.REFUSAL_CODE_FORK,
    "Another envelope is known at this place of the chain; both are kept as evidence.",
    "Stop using a copy of this member's directory, and ask the hub's security officer.",
)
_READ_ONLY: Final = Told(
    exchange_pb2.REFUSAL_CODE_READ_ONLY,
    "The hub appends nothing to its log until its witnesses or members confirm it.",
    "Try again later; nothing is lost.",
)
_POLICY_MEND: Final = (
    "Renew this member's keys under a suite of the policy, then synchronise again."
)
_AGREEMENT_MEND: Final = "Ask for what an agreement in force names, or for another agreement."

_RULES: Final[Mapping[BrokenRule, Told]] = {
    BrokenRule.RECIPIENT: Told(
        exchange_pb2.REFUSAL_CODE_UNTRUSTED,
        "The envelope is addressed to another member than this hub.",
        "Send it to the hub that it was sealed for.",
    ),
    BrokenRule.EXPIRED: Told(
        exchange_pb2.REFUSAL_CODE_UNTRUSTED,
        "The envelope came after the last moment its header allows.",
        "Compare both clocks and synchronise again: what has expired is sealed anew.",
    ),
    BrokenRule.CLOCK: Told(
        exchange_pb2.REFUSAL_CODE_UNTRUSTED,
        "The envelope was made more than a day in the future of the hub's clock.",
        "Set this member's clock; envelopes made before are sealed anew.",
    ),
    BrokenRule.CERTIFICATE: _CERTIFICATE,
    BrokenRule.REVOKED: _REVOKED,
    BrokenRule.SUITE: Told(
        exchange_pb2.REFUSAL_CODE_POLICY,
        "The envelope is of a suite that this hub does not speak.",
        _POLICY_MEND,
    ),
    BrokenRule.PURPOSE: Told(
        exchange_pb2.REFUSAL_CODE_AGREEMENT,
        "Purpose, data class or lane are not those of the payload type.",
        "Update the program that seals it; the hub takes nothing under another purpose.",
    ),
}


_CONSTANT: Final[Mapping[type[Exception], Told]] = {
    ChainGapError: _GAP,
    ChainForkError: _FORK,
    RevokedError: _REVOKED,
    MemberRefusedError: _REVOKED,
    CertificateEndedError: _CERTIFICATE,
    LogReadOnlyError: _READ_ONLY,
}


def refusal(refused: Refused) -> exchange_pb2.Refusal:
    """A refusal as it travels."""
    error = refused.error
    told = _told(error)
    if told is None:
        row = row_of(error)
        later = row.status is grpc.StatusCode.UNAVAILABLE
        return exchange_pb2.Refusal(
            code=(exchange_pb2.REFUSAL_CODE_BUSY if later else exchange_pb2.REFUSAL_CODE_UNTRUSTED),
            detail=row.wording,
        )
    message = exchange_pb2.Refusal(code=told.code, detail=told.rule, rule=told.rule, mend=told.mend)
    head = _head(error)
    if head is not None:
        message.expected.CopyFrom(to_chain_head(refused.lane, head))
    return message


def _told(error: Exception) -> Told | None:
    if isinstance(error, UntrustedEnvelopeError):
        return _RULES[error.rule] if error.rule is not None else None
    if isinstance(error, SuitePolicyError):
        return Told(exchange_pb2.REFUSAL_CODE_POLICY, str(error), _POLICY_MEND)
    if isinstance(error, (AgreementRefusedError, AgreementError)):
        return Told(exchange_pb2.REFUSAL_CODE_AGREEMENT, str(error), _AGREEMENT_MEND)
    return next((told for kind, told in _CONSTANT.items() if isinstance(error, kind)), None)


def _head(error: Exception) -> ChainPosition | None:
    match error:
        case ChainGapError(expected=head) | ChainForkError(held=head):
            return head
        case _:
            return None
