"""The jobs over model packs, each a JSON object in and a JSON object out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.parts import HubParts
from security.errors import HubUnreachableError
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
PACK_READERS: Final = frozenset({"packs-status"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "packs-fetch": self.fetch,
            "packs-groups": self.groups,
            "packs-order": self.order,
            "packs-status": self.status,
            "packs-use": self.use,
            "packs-withdraw": self.withdraw,
        }

    def fetch(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Bring the hub's copy of the repository up to date."""
        from hub.packs.serving import refresh_packs  # noqa: PLC0415 - a room of its own

        named = arguments.get("from")
        folder = Path(named) if named else None
        found = refresh_packs(self.parts, self.parts.now(), folder=folder)
        return {"repository": found}

    def groups(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Set groups and who is in them; without arguments, show them."""
        from hub.packs.rollout import assign  # noqa: PLC0415 - a room of its own

        assign(self.parts, arguments.get("order") or [], arguments.get("set") or {})
        return self.status(arguments, progress)

    def order(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Order a pack for a group; the copy of the repository is brought up to date before."""
        from hub.packs.rollout import order  # noqa: PLC0415 - a room of its own

        is_fresh = self._refreshed()
        day = date.fromisoformat(arguments["from_day"])
        given = order(self.parts, arguments["group"], day, arguments.get("version"))
        return given | {"is_fresh": is_fresh}

    def use(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Take a pack into use for grading; the copy is brought up to date before."""
        from hub.packs.using import use  # noqa: PLC0415 - a room of its own

        is_fresh = self._refreshed()
        progress("golden vectors", 0, 0, "")
        return use(self.parts, arguments.get("version")) | {"is_fresh": is_fresh}

    def withdraw(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Stop a pack's roll-out, and order who has it back to the one before."""
        from hub.packs.stopping import withdraw  # noqa: PLC0415 - a room of its own

        is_fresh = self._refreshed()
        given = withdraw(self.parts, arguments.get("version"), arguments["reason"])
        return given | {"is_fresh": is_fresh, "grading": self._grading()}

    def status(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """Groups, orders and reports; which pack grades, and who works with another."""
        from hub.packs.showing import rollout_status  # noqa: PLC0415 - a room of its own

        return rollout_status(self.parts)

    def _grading(self) -> Result:
        from hub.packs.using import grading_status  # noqa: PLC0415 - a room of its own

        return grading_status(self.parts)

    def _refreshed(self) -> bool:
        """Bring the copy up to date; whether that was possible.

        A parent that is down stops nobody from bringing members back: the copy was verified, and
        is used as long as its metadata holds.
        """
        from hub.packs.serving import refresh_packs  # noqa: PLC0415 - a room of its own

        try:
            refresh_packs(self.parts, self.parts.now())
        except HubUnreachableError:
            return False
        return True
