"""All cases of all rules, written into one period of a city, and their files.

Beside the messages: registers that departments hand in (``registers/<custodian>/<kind>.csv``),
knowledge points (``knowledge_points.csv``, the columns of the national releases; and
``knowledge/<table>.csv``), what nodes are asked (``requests/<custodian>.jsonl``, 3101 and 3102)
and the truth (``rule_truth.csv``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.errors import SimulationError
from deploy.simulation.city import City
from deploy.simulation.department_files import write_csv
from deploy.simulation.desk import Calendar, Desk
from deploy.simulation.injected.cases import CASES
from deploy.simulation.injected.goods import stock_up
from deploy.simulation.injected.scene import Scene
from deploy.simulation.injected.truth import TRUTH_COLUMNS
from deploy.simulation.price_list import DRUGS
from deploy.simulation.shelves import TRACED
from scoring_kernel import load_catalog
from scoring_kernel.periods import Period

__all__ = ["Injection", "inject"]

_ORDINAL: Final = 9
"""Ids of injected visits begin where no period's do."""
_MADE: Final = frozenset(("record_id", "month"))
"""Columns of a record that its intake makes."""
_HOSPITALS: Final = 9
_AFTER: Final = 5_000
"""Message numbers of the injected counters begin where no second's do."""
POINT_COLUMNS: Final = (
    *("batch", "object", "rule_type", "code", "name", "limit", "other_code", "other_name"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What was injected."""

    desks: Mapping[str, Desk]
    """Messages by institution code."""
    scene: Scene
    """Registers, knowledge and truth."""

    def write(self, out: Path, city: City) -> None:
        """Write everything but the messages.

        Args:
            out: Directory of the city.
            city: The city.
        """
        custodians = {item.code: item.custodian for item in city.institutions}
        kinds = load_catalog().records
        for kind, rows in sorted(self.scene.registers.items()):
            columns = [name for name, _ in kinds[kind].schema if name not in _MADE]
            parts: dict[str, list[dict[str, object]]] = {}
            for row in rows:
                parts.setdefault(custodians[str(row["institution"])], []).append(row)
            for custodian, part in parts.items():
                _write(out / "registers" / custodian / f"{kind}.csv", columns, part)
        write_csv(out / "knowledge_points.csv", POINT_COLUMNS, self.scene.points)
        for table, rows in sorted(self.scene.knowledge.items()):
            columns = list(dict.fromkeys(name for row in rows for name in row))
            _write(out / "knowledge" / f"{table}.csv", columns, rows)
        for custodian in {custodian for _, custodian, _ in self.scene.requests}:
            asked = [one for one in self.scene.requests if one[1] == custodian]
            asked.sort(key=lambda one: one[0])
            path = out / "requests" / f"{custodian}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(request + b"\n" for _, _, request in asked))
        truth = [one.row() for one in self.scene.truth]
        write_csv(out / "rule_truth.csv", TRUTH_COLUMNS, truth)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows; what a row does not say is empty."""
    write_csv(path, columns, [{name: row.get(name, "") for name in columns} for row in rows])


def inject(city: City, period: Period) -> Injection:
    """Write the cases of all rules.

    Args:
        city: The city; it needs two inpatient hospitals and two pharmacies at one node.
        period: The period they happen in.

    Raises:
        SimulationError: The city is too small for cases that need several institutions.
    """
    calendar = Calendar(period.first_day, period.last_day)
    desks = {
        item.code: Desk(item, calendar, ordinal=_ORDINAL, after=_AFTER)
        for item in city.institutions
    }
    scene = Scene(city=city, first_day=period.first_day, calendar=calendar, desks=desks)
    if len(scene.hospitals()) < _HOSPITALS or not scene.pharmacies():
        raise SimulationError(
            f"found {len(city.institutions)} institutions; cases need {_HOSPITALS} hospitals with"
            " inpatients at the county's node, and a pharmacy: simulate 20 institutions or more"
        )
    for drug in DRUGS:
        if drug not in TRACED:
            scene.know("k_no_trace_code", code=drug.national_code)
    for write in CASES:
        write(scene)
    stock_up(scene)
    return Injection(desks=desks, scene=scene)
