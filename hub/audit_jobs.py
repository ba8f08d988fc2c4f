"""The jobs that hand evidence to auditors, each a JSON object in and a JSON object out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.exchange.audit_export import AuditRange, export_audit
from hub.packs.serving import place_of, root_digest
from hub.parts import HubParts
from hub.store import log_peers
from hub.store.engine import reading
from security.audit.trust import Trust, save_trust
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
AUDIT_READERS: Final = frozenset({"export-trust"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by name."""
        return {"export-trust": self.export_trust, "audit-export": self.audit_export}

    def export_trust(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Write a trust file for auditors: anchor, witnesses, quorum, root of the packs."""
        path, identity = Path(arguments["file"]), self.parts.identity
        with reading(self.parts.engine) as connection:
            named = [peer.witness for peer in log_peers.peers(connection)]
        trust = replace(
            Trust.of(identity.anchor),
            # Its own key is for hubs that name it as a witness; it never counts for its own log.
            witnesses=(*named, self.parts.log.witness()),
            quorum=min(self.parts.settings.log.quorum, len(named)),
            pack_root=root_digest(self.parts),
        )
        save_trust(path, trust)
        return {
            "file": str(path),
            "hub": identity.hub,
            "sha256": identity.anchor_digest.hex(),
            "witnesses": [witness.name for witness in named],
            "quorum": trust.quorum,
            "pack_root": trust.pack_root.hex(),
        }

    def audit_export(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Write a bundle of evidence for an auditor."""
        wanted = AuditRange(
            period=arguments.get("period"),
            from_index=arguments.get("from_index"),
            to_index=arguments.get("to_index"),
            prove_from=tuple(arguments.get("prove_from") or ()),
            packs=place_of(self.parts).served,
            quorum=self.parts.settings.log.quorum,
        )
        parts = self.parts
        report = export_audit(
            parts.engine,
            parts.identity,
            Path(arguments["out"]),
            wanted,
            now=parts.now(),
            progress=progress,
        )
        return asdict(report)
