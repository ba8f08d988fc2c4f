"""The jobs of the nightly run: what the daemon keeps of it, while a process of its own does it.

Each is a JSON object in and a JSON object out, as those of ``jobs.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from node.clue_jobs import STATED
from node.domain.masking import printable
from node.domain.nights import Night, read_night, write_night
from node.store import NodeStore
from security.progress import ProgressReporter

__all__ = ["NightJobs", "last_night"]

NIGHT: Final = "night"
"""Setting: the last night."""
MAX_ERROR: Final = 500

Result = dict[str, Any]


def last_night(store: NodeStore) -> Night | None:
    """The last nightly run; None before the first."""
    return read_night(store.setting(NIGHT))


@dataclass(frozen=True, slots=True, kw_only=True)
class NightJobs:
    """The jobs over one store."""

    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the daemon and its child know them."""
        return {"night_begin": self.begin, "night_end": self.end}

    def begin(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Note that a night begins."""
        self._put(Night(begun_at=self._time(), attempts=arguments["attempt"]))
        return {}

    def end(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Note what came of the night that was begun last; clues are due then."""
        night = last_night(self.store) or Night(begun_at=self._time())
        self._put(
            replace(
                night,
                ended_at=self._time(),
                run=arguments.get("run"),
                hits=arguments.get("hits", 0),
                new=arguments.get("new", 0),
                gone=arguments.get("gone", 0),
                stopped=tuple(arguments.get("stopped", ())),
                counted=arguments.get("counted", 0),
                topics=arguments.get("topics", 0),
                error=printable(arguments.get("error", ""))[:MAX_ERROR],
            )
        )
        if arguments.get("run") is not None or arguments.get("topics"):
            self.store.set_setting(STATED, "")
        return {}

    def _put(self, night: Night) -> None:
        self.store.set_setting(NIGHT, write_night(night))

    def _time(self) -> str:
        return self.now().astimezone(UTC).isoformat(timespec="seconds")
