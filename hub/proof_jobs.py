"""The jobs over proofs of the exchange, each a JSON object in and a JSON object out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.exchange.proof_export import export_deliveries, export_forks
from hub.parts import HubParts
from hub.store.backups import mark_backup
from hub.store.engine import reading, writing
from security.moments import to_ms
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
PROOF_READERS: Final[frozenset[str]] = frozenset({"delivery-proofs", "fork-proofs"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "backup-done": self.backup_done,
            "delivery-proofs": self.deliveries,
            "fork-proofs": self.forks,
        }

    def backup_done(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """State how much of the log is in a backup; members may drop what lies below."""
        with writing(self.parts.engine) as connection:
            chains = mark_backup(connection, arguments["log_size"], to_ms(self.parts.now()))
        return {"log_size": arguments["log_size"], "chains": chains}

    def deliveries(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Write the deliveries that a member acknowledged into a proof file."""
        parts = self.parts
        with reading(parts.engine) as connection:
            made = export_deliveries(
                connection,
                parts.identity.hub,
                arguments["member"],
                Path(arguments["out"]),
                now=parts.now(),
                progress=progress,
            )
        return asdict(made)

    def forks(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Write the forks that a member signed into a proof file."""
        parts = self.parts
        with reading(parts.engine) as connection:
            made = export_forks(
                connection,
                parts.identity.hub,
                arguments["member"],
                Path(arguments["out"]),
                now=parts.now(),
            )
        return asdict(made)
