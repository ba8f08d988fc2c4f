"""Errors of the security core.

One base, ``SecurityError``. Subclasses differ only where callers act differently: refuse and
log, ask the peer to re-send, ask a human, try again later. Messages name records by id and
never carry key material, payloads or personal data.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from security.chain import ChainPosition

UNTRUSTED_WORDING: Final = (
    "The envelope is forged, damaged, expired or not addressed to this member; it was refused. "
    "Seal the payload again under current keys, and compare the clocks of both sides."
)


class SecurityError(Exception):
    """Base of every error that the security package raises."""


class BadSignatureError(SecurityError):
    """A signature does not belong to these bytes and this key."""


class UnknownSuiteError(SecurityError):
    """A crypto suite is not one of those this release speaks; there is no fallback."""


class BrokenRule(StrEnum):
    """A rule that a sender may be told it broke, once it proved who it is."""

    RECIPIENT = "recipient"
    """Addressed to another member."""
    EXPIRED = "expired"
    """Logged after its last moment."""
    CLOCK = "clock"
    """Made more than a day in the future."""
    CERTIFICATE = "certificate"
    """The certificate of the key that signed has ended."""
    REVOKED = "revoked"
    """The key that signed is revoked."""
    SUITE = "suite"
    """Of a suite that this release does not speak."""
    PURPOSE = "purpose"
    """Purpose, data class or lane are not those of the payload type."""


class UntrustedEnvelopeError(SecurityError):
    """A sealed envelope is forged, truncated, expired or not addressed to us.

    One wording for every cause: whoever forges must not learn which check failed.

    Attributes:
        cause: What failed, for the audit log only, never for the peer.
        rule: Rule that was broken, for a sender that proved who it is; None for everything that
            a forgery could be.
    """

    def __init__(self, cause: str, rule: BrokenRule | None = None) -> None:
        super().__init__(UNTRUSTED_WORDING)
        self.cause = cause
        self.rule = rule


class UnreadableEnvelopeError(UntrustedEnvelopeError):
    """The sender and the header are proved, but the content cannot be decrypted.

    An intake quarantines such an envelope and lets its chain advance, so that one bad payload
    never blocks everything behind it. To the peer it reads like every other refusal.
    """


class ChainError(SecurityError):
    """An envelope does not continue its chain."""


class ChainGapError(ChainError):
    """An earlier envelope of the chain is missing, or its incarnation was not issued.

    Attributes:
        expected: Position held; the sender continues after it.
    """

    def __init__(self, expected: ChainPosition) -> None:
        super().__init__(
            f"The chain stands at incarnation {expected.incarnation}, seq {expected.seq}: "
            "an envelope between there and the one received is missing. "
            "Re-send from the archive, starting after that position."
        )
        self.expected = expected


class ChainForkError(ChainError):
    """Another envelope is already known at this place of the chain.

    Attributes:
        held: Position held by the receiver.
    """

    def __init__(self, held: ChainPosition) -> None:
        super().__init__(
            "Two different envelopes claim one place of the chain, whose head is incarnation "
            f"{held.incarnation}, seq {held.seq}. Both are kept as evidence; "
            "the member was restored from an old copy or its key is used twice: ask its officer."
        )
        self.held = held


class UntrustedCertificateError(SecurityError):
    """A certificate is unknown, expired, revoked, for another use or not signed by its issuer.

    Attributes:
        cause: What failed.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"The certificate is not trusted: {cause}. "
            "Renew or re-enrol the member, and check that its hub is the one that was joined."
        )
        self.cause = cause


class UntrustedReceiptError(SecurityError):
    """A receipt does not prove what it says.

    Attributes:
        cause: What failed.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"The receipt is not trusted: {cause}. The envelope counts as not delivered; "
            "it is sent again. If this repeats, ask the hub's security officer."
        )
        self.cause = cause


class TokenError(SecurityError):
    """A join token is unreadable, expired or already used."""


class KeyFileError(SecurityError):
    """A key file is missing, damaged, already there or readable by others."""


class VaultError(SecurityError):
    """A value encrypted at rest is damaged, was moved elsewhere or belongs to another key."""


class SegmentTamperedError(SecurityError):
    """A record segment on disk is missing or is not the file its ledger row describes."""


class LogCorruptError(SecurityError):
    """A transparency log, a proof or a checkpoint contradicts itself or its anchor."""


class AuditInputError(SecurityError):
    """An audit bundle or a trust file cannot be read at all."""


class JoinRefusedError(SecurityError):
    """The hub refused to take a member in."""


class JoinPendingError(SecurityError):
    """The hub has the request; its officer has not approved it yet.

    Attributes:
        request: Id of the request at the hub.
        fingerprint: Of this member's keys, computed here; the officer compares it.
        retry_after_s: Seconds until it is worth asking again.
    """

    def __init__(self, hub: str, request: str, fingerprint: str, retry_after_s: int) -> None:
        super().__init__(
            f"{hub} has the request {request} and waits for its officer. Tell the officer by "
            f"telephone the fingerprint of this member's keys: {fingerprint}. The officer compares "
            f"it and runs: yixin hub approve {request}. Then run the same command here again; "
            "nothing is lost by waiting"
        )
        self.request = request
        self.fingerprint = fingerprint
        self.retry_after_s = retry_after_s


class MembershipError(SecurityError):
    """The member's directory is missing, incomplete or contradicts itself."""


class HubRefusedError(SecurityError):
    """The hub refused an envelope.

    Attributes:
        code: Name of the refusal code.
        detail: Public wording of the hub.
        expected: Position the hub holds for the chain, when it said so.
    """

    def __init__(self, code: str, detail: str, expected: ChainPosition | None = None) -> None:
        super().__init__(f"The hub refused an envelope ({code}): {detail}")
        self.code = code
        self.detail = detail
        self.expected = expected


class HubUnreachableError(SecurityError):
    """The hub did not answer or the line broke; nothing is lost and the call may be repeated."""


class DeskUnreachableError(HubUnreachableError):
    """A desk did not answer: no token was made, no record was lost, the next run asks again."""


class LocalSyncError(SecurityError):
    """This member broke a rule of the exchange: a fault of ours, nothing was sent."""


class RemoteSyncError(SecurityError):
    """The peer broke a rule of the exchange; what it said was dropped."""


class LinkingError(SecurityError):
    """A link token cannot be made: subclasses tell who has to act."""


class LinkPointsError(LinkingError):
    """Bytes are no points of the curve, or too many; whoever made them has to mend it."""


class LinkAnswerError(LinkingError):
    """A desk answered with something its published half does not make; it is not believed."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"The answer of a desk is not believed: {cause}. No token was made of it; "
            "ask the officers of both desks which of them changed or lost its key."
        )


class DeskRefusedError(LinkingError):
    """A desk refused a request.

    Attributes:
        code: Name of the refusal code: ``quota``, ``period`` and so on.
    """

    def __init__(self, desk: str, code: str, detail: str) -> None:
        super().__init__(f"The desk {desk} refused ({code}): {detail}")
        self.code = code


class LockHeldError(SecurityError):
    """Another process writes to this state directory; wait, or talk to its daemon."""


class LocalChannelError(SecurityError):
    """The owner-only socket between the command line and its daemon does not work."""


class DaemonAbsentError(LocalChannelError):
    """No daemon listens on the socket; the caller does the work itself."""


class JobAbortedError(LocalChannelError):
    """The daemon is stopping: the job ended at a batch border, what it committed stays."""


class JobFailedError(LocalChannelError):
    """A job failed inside the daemon.

    Attributes:
        code: Stable code of the service's error table.
        message: What was found, what was expected, what to do.
        exit_code: Exit code for the command line.
    """

    def __init__(self, code: str, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code


class SuitePolicyError(SecurityError):
    """A suite is not the one a member must use, or a policy is older than the one held."""


class CertificateEndedError(UntrustedCertificateError):
    """A certificate of a known member is past its last moment; its owner renews it."""


class RevokedError(UntrustedCertificateError):
    """A key or a TLS certificate is on its hub's signed revocation list."""


class LogRollbackError(LogCorruptError):
    """A log is smaller than one its witnesses or members saw, or contradicts it."""


class CosignatureError(LogCorruptError):
    """A cosignature of a witness is malformed, or a quorum of witnesses is not met."""


class PackError(SecurityError):
    """A model pack, its metadata or its repository cannot be trusted or used."""


class PackAbsentError(PackError):
    """A file of the packs' repository is not there, or did not come whole: try again later."""


class PackExpiredError(PackError):
    """Metadata of the packs has expired: somebody has to sign anew, or holds newer ones back."""


class PackRolledBackError(PackError):
    """Metadata of the packs is older than what was seen before."""


class AgreementError(SecurityError):
    """A sharing agreement does not cover a delivery or request, or is malformed."""


class SpotCheckError(SecurityError):
    """A spot check of records cannot be made with what was handed over."""


class KeyRotationError(SecurityError):
    """A key at rest cannot be rotated or destroyed as asked."""


def cause_of(error: Exception) -> str:
    """What failed, without the advice that goes to a member: for logs, officers and auditors."""
    return str(getattr(error, "cause", error))
