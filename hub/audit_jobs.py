"""The jobs that hand evidence to auditors, each a JSON object in and a JSON object out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.exchange.audit_export import AuditRange, export_audit
from hub.parts import HubParts
from security.audit.trust import save_anchor
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
        """Write the hub's trust anchor to a file, for auditors."""
        path = Path(arguments["file"])
        save_anchor(path, self.parts.identity.anchor)
        return {
            "file": str(path),
            "hub": self.parts.identity.hub,
            "sha256": self.parts.identity.anchor_digest.hex(),
        }

    def audit_export(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Write a bundle of evidence for an auditor."""
        wanted = AuditRange(
            period=arguments.get("period"),
            from_index=arguments.get("from_index"),
            to_index=arguments.get("to_index"),
            prove_from=tuple(arguments.get("prove_from") or ()),
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
