"""How a node's command runs: in the daemon, or here under the writer lock; and what it says."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from node.config import CONTROL_SOCKET
from node.errors import ConfigurationError
from security.operator import CommandOutput, ErrorText, Result, run_command, speaking

__all__ = ["NodeOutput", "Result", "run_job", "start"]


class NodeOutput(CommandOutput):
    """Speaks of a node's results."""

    def ingested(self, result: Mapping[str, Any]) -> None:
        """Say what a run of `ingest` took in."""
        if self.as_json:
            self.done(result, "")
            return
        kinds = ", ".join(f"{kind} {count}" for kind, count in result["records_stored"].items())
        self.say(
            f"{result['messages_in']} messages or rows: stored {kinds or 'nothing'}; "
            f"{result['already_seen']} already seen, {result['pending']} pending, "
            f"{result['not_accepted']} not accepted by the platform, "
            f"{result['quarantined']} quarantined."
        )
        if result["quarantined"]:
            self.counts("Quarantined", "rule", result["by_rule"])
            self.say("See them with: yixin node quarantine list")

    def retained(self, result: Mapping[str, Any]) -> None:
        """Show what is kept beyond its time, or was deleted."""
        if self.as_json:
            self.done(result, "")
            return
        shown = [
            {
                "kind": one["kind"],
                "months": f"{one['months'][0]} to {one['months'][-1]}",
                "records": one["records"],
                "kept": f"{one['years']} years" if one["years"] else f"{one['days']} days",
                "basis": one["basis"],
            }
            for one in result["due"]
        ]
        if not shown:
            self.say("Nothing is kept beyond its time.")
            return
        self.rows("Kept beyond their time", shown)
        if result["deleted"]:
            self.say(f"Deleted: {sum(result['deleted'].values())} records. They are in old backups")
            self.say("until those are removed: yixin node backup --keep N")
        else:
            self.say("Nothing was deleted. To delete them for good: yixin node retain --apply")

    def prescored(self, result: Mapping[str, Any]) -> None:
        """Show pre-scores and the comparison."""
        if self.as_json:
            self.done(result, "")
            return
        columns = ("subject", "total", "grade", "coverage", "inputs")
        shown = [{name: one[name] for name in columns} for one in result["subjects"]]
        self.rows(f"Pre-scores {result['period']}", shown)
        for one in result["no_model"]:
            self.say(
                f"{one['code']} is not pre-scored: no model knows level {one['level']}, type "
                f"{one['type']}. Ask the hub to correct the custody register."
            )
        if result["subjects"] and all(float(one["coverage"]) == 0 for one in result["subjects"]):
            self.say(f"Nothing of {result['period']} has been taken in or received yet.")
        self.say(
            f"Basis of the model: {result['basis']}. Compared with the hub's final points: "
            f"{result['prescore_equal']} of {result['prescore_compared']} indicators and "
            f"{result['grades_equal']} of {result['grades_compared']} grades equal."
        )

    def explained(self, result: Mapping[str, Any]) -> None:
        """Show an explanation, the largest loss first."""
        if self.as_json:
            self.done(result, "")
            return
        for one in (*result["overrides"], *result["undetermined"]):
            self.say(f"{one['reason_zh']}\n{one['reason_en']} (basis: {', '.join(one['sources'])})")
        self.rows(
            f"{result['subject']} {result['period']}: {result['total']} points, {result['grade']} "
            f"(basis: {result['basis']})",
            [one for one in result["indicators"] if float(one["lost"])],
        )
        kept = [one["indicator"] for one in result["indicators"] if not float(one["lost"])]
        self.say(f"Without loss (未失分) {len(kept)}: {'、'.join(kept) or '—'}")
        self.advice(result["advice"])


def _describe(error: Exception) -> ErrorText:
    from node.api.errors import describe  # noqa: PLC0415  # keeps commands fast

    return describe(error)


def start(as_json: bool) -> AbstractContextManager[NodeOutput]:  # noqa: FBT001  # the flag `--json`
    """Run a command's body; errors become one message and their exit code."""
    return speaking(NodeOutput(as_json=as_json), _describe)


def existing(directory: Path) -> Path:
    """The directory, if it holds a node.

    Raises:
        ConfigurationError: It holds none.
    """
    if not (directory / "node.db").exists():
        raise ConfigurationError(
            f"{directory} holds no node; make one with: yixin node init --dir {directory}"
        )
    return directory


def run_job(
    directory: Path, command: str, arguments: Result, output: CommandOutput, *, writes: bool = True
) -> Result:
    """Run a job in the daemon, or here when none runs.

    Raises:
        ConfigurationError: The directory holds no node.
        LockHeldError: A job that writes found another writer and no daemon.
    """
    existing(directory)

    def here() -> Result:
        from node.app import run_here  # noqa: PLC0415  # keeps `--help` fast

        return run_here(directory, command, arguments, output.progress, writes=writes)

    with output.bar():
        return run_command(directory / CONTROL_SOCKET, command, arguments, output, here=here)
