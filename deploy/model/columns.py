"""What a model wants to know: its input columns with unit and meaning, levels, types and grades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.model.input_files import KEYS
from deploy.model.targets import replacing
from scoring_kernel.amounts import points_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.model.choosing import Choice
    from scoring_kernel.catalog_object import Catalog

WINDOWS: Final = {
    "current": ("本期", "this period"),
    "base": ("上年同期", "the same period a year before"),
    "prior": ("上一期", "the period before"),
    "year": ("本自然年内截至期末", "this calendar year up to the period's end"),
    "age1": ("本期前一年内", "the year before the period"),
    "age2": ("本期前第二年", "the second year before the period"),
    "age3": ("本期前第三年", "the third year before the period"),
}
"""Meaning of the windows, Chinese and English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumn:
    """One input column.

    Attributes:
        column: Its name in files of inputs.
        unit: Id of its unit.
        unit_zh: The unit in Chinese.
        unit_en: The unit in English.
        meaning_zh: What it counts and when, Chinese.
        meaning_en: The same in English.
        source: Id of the measure set, or number of the information item, that states it.
    """

    column: str
    unit: str
    unit_zh: str
    unit_en: str
    meaning_zh: str
    meaning_en: str
    source: str


def input_columns(choice: Choice) -> tuple[InputColumn, ...]:
    """Describe every input column of a model, in the order of their names."""
    names = _names(choice.catalog)
    found: list[InputColumn] = []
    for column in choice.model.input_columns:
        measure, _, window = column.partition("@")
        source, unit, zh, en = names[measure]
        window_zh, window_en = WINDOWS[window]
        found.append(
            InputColumn(
                column=column,
                unit=unit,
                unit_zh=choice.catalog.units[unit].name_zh,
                unit_en=choice.catalog.units[unit].name_en,
                meaning_zh=f"{zh}（{window_zh}）",
                meaning_en=f"{en}, {window_en}",
                source=source,
            )
        )
    return tuple(found)


def _names(catalog: Catalog) -> dict[str, tuple[str, str, str, str]]:
    """Source, unit and names of every measure, by its column without the window."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for one in catalog.measure_sets.values():
        for measure in one.measures:
            found[f"{one.id}.{measure.id}"] = (
                one.id,
                measure.unit,
                measure.name_zh,
                measure.name_en,
            )
    for item in catalog.items.values():
        for stated in item.measures:
            found[f"item.{item.number}.{stated.id}"] = (
                item.number,
                stated.unit,
                f"{item.name_zh}：{stated.name_zh}",
                f"{item.name_en}: {stated.id.replace('_', ' ')}",
            )
    return found


def described(choice: Choice) -> dict[str, object]:
    """A model's wants as one JSON object."""
    model = choice.model
    return {
        "model": model.id,
        "alias": model.alias,
        "name_zh": model.name_zh,
        "name_en": model.name_en,
        "status": str(model.status),
        "since": model.since.isoformat(),
        "until": None if model.until is None else model.until.isoformat(),
        "digest": model.digest.hex(),
        "levels": list(model.levels),
        "types": list(model.types),
        "grades": [
            {
                "id": band.id,
                "name_zh": band.name_zh,
                "name_en": band.name_en,
                "at_least_centi": band.at_least_centi,
            }
            for band in model.bands
        ],
        "keys": list(KEYS),
        "inputs": [
            {
                "column": one.column,
                "unit": one.unit,
                "unit_zh": one.unit_zh,
                "unit_en": one.unit_en,
                "meaning_zh": one.meaning_zh,
                "meaning_en": one.meaning_en,
                "source": one.source,
            }
            for one in input_columns(choice)
        ],
    }


def summary_lines(choice: Choice) -> tuple[str, ...]:
    """A model's labels and grades, one line each."""
    model = choice.model
    grades = ", ".join(
        f"{band.name_zh} {band.id} from {points_text(band.at_least_centi)}" for band in model.bands
    )
    return (
        f"{model.id} ({model.name_zh}), status {model.status}, digest {model.digest.hex()}",
        f"levels: {', '.join(model.levels)}",
        f"types: {', '.join(model.types)}",
        f"grades: {grades}",
        "Inputs: the columns subject, level and type, then any of these; whole numbers or empty:",
    )


def column_lines(choice: Choice) -> Iterator[str]:
    """A model's input columns with unit and meaning: a name stands whole on its line."""
    for one in input_columns(choice):
        unit = one.unit_zh if one.unit_zh == one.unit_en else f"{one.unit_zh}, {one.unit_en}"
        yield f"{one.column}  [{unit}]"
        yield f"    {one.meaning_zh}"
        yield f"    {one.meaning_en}"


def write_template(choice: Choice, path: Path) -> None:
    """Write the first line of a CSV file of inputs, to be filled in.

    Raises:
        OSError: It cannot be written.
    """
    with replacing(path) as file:
        # The mark lets a spreadsheet read names and labels as UTF-8.
        file.write(b"\xef\xbb\xbf")
        file.write((",".join((*KEYS, *choice.model.input_columns)) + "\n").encode())
