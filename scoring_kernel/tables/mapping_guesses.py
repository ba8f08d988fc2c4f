"""Guesses for the columns of a target: by the names of columns, and by what is in them.

Rules:
- A name counts three quarters, the cells one; cells that cannot be of the column's type
  rule a column of the table out, whatever its name.
- A guess is sure where it is well above the line and no other column of the table is
  nearly as good; only sure guesses stand in a proposed mapping.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scoring_kernel.tables.mapping_units import decimals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.tables.mapping_evidence import Evidence

__all__ = ["Guess", "Target", "guess_columns", "quoted"]

SURE: Final = 0.7
"""Confidence from which a guess is put into the mapping."""
MARGIN: Final = 0.05
"""Lead over the next column of the table that a sure guess needs."""
_PART: Final = 0.8
_ALIKE: Final = 0.78
_MAX_NAME: Final = 100
_CJK: Final = re.compile(r"[\u3400-\u9fff]")
_NUMBERS: Final = ("int8", "int32", "int64", "count", "yuan", "score", "ratio4")
_FORMS: Final = ("institution", "staff", "item_code", "period", "organisation")
"""Columns and types whose values have a form of their own."""
_MONEY_HINTS: Final = (
    (("亿元",), "hundred_million_yuan"),
    (("百万元",), "million_yuan"),
    (("万元",), "ten_thousand_yuan"),
    (("千元",), "thousand_yuan"),
    (("(分)", "（分）", "fen", "cent"), "fen"),
)
"""Signs in a name → unit of its amounts; yuan where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A column that a mapping has to fill."""

    name: str
    type: str
    """Type word of a record's column, or type of an item's field."""
    required: bool
    names: tuple[str, ...]
    """Names that it goes by."""
    code_list: str = ""
    """Closed list of its codes; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Which column of the table a target's column may come from."""

    target: Target
    column: str
    """Empty where no column of the table fits."""
    confidence: float
    """0 to 1."""
    is_sure: bool
    entry: str
    """What stands in the mapping, as YAML."""
    note: str
    """Why, and what to look at."""


def guess_columns(targets: Sequence[Target], evidence: Mapping[str, Evidence]) -> tuple[Guess, ...]:
    """Guess where each column of a target comes from.

    Args:
        targets: Columns to fill.
        evidence: What is in each column of the table, in its order.

    Returns:
        One guess per target, in their order.
    """
    return tuple(_guess(target, evidence) for target in targets)


def quoted(text: str) -> str:
    """Write a text as a quoted YAML scalar."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _guess(target: Target, evidence: Mapping[str, Evidence]) -> Guess:
    ranked = sorted(
        ((_confidence(target, name, one), name) for name, one in evidence.items()),
        key=lambda pair: -pair[0],
    )
    best, column = ranked[0] if ranked else (0.0, "")
    if best <= 0 or len(column) > _MAX_NAME:
        return Guess(
            target=target, column="", confidence=0, is_sure=False, entry="", note="no column fits"
        )
    rivals = [name for score, name in ranked[1:] if score > 0 and best - score < MARGIN]
    entry, doubt = _entry(target, column, evidence[column])
    notes = [f"name {'as known' if _alike(column, target.names) == 1 else 'alike'}"]
    notes += [doubt] if doubt else []
    notes += [f"or {', '.join(map(quoted, rivals[:3]))}?"] if rivals else []
    return Guess(
        target=target,
        column=column,
        confidence=round(best, 2),
        is_sure=best >= SURE and not rivals and not doubt,
        entry=entry,
        note="; ".join(notes),
    )


def _confidence(target: Target, name: str, evidence: Evidence) -> float:
    by_value = _value_score(target, evidence)
    if by_value is None:
        return 0.0
    by_name = _alike(name, target.names)
    if by_name:
        return 0.75 * by_name + 0.25 * by_value
    return 0.5 if by_value == 1 else 0.0


def _value_score(target: Target, evidence: Evidence) -> float | None:
    """Score what is in a column; None where it cannot be the target's."""
    if not evidence.filled:
        return None if target.required else 0.2
    score: float | None
    if target.type in ("timestamp[s]", "date"):
        score = 0.9 if evidence.formats else None
    elif target.type in _NUMBERS:
        most = decimals_of(target.name, target.type, 0)
        fits = evidence.is_number and evidence.decimals <= max(most, 0)
        score = 0.8 if fits else None
    elif target.type in ("bool", "flag"):
        score = 0.9 if evidence.truths else None
    else:
        score = _text_score(target, evidence)
    return score


def _text_score(target: Target, evidence: Evidence) -> float:
    if target.required and not evidence.is_whole:
        return 0.1
    for form in _FORMS:
        if form in (target.type, target.name):
            return 1.0 if form in evidence.forms else 0.3
    if target.code_list:
        return 0.95 if evidence.code_lists.get(target.code_list) else 0.2
    is_day = bool(evidence.formats) and not evidence.is_number
    return 0.1 if is_day or (evidence.is_number and evidence.decimals) else 0.5


def _entry(target: Target, column: str, evidence: Evidence) -> tuple[str, str]:
    """Write a column's entry, and what is doubtful about it."""
    parts, doubt = [f"column: {quoted(column)}"], ""
    word = target.type
    if word in ("timestamp[s]", "date"):
        listed = evidence.formats[:1]
        if {"%m/%d/%Y", "%d/%m/%Y"} <= set(evidence.formats):
            doubt = "day first or month first?"
        parts.append(f"format: {quoted(listed[0])}" if listed else "")
    elif target.name.endswith("_fen") or word == "yuan":
        lowered = unicodedata.normalize("NFKC", column).lower()
        hits = [unit for signs, unit in _MONEY_HINTS if any(sign in lowered for sign in signs)]
        parts.append(f"unit: {hits[0] if hits else 'yuan'}")
    elif word in ("bool", "flag") and evidence.truths:
        for key, words in (("truths", evidence.truths), ("falses", evidence.falses)):
            parts.append(f"{key}: [{', '.join(map(quoted, words))}]")
    elif target.code_list and not evidence.code_lists.get(target.code_list):
        doubt = f"its values are no codes of {target.code_list}: write a map"
    if target.required and not evidence.is_whole and not doubt:
        doubt = "some cells are empty: give a default, or such rows are refused"
    return "{" + ", ".join(part for part in parts if part) + "}", doubt


def _plain(text: str) -> str:
    lowered = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"\([^)]*\)|[^0-9a-z\u3400-\u9fff]+", "", lowered)


@lru_cache(maxsize=100_000)
def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    least = 2 if _CJK.search(other) else 4
    if len(other) >= least and other in one:
        return _PART
    if len(one) >= least and one in other:
        return _PART
    ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return 0.9 * ratio if ratio >= _ALIKE else 0.0


def _alike(column: str, names: Sequence[str]) -> float:
    plain = _plain(column)
    return max((_likeness(plain, _plain(name)) for name in names), default=0.0) if plain else 0.0
