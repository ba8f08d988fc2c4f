"""The job that makes an inspector's spot file, a JSON object in and a JSON object out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.config import usable
from hub.exchange.spot_file import make_spot_file
from hub.parts import HubParts
from security.moments import to_ms
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
SPOT_READERS: Final = frozenset({"spot-file"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by name."""
        return {"spot-file": self.spot_file}

    def spot_file(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Write what a node committed to and stated, for an inspector."""
        parts = self.parts
        made = make_spot_file(
            parts.engine,
            parts.identity,
            parts.log,
            member=arguments["member"],
            month=int(arguments["month"]),
            now_ms=to_ms(parts.now()),
            quorum=parts.settings.log.quorum,
        )
        path = Path(arguments["out"])
        with usable(path), path.open("xb") as file:
            file.write(made.content)
        return {
            "file": str(path),
            "member": arguments["member"],
            "month": arguments["month"],
            "checkpoints": made.notes,
            "leaves": made.size,
            "last_day": made.day,
            "statements": made.slots,
        }
