"""A node's certificates: renewed in good time, shown, and its receipts handed out as proofs.

Rules: what is due is renewed before a synchronisation, under the writer's lock; the link then
works with the new membership, and the next channel uses it: no restart.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from node.errors import NotJoinedError
from node.sync.flow import Link
from security.certificates import tell_revocations
from security.exchange.receipt_export import export_receipts
from security.exchange.renew import renew, renewal_due
from security.exchange.seen_checkpoints import count_contradictions, list_seen
from security.moments import to_ms, to_text
from security.progress import ProgressReporter

Result = dict[str, Any]

__all__ = ["IdentityJobs", "certificate_status"]


def certificate_status(link: Link, now: datetime) -> Result:
    """When each certificate of the node ends, and what its hub last said of keys and its log."""
    membership = link.membership
    with link.engine.begin() as connection:
        logs = list_seen(connection, membership.hub_id)
        contradictions = count_contradictions(connection)
    signing, encryption = membership.certified
    due = renewal_due(membership, now)
    policy = membership.policy
    return {
        "certificate_days_left": (membership.tls_not_after - now).days,
        "tls_certificate_ends": membership.tls_not_after.isoformat(timespec="seconds"),
        "signing_certificate_ends": to_text(signing.not_after_ms),
        "encryption_certificate_ends": to_text(encryption.not_after_ms),
        "renewal": "due" if due else "not due",
        "suite": encryption.suite,
        "suites_of_the_hub": ", ".join(policy.suites) if policy else "not stated",
        "revocation_list": tell_revocations(membership.revocations, to_ms(now)),
        "hub_log_seen": ", ".join(
            f"{one.checkpoint.size} of {one.checkpoint.origin}" for one in logs
        )
        or "nothing published",
        "hub_log_contradictions": contradictions,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityJobs:
    """The jobs over a node's certificates and proofs."""

    link: Link | None
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by name."""
        return {"renew": self.renew, "receipts": self.receipts}

    def renew(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Renew certificates: what is due, or all of them when a person asks."""
        link, now = _joined(self.link), self.now()
        due = renewal_due(link.membership, now)
        renewed = bool(due) or not arguments.get("if_due")
        if renewed:
            link.membership = asyncio.run(
                renew(
                    link.membership,
                    now=now,
                    new_epoch=bool(arguments.get("new_keys")) or due.keys,
                    new_tls=bool(arguments.get("new_keys")),
                    address=arguments.get("address"),
                )
            )
        return {
            "member": link.membership.member_id,
            "renewed": renewed,
            "new_keys": renewed and (bool(arguments.get("new_keys")) or due.keys),
            **certificate_status(link, now),
        }

    def receipts(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Write the hub's receipts into a proof file."""
        link = _joined(self.link)
        out = Path(arguments["out"])
        with link.engine.connect() as connection:
            count = export_receipts(
                connection,
                link.membership,
                out,
                envelopes=bool(arguments.get("envelopes")),
                now=self.now(),
                progress=progress,
            )
        return {"file": str(out), "receipts": count, "hub": link.membership.hub_id}


def _joined(link: Link | None) -> Link:
    if link is None:
        raise NotJoinedError("this node has not joined a hub; run: yixin node join --token TOKEN")
    return link
