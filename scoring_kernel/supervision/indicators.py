"""Base indicators (基础指标) and the ids of what is derived from them.

Rules:
- A base indicator has a formula over measures, a unit, the places it is shown with, and a
  window: its month, the six months that end with it, or the calendar year up to and with it.
- From every base come four indicators with ids in a row: the value (当期值), the change against
  the same window of the year before (同比), against the window before (环比), and the robust z
  among peers (同级同类稳健偏离). A base that says ``value_only`` has the first alone.
- Peers are: institutions of the same level and type by the register; or subjects whose code
  begins with the same letter; or all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scoring_kernel.supervision.formulas import (
    Deviation,
    Formula,
    Gate,
    GrowthShare,
    Nothing,
    Quantity,
    Regularity,
    Share,
    SquaredShares,
    Variation,
)
from scoring_kernel.supervision.outcomes import EMPTY, Reason
from scoring_kernel.supervision.row_formulas import Concentration, Most, MostKeys, RowCount
from scoring_kernel.supervision.sets import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from scoring_kernel.supervision.sets import SupervisionSet
    from scoring_kernel.yaml_section import Section

DERIVATIONS: Final = ("value", "yoy", "mom", "z")
"""What is derived of a base, in the order of the ids."""
WINDOWS: Final = ("month", "half", "year")
PEERS: Final = ("register", "letter", "all")
MAX_FACTOR: Final = 10**12

_ID: Final = r"I[0-9]{3}"
_COLUMN: Final = r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}"
_KINDS: Final = (
    *("quantity", "share", "rows", "concentration", "squared_shares", "variation"),
    *("likeness", "regularity", "growth_share", "deviation", "most", "most_keys"),
    "none",
)
_KEYS: Final = ("name_zh", "name_en", "unit", "places", "window", "value_only", "when", *_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseIndicator:
    """One base indicator."""

    id: str
    """Id of its value, for example ``I001``."""
    name_zh: str
    name_en: str
    unit: str
    """Unit of ``units.yaml``."""
    places: int
    """Decimal places its value is shown with."""
    window: str
    """One of ``WINDOWS``."""
    formula: Formula
    gate: Gate | None
    value_only: bool

    @property
    def ids(self) -> dict[str, str]:
        """Ids of what is derived, by derivation."""
        first = int(self.id[1:])
        names = DERIVATIONS[:1] if self.value_only else DERIVATIONS
        return {name: f"I{first + at:03d}" for at, name in enumerate(names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectIndicators:
    """One file of ``supervision/indicators/``: all base indicators of one kind of subject."""

    subject: str
    """For example ``institution`` or ``pharmacy``."""
    name_zh: str
    key: str
    """Key of the sets whose values are the subjects."""
    prefix: str
    """What the subjects' ids begin with."""
    peers: str
    """One of ``PEERS``."""
    subject_sets: tuple[str, ...]
    """Sets whose rows of a month say who is a subject then."""
    bases: tuple[BaseIndicator, ...] = field(repr=False)

    @property
    def sets(self) -> frozenset[str]:
        """Ids of every set that a formula or gate reads."""
        named = {column for base in self.bases for column in base.formula.columns}
        named |= {base.gate.column for base in self.bases if base.gate is not None}
        return frozenset(column.split(".")[0] for column in named).union(self.subject_sets)


def parse_indicators(
    document: Section, *, units: Collection[str], sets: Mapping[str, SupervisionSet]
) -> SubjectIndicators:
    """Read one file of ``supervision/indicators/``.

    Args:
        document: The file's top mapping.
        units: Known unit ids.
        sets: Known sets by id.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form; a formula names a measure
            that no set has, or a set without the subject's key.
    """
    document.refuse_unknown(
        ("subject", "name_zh", "key", "prefix", "peers", "subject_sets", "indicators")
    )
    key = document.text("key", pattern=r"[a-z]{1,20}")
    subject_sets = document.texts("subject_sets")
    for name in subject_sets:
        if name not in sets or key not in sets[name].keys:
            problem = f"subject_sets: found {name[:40]!r}, expected sets with the key {key}"
            raise document.error(problem, "subject_sets")
    listed = document.section("indicators")
    bases = []
    for name in listed.keys():  # noqa: SIM118 - a section is not a mapping
        listed.refuse_name_unless(name, _ID)
        bases.append(_parse_base(name, listed.section(name), key, units, sets))
    return SubjectIndicators(
        subject=document.text("subject", pattern=r"[a-z]{1,20}"),
        name_zh=document.text("name_zh", max_chars=20),
        key=key,
        prefix=document.find_text("prefix", pattern=r"[A-Z]{1,2}") or "",
        peers=document.choice("peers", PEERS),
        subject_sets=subject_sets,
        bases=tuple(bases),
    )


def _parse_base(
    name: str,
    section: Section,
    key: str,
    units: Collection[str],
    sets: Mapping[str, SupervisionSet],
) -> BaseIndicator:
    section.refuse_unknown(_KEYS)
    kinds = [kind for kind in _KINDS if kind in section.values]
    if len(kinds) != 1:
        problem = f"found the formulas {kinds}, expected one of {', '.join(_KINDS)}"
        raise section.error(f"{name}: {problem}")
    formula = _FORMULAS[kinds[0]](section.section(kinds[0]))
    gate = None
    if "when" in section.values:
        written = section.section("when")
        is_none = "none" in written.values
        held = "none" if is_none else "positive"
        written.refuse_unknown((held, "else"))
        gate = Gate(
            column=_column(written, held),
            is_none=is_none,
            reason=_reason(written.section("else")),
        )
    for column in (*formula.columns, *(() if gate is None else (gate.column,))):
        set_id, measure = column.split(".")
        known = sets.get(set_id)
        if known is None or measure not in known.merges or key not in known.keys:
            problem = f"{name}: found {column}, expected a measure of a set with the key {key}"
            raise section.error(problem)
        named = formula.keys if isinstance(formula, Most | MostKeys) else ()
        if not set(named) <= set(known.keys):
            raise section.error(f"{name}: found {list(named)}, expected keys of {set_id}")
    return BaseIndicator(
        id=name,
        name_zh=section.text("name_zh", max_chars=40),
        name_en=section.text("name_en", max_chars=80),
        unit=section.choice("unit", units),
        places=section.integer("places", least=0, most=6),
        window=section.choice("window", WINDOWS) if "window" in section.values else "month",
        formula=formula,
        gate=gate,
        value_only=section.flag("value_only", default=False),
    )


def _column(section: Section, key: str) -> str:
    return section.text(key, pattern=_COLUMN)


def _columns(section: Section, key: str) -> tuple[str, ...]:
    found = section.texts(key, pattern=_COLUMN)
    if not 1 <= len(found) <= 16 or len({*found}) < len(found):
        raise section.error(f"{key}: expected 1 to 16 measures, none twice", key)
    return found


def _reason(section: Section) -> Reason:
    section.refuse_unknown(("zh", "en"))
    return Reason(zh=section.text("zh", max_chars=120), en=section.text("en", max_chars=200))


def _factor(section: Section, key: str) -> int:
    return section.integer(key, least=1, most=MAX_FACTOR) if key in section.values else 1


def _share(section: Section) -> Share:
    section.refuse_unknown(("of", "per", "times", "divide", "empty"))
    return Share(
        of=_columns(section, "of"),
        per=_columns(section, "per"),
        times=_factor(section, "times"),
        divide=_factor(section, "divide"),
        empty=_reason(section.section("empty")) if "empty" in section.values else EMPTY,
    )


def _quantity(section: Section) -> Quantity:
    section.refuse_unknown(("of", "divide"))
    return Quantity(of=_columns(section, "of"), divide=_factor(section, "divide"))


def _one(section: Section) -> str:
    section.refuse_unknown(("of",))
    return _column(section, "of")


def _squared(section: Section) -> SquaredShares:
    section.refuse_unknown(("squares", "total"))
    return SquaredShares(squares=_column(section, "squares"), total=_column(section, "total"))


def _variation(section: Section, *, is_likeness: bool) -> Variation:
    section.refuse_unknown(("count", "total", "squares"))
    return Variation(
        count=_column(section, "count"),
        total=_column(section, "total"),
        squares=_column(section, "squares"),
        is_likeness=is_likeness,
    )


def _regularity(section: Section) -> Regularity:
    section.refuse_unknown(("bins",))
    bins = _columns(section, "bins")
    if len(bins) < 2:
        raise section.error("bins: expected two bins at least", "bins")
    return Regularity(bins=bins)


def _growth_share(section: Section) -> GrowthShare:
    section.refuse_unknown(("of",))
    return GrowthShare(of=_columns(section, "of"))


def _most(section: Section) -> Most:
    section.refuse_unknown(("of", "by", "divide"))
    return Most(
        of=_column(section, "of"),
        by=section.choice("by", KEYS),
        divide=_factor(section, "divide"),
    )


def _most_keys(section: Section) -> MostKeys:
    section.refuse_unknown(("of", "by", "count"))
    return MostKeys(
        of=_column(section, "of"),
        by=section.choice("by", KEYS),
        count=section.choice("count", KEYS),
    )


_FORMULAS: Final[Mapping[str, Callable[[Section], Formula]]] = {
    "quantity": _quantity,
    "share": _share,
    "rows": lambda section: RowCount(of=_one(section)),
    "concentration": lambda section: Concentration(of=_one(section)),
    "squared_shares": _squared,
    "variation": lambda section: _variation(section, is_likeness=False),
    "likeness": lambda section: _variation(section, is_likeness=True),
    "regularity": _regularity,
    "growth_share": _growth_share,
    "deviation": lambda section: Deviation(share=_share(section)),
    "most": _most,
    "most_keys": _most_keys,
    "none": lambda section: Nothing(reason=_reason(section)),
}
