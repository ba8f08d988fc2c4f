"""Errors of the hub. Subclasses differ where callers act differently: retry, refuse, ask a human.

The table from error to code, gRPC status, exit code and public wording is ``hub/api/errors.py``.
"""


class HubError(Exception):
    """Base of every error a hub raises on purpose."""


class ConfigurationError(HubError):
    """The hub's directory, settings or arguments are not usable as they stand; a human corrects."""


class NotInitialisedError(ConfigurationError):
    """The directory holds no hub; run ``yixin hub init`` first."""


class HubStoreError(HubError):
    """The database or the object store failed; nothing of the step was stored; retry."""


class NotJoinedError(HubError):
    """The hub has no parent hub yet; run ``yixin hub join`` first."""


class EnrolmentRefusedError(HubError):
    """A join or a renewal is refused: one wording for every cause, the cause goes to the log.

    Attributes:
        cause: What was wrong, for the hub's own log; never sent to the peer.
    """

    def __init__(self, cause: str, public: str = "") -> None:
        """Remember the cause beside the public wording.

        Args:
            cause: What was wrong, for the hub's own log.
            public: Constant wording for a member that has proved who it is; by default the one
                that tells nothing.
        """
        super().__init__(
            public
            or "The request is refused: the token is unknown, used or expired, or the request "
            "is not signed by its own keys. Ask the hub's operator for a new token."
        )
        self.cause = cause


class CustodyError(HubError):
    """A custody row is malformed, overlaps another, or names an unknown member; a human decides."""


class MemberRefusedError(HubError):
    """A peer is not a member of this hub, is revoked, or its certificate expired; refuse.

    Attributes:
        cause: What was wrong, for the hub's own log; never sent to the peer.
    """

    def __init__(self, cause: str) -> None:
        """Remember the cause beside the one public wording."""
        super().__init__(
            "The caller is not an active member of this hub. Renew the certificate or join again."
        )
        self.cause = cause


class NotPermittedError(HubError):
    """The authorisation table has no row that lets this kind of member call this method; refuse."""


class IntakeBusyError(HubError):
    """The intake queue is full; the sender tries again later."""


class StatementError(HubError):
    """A statement batch is malformed; the envelope's content is quarantined, the chain advances."""


class StatementsMissingError(HubError):
    """Months or measure sets that a job needs were never stated; ask the members to sync."""


class ImportFileError(HubError):
    """A department's file cannot be read as a whole; a human repairs the file."""


class GradingError(HubError):
    """A grading run is impossible as asked: no register, no model, or no statements."""


class NotGradedError(GradingError):
    """There is no grading run for the period; run ``yixin hub grade`` first."""


class NotPublishedError(HubError):
    """There is no publication for the period; run ``yixin hub publish`` first."""


class AuditExportError(HubError):
    """The asked range of the log cannot be exported; a human chooses another range."""


class LogReadOnlyError(HubError):
    """The log takes no leaf until witnesses or members confirm it; try later, or ask a human."""


class ApprovalNeededError(HubError):
    """The job waits for a second pair of eyes; another officer approves it by its id."""


class RoleError(HubError):
    """The role of who asks does not allow the job, or the asking is not signed; refuse."""


class AgreementRefusedError(HubError):
    """No sharing agreement covers what was asked; it was refused and logged."""


class IncidentError(HubError):
    """An incident cannot be opened, recomputed or lifted as asked; a human decides."""
