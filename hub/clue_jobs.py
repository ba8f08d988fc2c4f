"""The jobs over a hub's clues, each a JSON object in and a JSON object out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from hub.parts import HubParts
from hub.store.engine import reading
from hub.supervision.joining import join_all
from hub.supervision.listing import Wanted, listed_clues, shown_clue
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
CLUE_READERS: Final = frozenset({"clues", "clue"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by name."""
        return {"clues": self.listing, "clue": self.show, "clues-join": self.join}

    def listing(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Clues, the highest score first."""
        wanted = Wanted(
            source=arguments.get("source"),
            institution=arguments.get("institution"),
            person=arguments.get("person"),
            staff=arguments.get("staff"),
            least_score=arguments.get("score", 0),
            gone=bool(arguments.get("gone")),
        )
        with reading(self.parts.engine) as connection:
            return listed_clues(connection, wanted, arguments["limit"])

    def show(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """One clue with all it rests on."""
        catalog = self.parts.catalog
        with reading(self.parts.engine) as connection:
            shown = shown_clue(connection, arguments["id"], catalog.joining)
        kinds = {one["kind"] for one in shown["detail"].get("evidence", ())}
        named = catalog.records
        return shown | {"kinds": {kind: named[kind].name_zh for kind in kinds if kind in named}}

    def join(self, _arguments: Result, progress: ProgressReporter) -> Result:
        """Join what all nodes stated."""
        parts = self.parts
        joining = parts.catalog.joining
        joins = {str(join): {"id": r.id, "name_zh": r.name_zh} for join, r in joining.joins.items()}
        return asdict(join_all(parts.engine, joining, parts.now(), progress)) | {"joins": joins}
