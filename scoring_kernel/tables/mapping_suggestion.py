"""A proposed mapping (``--suggest-mapping``): YAML with a reason and a confidence per column.

Rules:
- A proposal is read by the same grammar as a written mapping; it is for a person to
  check, never used unseen.
- What is not sure stands as a comment. A target that lacks a required column is proposed
  only where no other is whole, and ``problem`` says why it cannot be used yet.
- A value is never invented: no amount, no institution, no code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import CatalogError
from scoring_kernel.tables.mapping_evidence import look_at
from scoring_kernel.tables.mapping_files import GIVEN, KEPT, parse_mapping
from scoring_kernel.tables.mapping_guesses import Guess, Target, guess_columns, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.information import InformationItem
    from scoring_kernel.record_kinds import RecordKind
    from scoring_kernel.tables.mapping import Layout
    from scoring_kernel.tables.mapping_evidence import Evidence

__all__ = ["Suggestion", "suggest_item_mapping", "suggest_record_mapping"]

_HEAD: Final = (
    "# Proposed from {file}. Check every line before use: the number says how sure it is,\n"
    "# and what is commented out was not sure enough.\n"
    "format: 1\n"
)
_CODE_LISTS: Final = {"discharge_way": "dscg_way"}
_MAX_FREE: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A proposed mapping."""

    text: str
    """The mapping file."""
    targets: tuple[str, ...]
    """Record kinds or the item that it maps to."""
    guesses: tuple[Guess, ...]
    problem: str
    """Why it cannot be used as it stands; empty where it can."""


def suggest_record_mapping(
    file: str, cells: Mapping[str, pa.Array], catalog: Catalog, layout: Layout
) -> Suggestion:
    """Propose a mapping of a table to records.

    Args:
        file: Name of the table's file.
        cells: A sample of the table: text by column.
        catalog: Record kinds, names and code lists.
        layout: How the table lies in its file.

    Returns:
        The proposal, for the kinds that are whole, else for the nearest one.
    """
    evidence = _evidence(cells, catalog)
    head = _record_head(file, catalog, layout, evidence)
    found = {
        kind.id: guess_columns(_record_targets(kind, catalog), evidence)
        for kind in catalog.records.values()
        if kind.stored == "segment" and kind.id not in KEPT
    }
    whole = [kind for kind, guesses in found.items() if _is_whole(guesses)]
    chosen = whole or [max(found, key=lambda kind: _nearness(found[kind]))]
    lines = [head, "records:\n"]
    for kind in chosen:
        lines += [f"  {kind}:\n", *_entries(found[kind], "    ")]
    guesses = tuple(guess for kind in chosen for guess in found[kind])
    return _suggestion("".join(lines), tuple(chosen), guesses, catalog)


def suggest_item_mapping(
    file: str,
    cells: Mapping[str, pa.Array],
    catalog: Catalog,
    layout: Layout,
    item: str | None = None,
) -> Suggestion:
    """Propose a mapping of a table to rows of an information item.

    Args:
        file: Name of the table's file.
        cells: A sample of the table: text by column.
        catalog: Information items.
        layout: How the table lies in its file.
        item: Number of the item; the nearest one when None.

    Raises:
        KeyError: There is no such item.
    """
    items = catalog.items.values() if item is None else (catalog.items[item],)
    evidence = _evidence(cells, catalog)
    found = {one.number: guess_columns(_item_targets(one, catalog), evidence) for one in items}
    chosen = max(found, key=lambda number: _nearness(found[number]))
    lines = [_HEAD.format(file=_comment(file)), f"item: {quoted(chosen)}\n", *_layout(layout)]
    lines += ["columns:\n", *_entries(found[chosen], "  ")]
    return _suggestion("".join(lines), (chosen,), found[chosen], catalog)


def _suggestion(
    text: str, targets: tuple[str, ...], guesses: tuple[Guess, ...], catalog: Catalog
) -> Suggestion:
    try:
        parse_mapping(text.encode(), "proposal", catalog)
    except CatalogError as error:
        problem = str(error)
    else:
        problem = ""
    return Suggestion(text=text, targets=targets, guesses=guesses, problem=problem)


def _evidence(cells: Mapping[str, pa.Array], catalog: Catalog) -> dict[str, Evidence]:
    lists: dict[str, Collection[str]] = {
        name: codes
        for name, codes in catalog.code_lists.items()
        if name in {*_CODE_LISTS.values(), "insutype", "med_type", "inv_chg_type"}
    }
    return {name: look_at(one, lists) for name, one in cells.items() if name}


def _record_targets(kind: RecordKind, catalog: Catalog) -> tuple[Target, ...]:
    return tuple(
        Target(
            name=name,
            type=word,
            required=name not in kind.nullable and name != "sign",
            names=(name, *catalog.mapping_names.get(name, ())),
            code_list=_closed_list(name, catalog) if word == "string" else "",
        )
        for name, word in kind.schema
        if name not in GIVEN
    )


def _closed_list(name: str, catalog: Catalog) -> str:
    found = _CODE_LISTS.get(name, name)
    return found if found in catalog.code_lists and found not in catalog.extensible_lists else ""


def _item_targets(item: InformationItem, catalog: Catalog) -> tuple[Target, ...]:
    return tuple(
        Target(
            name=one.name,
            type=one.type,
            required=one.required,
            names=(one.name, one.name_zh, *catalog.mapping_names.get(one.name, ())),
        )
        for one in item.fields
    )


def _record_head(
    file: str, catalog: Catalog, layout: Layout, evidence: Mapping[str, Evidence]
) -> str:
    names = catalog.mapping_names
    unique = {name: one for name, one in evidence.items() if one.is_unique and one.is_whole}
    wanted = [
        Target(name=name, type="string", required=True, names=(name, *names.get(name, ())))
        for name in ("record_id", "setl_id", "line", "mdtrt_id", "claim_id")
    ]
    ids = [guess for guess in guess_columns(wanted, unique) if guess.column]
    ids.sort(key=lambda guess: -guess.confidence)
    (place,) = guess_columns(
        [
            Target(
                name="institution",
                type="string",
                required=True,
                names=("institution", *names.get("institution", ())),
            )
        ],
        evidence,
    )
    lines = [_HEAD.format(file=_comment(file)), f"namespace: {quoted(_namespace(file))}\n"]
    if ids:
        lines.append(
            f"record_id: {quoted(ids[0].column)}  # {ids[0].confidence:.2f} no value twice\n"
        )
    else:
        lines.append("# record_id: [...]  # no column without repeats: name several\n")
    if place.column:
        own = "institution" in evidence[place.column].forms
        entry = f"column: {quoted(place.column)}{'' if own else ', foreign: true'}"
        why = "national codes" if own else "codes of another register"
        mark = "" if place.confidence > 0 else "# "
        lines.append(f"{mark}institution: {{{entry}}}  # {place.confidence:.2f} {why}\n")
    else:
        lines.append("# institution: {column: ...}  # no column fits: name it, or a constant\n")
    return "".join((*lines, *_layout(layout)))


def _layout(layout: Layout) -> list[str]:
    given = (
        ("table", layout.table),
        ("sheet", layout.sheet),
        ("delimiter", layout.delimiter),
        ("encoding", layout.encoding),
    )
    lines = [f"{key}: {quoted(value)}\n" for key, value in given if value]
    if layout.nulls:
        lines.append(f"nulls: [{', '.join(map(quoted, layout.nulls))}]\n")
    return lines


def _entries(guesses: Sequence[Guess], indent: str) -> list[str]:
    lines = []
    for guess in guesses:
        name = guess.target.name
        if guess.is_sure:
            lines.append(f"{indent}{name}: {guess.entry}  # {guess.confidence:.2f} {guess.note}\n")
        elif guess.column:
            note = f"{guess.confidence:.2f} {guess.note}"
            lines.append(f"{indent}# {name}: {guess.entry}  # {note}\n")
        elif guess.target.required:
            lines.append(f"{indent}# {name}: {{column: ...}}  # required: no column fits\n")
    return lines


def _is_whole(guesses: Sequence[Guess]) -> bool:
    return all(guess.is_sure for guess in guesses if guess.target.required)


def _nearness(guesses: Sequence[Guess]) -> float:
    """Share of the required columns that are sure; the more of the others the better."""
    required = [guess.is_sure for guess in guesses if guess.target.required]
    others = sum(guess.is_sure for guess in guesses if not guess.target.required)
    return sum(required) / max(len(required), 1) + others / 1_000


def _namespace(file: str) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", file.split(".", 1)[0].lower()).strip("-")
    return stem[:_MAX_FREE].strip("-") or "table"


def _comment(file: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in file)[:_MAX_FREE]
