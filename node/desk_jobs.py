"""The jobs of the desk: quarantine, code lists, records as files, completeness.

Each is a JSON object in and a JSON object out, as those of ``jobs.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.codes import extended, import_codes
from node.completeness import completeness
from node.errors import ConfigurationError
from node.exporting import export_kind
from node.proving import prove_record
from node.quarantine.desk import QuarantineDesk
from node.quarantine.listing import export_rows, listed
from node.replaying import StoreIntake
from node.store import NodeStore, QuarantineFilter
from scoring_kernel import Catalog
from scoring_kernel.periods import Period
from security.progress import ProgressReporter

__all__ = ["READERS", "DeskJobs"]

Result = dict[str, Any]
READERS: Final = (
    *("quarantine", "quarantine_show", "quarantine_reveal", "quarantine_export"),
    *("codes", "export", "completeness", "proof"),
)
"""Jobs that change nothing but the log of operators, and do not wait for the writer."""
MAX_FIX_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskJobs:
    """The desk's jobs over one store."""

    catalog: Catalog
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "quarantine": self.listing,
            "quarantine_show": self.show,
            "quarantine_reveal": self.reveal,
            "quarantine_fix": self.fix,
            "quarantine_replay": self.replay,
            "quarantine_export": self.export_listing,
            "codes": self.codes,
            "codes_import": self.import_codes,
            "export": self.export,
            "completeness": self.completeness,
            "proof": self.proof,
        }

    def proof(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """What an inspector needs to find a record in the node's tree."""
        return prove_record(self.store, arguments["kind"], arguments["record"])

    def listing(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Refused messages and rows by file and line."""
        wanted = _wanted(arguments)
        rows = self.store.quarantine_rows(arguments["limit"], arguments.get("offset", 0), wanted)
        return {
            "rows": [listed(row) for row in rows],
            "total": self.store.quarantine_count(wanted),
        }

    def show(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """One refused line, masked."""
        picture = self._desk().show(arguments["id"])
        return listed(picture.row) | {
            "bytes": picture.body_bytes,
            "outline": [asdict(one) for one in picture.outline],
            "log": [asdict(one) for one in picture.log],
        }

    def reveal(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """One refused line as it came; noted."""
        body = self._desk().reveal(arguments["id"], arguments["operator"])
        return {"body": body.decode("utf-8", "backslashreplace")}

    def fix(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Correct one refused line and replay it."""
        mended = self._desk().fix(
            arguments["id"],
            arguments["operator"],
            changes=arguments.get("changes") or (),
            whole=_whole(arguments.get("file")),
        )
        return {
            "id": mended.id,
            "changes": [asdict(one) for one in mended.changes],
            **asdict(mended.outcome),
            "went_in": mended.outcome.went_in,
        }

    def replay(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Replay refused lines as they came."""
        wanted = _wanted(arguments) if arguments.get("any") else None
        periods = [Period.parse(name) for name in arguments.get("periods") or ()]
        months = frozenset(month for period in periods for month in period.months)
        report = self._desk(months or None).replay(arguments.get("ids") or (), wanted, progress)
        return {
            "replayed": report.replayed,
            "went_in": dict(sorted(report.standings.items())),
            "still_refused": dict(sorted(report.still.items())),
            "not_kept": report.not_kept,
            "first_refused": [
                {"id": listed(row)["id"], "rule": one.rule, "reason": one.reason, "mend": one.mend}
                for row, one in report.refused
            ],
        }

    def export_listing(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Write refused lines into a file, masked or revealed."""
        path = Path(arguments["file"])
        count = export_rows(
            self._desk(),
            self.store,
            path,
            _wanted(arguments),
            revealed_to=arguments["operator"] if arguments.get("reveal") else "",
            progress=progress,
        )
        return {"file": str(path), "rows": count, "revealed": bool(arguments.get("reveal"))}

    def codes(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """Codes beyond the national lists."""
        return {"codes": [asdict(one) for one in self.store.desk.codes()]}

    def import_codes(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Take codes of an answer of transaction 1901, or of a CSV."""
        return asdict(
            import_codes(
                self.store,
                self.catalog,
                Path(arguments["file"]),
                operator=arguments["operator"],
                now=self.now(),
            )
        )

    def export(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Write the records of a kind into a file."""
        exported = export_kind(
            self.store,
            self.catalog,
            arguments["kind"],
            Path(arguments["file"]),
            month=arguments.get("month"),
            personal_for=arguments["operator"] if arguments.get("personal") else "",
            now=self.now(),
            progress=progress,
        )
        return asdict(exported) | {"file": arguments["file"]}

    def completeness(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What every institution owes, the late ones first."""
        found = completeness(self.store, self.catalog, self.now())
        return {"institutions": [asdict(one) for one in found]}

    def _desk(self, expected_months: frozenset[int] | None = None) -> QuarantineDesk:
        now = self.now()
        catalog = extended(self.store, self.catalog)
        intake = StoreIntake(
            store=self.store, catalog=catalog, now=now, expected_months=expected_months
        )
        return QuarantineDesk(self.store, catalog, intake, now)


def _wanted(arguments: Result) -> QuarantineFilter:
    names = ("rule", "source", "infno")
    return QuarantineFilter(**{name: arguments.get(name) or "" for name in names})


def _whole(name: str | None) -> bytes | None:
    if name is None:
        return None
    try:
        with Path(name).open("rb") as file:
            body = file.read(MAX_FIX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read ({error.strerror}); check it") from error
    return body
