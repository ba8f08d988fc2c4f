"""The jobs that let members in and put them out: approve, reject, revoke, list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.config import usable
from hub.errors import ConfigurationError
from hub.exchange.requests import approve, reject
from hub.exchange.revoking import revoke_member
from hub.listings import moment_text
from hub.parts import HubParts
from hub.store import enrolment_requests, heartbeats, members, revocations
from hub.store.certifying import RENEW_BEFORE_MS
from hub.store.engine import reading, writing
from hub.store.enrolment_requests import WaitingRequest
from security.certificates import ENCRYPTION, SIGNING
from security.moments import to_ms
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
ADMISSION_READERS: Final = frozenset({"members", "members-pending", "export-revocations"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by name."""
        return {
            "members": self.members,
            "members-pending": self.pending,
            "approve-member": self.approve,
            "reject-member": self.reject,
            "revoke": self.revoke,
            "export-revocations": self.export_revocations,
        }

    def members(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """List the members, with the ends of their certificates and what is due."""
        now_ms = to_ms(self.parts.now())
        with reading(self.parts.engine) as connection:
            rows = members.list_members(connection)
            tls = revocations.tls_ends(connection)
            keys = members.key_ends(connection)
            heard = heartbeats.last_heard(connection, [row.member for row in rows])
            silent = heartbeats.silent_members(connection, now_ms)
            waiting = {one.member for one in enrolment_requests.waiting(connection, now_ms)}
        return {
            "rows": [
                {
                    "member": row.member,
                    "kind": str(row.kind),
                    "status": str(row.status),
                    "joined_at": moment_text(row.joined_at_ms),
                    "first_call_at": moment_text(row.confirmed_at_ms),
                    "last_heard_at": moment_text(heard.get(row.member)),
                    "silent": "silent" if row.member in silent else "",
                    "tls_until": moment_text(tls.get(row.member)),
                    "signing_until": moment_text(keys.get((row.member, SIGNING))),
                    "encryption_until": moment_text(keys.get((row.member, ENCRYPTION))),
                    "due": _due(
                        row,
                        [tls.get(row.member), keys.get((row.member, SIGNING))],
                        now_ms,
                        waits=row.member in waiting,
                    ),
                    "revoked_at": moment_text(row.revoked_at_ms),
                }
                for row in rows
            ]
        }

    def pending(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """List what waits for an officer."""
        with reading(self.parts.engine) as connection:
            rows = enrolment_requests.waiting(connection, to_ms(self.parts.now()))
        return {"rows": [_request_row(row) for row in rows]}

    def approve(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Approve a join or a renewal that waits; tell when none does."""
        with writing(self.parts.engine) as connection:
            found = approve(connection, arguments["id"], to_ms(self.parts.now()))
        return {"found": found is not None, **(_request_row(found) if found else {})}

    def reject(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Reject a join or a renewal that waits."""
        with writing(self.parts.engine) as connection:
            found = reject(
                connection, arguments["id"], arguments["reason"], to_ms(self.parts.now())
            )
        return _request_row(found)

    def revoke(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Revoke a member with its certificates; it is refused from the next commit group on."""
        parts, member = self.parts, arguments["member"]
        with writing(parts.engine) as connection:
            count = revoke_member(
                connection, parts.identity, member, arguments["reason"], to_ms(parts.now())
            )
            newest = revocations.newest_list(connection)
        return {
            "member": member,
            "status": "revoked" if member != parts.identity.hub else "renewed",
            "certificates": count,
            "list": newest.version if newest else 0,
        }

    def export_revocations(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Write the newest signed revocation list to a file, for link desks; it is public."""
        path = Path(arguments["file"])
        with reading(self.parts.engine) as connection:
            newest = revocations.newest_list(connection)
        if newest is None:
            raise ConfigurationError(
                "This hub has signed no revocation list yet: its daemon does when it starts. Run "
                "`yixin hub serve`, then this again."
            )
        with usable(path):
            path.write_bytes(newest.list)
        return {
            "file": str(path),
            "version": newest.version,
            "until": moment_text(newest.next_ms),
        }


def _due(row: members.MemberRow, ends: list[int | None], now_ms: int, *, waits: bool) -> str:
    """What somebody has to do about a member, in a word or two."""
    if waits:
        return "approve or reject"
    if row.status != "active":
        return ""
    known = [end for end in ends if end is not None]
    if any(end < now_ms for end in known):
        return "member renews: ended"
    key_end = ends[1]
    if key_end is not None and key_end - RENEW_BEFORE_MS < now_ms:
        return "member renews its keys"
    return ""


def _request_row(row: WaitingRequest) -> Result:
    return {
        "request": row.id,
        "wants": row.method,
        "member": row.member,
        "fingerprint": row.fingerprint,
        "asked_at": moment_text(row.asked_at_ms),
        "until": moment_text(row.expires_at_ms),
    }
