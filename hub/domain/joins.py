"""What is found by joining the records of several nodes (跨节点关联); pure.

Rules:
- Only what no single node can see is found: every finding rests on records of at least two
  members and two institutions.
- The thresholds are those in force on the day of the finding's later record.
- A finding is the same one whenever it is found again: its id is made of the join and of its
  records, of the first one where it may grow, and of the code for trace codes; never of a token,
  because near a border the same records stand under the tokens of two periods.
- Where a finding is found under both tokens, that of its later record's own period is kept.
- The work for one mark is bounded: a mark with more than ``MAX_ROWS`` records is no person's.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Final

from hub.domain.clues import JoinRow, PlaceOf, day_of
from scoring_kernel.joining import Join, Joining, JoinKind
from scoring_kernel.periods import Period
from security.encoding import pae

MAX_ROWS: Final = 1_000
"""Most records of one mark that are joined."""
ID_BYTES: Final = 16
_EARTH_KM: Final = 6_371.0
_MINUTES_PER_HOUR: Final = 60
_MINUTES: Final = {"hours": _MINUTES_PER_HOUR, "minutes": 1}
_ID: Final = "yixin/hub-clue/v1"

KIND_OF: Final[Mapping[Join, JoinKind]] = {
    Join.OVERLAPPING_STAYS: JoinKind.STAY,
    Join.IMPOSSIBLE_TRAVEL: JoinKind.PRESENCE,
    Join.SHARED_TRACE_CODE: JoinKind.TRACE,
    Join.DOCTOR_SHOPPING: JoinKind.DISPENSE,
    Join.STAFF_IN_TWO_PLACES: JoinKind.SESSION,
}
"""Records that each join reads; what is not here is found among clues (``staff_joins``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRow:
    """A join record, and whose it is."""

    member: str
    """The node that stated it."""
    institution: str
    period: str
    """Period of its token; empty where the kind has none."""
    row: JoinRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a join found about one mark."""

    id: bytes
    """Stable id, 16 bytes."""
    join: Join
    mark: bytes = field(repr=False)
    sources: tuple[HeldRow, ...]
    """The records, in the order of their beginnings."""
    numbers: tuple[tuple[str, int], ...]
    """What was measured, by name."""

    @property
    def is_of_own_period(self) -> bool:
        """Whether its token is that of the period in which the later record begins."""
        later = self.sources[-1]
        day = day_of(later.row.begins)
        return later.period in {"", Period(year=day.year, half=1 if day.month <= 6 else 2).name}


def find_all(
    join: Join, rows: Sequence[HeldRow], joining: Joining, places: Mapping[str, PlaceOf]
) -> tuple[Finding, ...]:
    """Join the records of one mark.

    Args:
        join: What to look for.
        rows: Records of one mark, of the kind that the join reads.
        joining: Thresholds by day.
        places: Where institutions stand, as far as known.

    Raises:
        ValueError: More than ``MAX_ROWS`` records, or the join reads clues.
    """
    if len(rows) > MAX_ROWS:
        raise ValueError(f"{len(rows)} records of one mark, at most {MAX_ROWS} are joined")
    ordered = sorted(
        rows, key=lambda one: (one.row.begins, one.row.ends, one.institution, one.row.leaf)
    )
    rule = joining.joins[join]

    def numbers_on(row: HeldRow) -> Mapping[str, int] | None:
        return rule.on(day_of(row.row.begins))

    match join:
        case Join.OVERLAPPING_STAYS:
            return tuple(_overlapping(join, ordered, numbers_on, "hours"))
        case Join.IMPOSSIBLE_TRAVEL:
            return tuple(_travelling(ordered, numbers_on, places))
        case Join.SHARED_TRACE_CODE:
            return tuple(_shared(ordered, numbers_on))
        case Join.DOCTOR_SHOPPING:
            return tuple(_shopping(ordered, numbers_on))
        case Join.STAFF_IN_TWO_PLACES:
            return tuple(_overlapping(join, ordered, numbers_on, "minutes"))
        case Join.STAFF_AT_SEVERAL_NODES:
            raise ValueError(f"{join} is found among clues, not among records")


_NumbersOn = Callable[[HeldRow], Mapping[str, int] | None]


def _overlapping(
    join: Join, rows: Sequence[HeldRow], numbers_on: _NumbersOn, unit: str
) -> Iterator[Finding]:
    """Each stay or session with the first earlier one elsewhere that it overlaps for too long."""
    per_unit = _MINUTES[unit]
    for index, later in enumerate(rows):
        numbers = numbers_on(later)
        if numbers is None:
            continue
        least = numbers[f"min_overlap_{unit}"] * per_unit
        for early in rows[:index]:
            overlap = min(early.row.ends, later.row.ends) - later.row.begins
            if overlap > least and _are_apart(early, later):
                yield _finding(join, (early, later), {f"overlap_{unit}": overlap // per_unit})
                break


def _travelling(
    rows: Sequence[HeldRow], numbers_on: _NumbersOn, places: Mapping[str, PlaceOf]
) -> Iterator[Finding]:
    """Each presence with the one right before it, when both cannot be one person's."""
    for early, later in pairwise(rows):
        numbers = numbers_on(later)
        if numbers is None or not _are_apart(early, later):
            continue
        gap = later.row.begins - early.row.ends
        km = distance_km(places.get(early.institution), places.get(later.institution))
        too_far = km is not None and km * _MINUTES_PER_HOUR > numbers["speed_kmh"] * max(gap, 0)
        if gap < numbers["min_gap_minutes"] or too_far:
            measured = {"gap_minutes": gap} | ({} if km is None else {"distance_km": round(km)})
            yield _finding(Join.IMPOSSIBLE_TRAVEL, (early, later), measured)


def _shared(rows: Sequence[HeldRow], numbers_on: _NumbersOn) -> Iterator[Finding]:
    """One pack that was sold at several institutions; the first sale at each."""
    first: dict[str, HeldRow] = {}
    for row in rows:
        first.setdefault(row.institution, row)
    numbers = numbers_on(rows[-1]) if rows else None
    if numbers is None or len(first) < max(2, numbers["min_institutions"]):
        return
    sources = tuple(first.values())
    if len({row.member for row in sources}) > 1:
        measured = {"institutions": len(first)}
        yield _finding(Join.SHARED_TRACE_CODE, sources, measured, key=(rows[0].row.mark,))


def _shopping(rows: Sequence[HeldRow], numbers_on: _NumbersOn) -> Iterator[Finding]:
    """One class of drug from many institutions within a window; windows do not overlap."""
    classes = sorted({row.row.drug_class for row in rows})
    for drug_class in classes:
        of_class = [row for row in rows if row.row.drug_class == drug_class]
        start = 0
        while start < len(of_class):
            numbers = numbers_on(of_class[start])
            within = [] if numbers is None else _window(of_class[start:], numbers["window_days"])
            institutions = {row.institution for row in within}
            members = {row.member for row in within}
            if (
                numbers is None
                or len(members) < 2
                or (len(institutions) < max(2, numbers["min_institutions"]))
            ):
                start += 1
                continue
            key = (drug_class.encode(), _name(within[0]))
            measured = {"institutions": len(institutions)}
            yield _finding(Join.DOCTOR_SHOPPING, tuple(within), measured, key=key)
            start += len(within)


def _window(rows: Sequence[HeldRow], days: int) -> list[HeldRow]:
    last = day_of(rows[0].row.begins) + timedelta(days=days - 1)
    return [row for row in rows if day_of(row.row.begins) <= last]


def _are_apart(one: HeldRow, other: HeldRow) -> bool:
    return one.institution != other.institution and one.member != other.member


def _finding(
    join: Join,
    sources: tuple[HeldRow, ...],
    numbers: Mapping[str, int],
    *,
    key: tuple[bytes, ...] | None = None,
) -> Finding:
    mark = sources[0].row.mark
    if key is None:
        key = tuple(_name(one) for one in sources)
    digest = hashlib.sha256(pae(_ID, join.encode(), *key)).digest()
    return Finding(
        id=digest[:ID_BYTES],
        join=join,
        mark=mark,
        sources=sources,
        numbers=tuple(sorted(numbers.items())),
    )


def _name(one: HeldRow) -> bytes:
    """The record that a row stands for."""
    return pae(one.member, one.institution.encode(), str(one.row.leaf).encode())


def distance_km(one: PlaceOf | None, other: PlaceOf | None) -> float | None:
    """Distance over the earth's surface in kilometres; None where a place is not known.

    Source:
        The haversine formula on a sphere; its error, below 0.6 %, is far below any threshold.
    """
    if one is None or other is None:
        return None
    lat_1, lat_2 = (math.radians(place.latitude_e6 / 1e6) for place in (one, other))
    lat = math.sin((lat_2 - lat_1) / 2) ** 2
    lon = math.sin(math.radians((other.longitude_e6 - one.longitude_e6) / 1e6) / 2) ** 2
    whole = lat + math.cos(lat_1) * math.cos(lat_2) * lon
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, whole)))
