"""Packing: the catalogue, its compiled models and golden vectors as one file.

Rules:
- The pack is made of the packaged catalogue, or of an edited copy of it, as a whole.
- Samples are made up by a hash of where they stand: the same catalogue gives the same bytes.
- What was written is opened again and its vectors are run before the file is there.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np

from deploy.model.targets import replacing
from scoring_kernel.catalog_loader import CHANGES, collect_files, parse_catalog, read_changes
from scoring_kernel.golden import (
    TinyRelation,
    graded_models,
    measure_vector,
    run_golden,
    score_vector,
)
from scoring_kernel.golden_engine import measure
from scoring_kernel.inputs import InputTable
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.packs import CARD, CATALOG, GOLDEN, MODELS, PackCard, open_pack, write_card
from security.errors import PackError
from security.packs.archive import read_archive, write_archive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scoring_kernel.measure_sets import MeasureSet
    from scoring_kernel.model import RatingModel
    from scoring_kernel.packs import Pack
    from scoring_kernel.record_kinds import RecordKind
    from security.progress import ProgressReporter

SUBJECTS: Final = 60
"""Subjects of a score vector: enough for peers in every group that counts."""
ROWS: Final = 40
"""Rows of a tiny relation."""
FEW_ROWS: Final = 4
"""Rows of one that takes others back: else nothing would be left."""

_LITERAL: Final = re.compile(r"'([^']{1,40})'")
_IDS: Final = 16


def make_pack(
    folder: Path | None, card: PackCard, out: Path, progress: ProgressReporter
) -> dict[str, object]:
    """Make a pack and write it.

    Args:
        folder: An edited copy of the catalogue; the packaged one when None.
        card: What the pack says of itself.
        out: Where it goes.
        progress: Told stage, units done, units in all and the unit.

    Returns:
        What the pack is.

    Raises:
        CatalogError: The catalogue is not sound.
        PackError: A golden vector does not come out the same twice.
    """
    content = build_pack(folder, card, progress)
    progress("check", 0, 1, "packs")
    told_of = check_pack(content)
    with replacing(out) as file:
        file.write(content)
    return told_of | {"out": str(out)}


def build_pack(folder: Path | None, card: PackCard, progress: ProgressReporter) -> bytes:
    """The file of a pack; nothing of it is run yet.

    Args:
        folder: An edited copy of the catalogue; the packaged one when None.
        card: What the pack says of itself.
        progress: Told stage, units done, units in all and the unit.

    Raises:
        CatalogError: The catalogue is not sound.
    """
    named = collect_files(files("scoring_kernel") / "catalog" if folder is None else folder)
    changes = read_changes() if folder is None else _changes_of(folder)
    contents = {f"{CATALOG}{name}": content for name, content in named.items()}
    contents[f"{CATALOG}{CHANGES}"] = changes.encode()
    catalog = parse_catalog(named)
    models = graded_models(catalog)
    steps = len(models) + len(catalog.measure_sets)
    for done, model in enumerate(models):
        progress("models", done, steps, "vectors")
        day = card.effective_from
        contents[f"{MODELS}{model.id}.onnx"] = compile_model(model, None, day)
        vector = score_vector(model, sample_inputs(model), day)
        contents[f"{GOLDEN}scores-{model.id}.json"] = vector
    for done, one in enumerate(catalog.measure_sets.values(), start=len(models)):
        progress("measures", done, steps, "vectors")
        relations = sample_relations(one, catalog.records)
        vector = measure_vector(one.id, one.sql, relations, measure)
        contents[f"{GOLDEN}measures-{one.id}.json"] = vector
    contents[CARD] = write_card(card, contents)
    return write_archive(contents)


def check_pack(content: bytes) -> dict[str, object]:
    """Open a pack's file and run its golden vectors.

    Raises:
        PackError: The file is no pack.
        KernelError: Its content is not sound.
        PackError: A vector comes out otherwise than the pack says.
    """
    pack = open_pack(read_archive(content))
    report = run_golden(pack, measure)
    if not report.passed:
        raise PackError(
            f"pack {pack.version}: {len(report.failures)} of {report.vectors} golden vectors came "
            f"out otherwise, the first is {report.failures[0]}: make the pack again with the "
            "yixin that its members run"
        )
    return told(pack, content) | {"vectors": report.vectors}


def told(pack: Pack, content: bytes) -> dict[str, object]:
    """What a pack is, for people and scripts."""
    return {
        "version": pack.version,
        "digest": hashlib.sha256(content).hexdigest(),
        "catalog": pack.catalog.digest.hex(),
        "feature_schema": pack.feature_schema.hex(),
        "effective_from": pack.effective_from.isoformat(),
        "effective_to": None if pack.effective_to is None else pack.effective_to.isoformat(),
        "grace_days": pack.grace_days,
        "models": len(pack.models),
        "bytes": len(content),
    }


def sample_inputs(model: RatingModel) -> InputTable:
    """Make up inputs of a model: every tenth is not known, the others lie anywhere."""
    subjects = [f"S{number:04}" for number in range(SUBJECTS)]
    levels = [model.levels[number % len(model.levels)] for number in range(SUBJECTS)]
    types = [model.types[number // 7 % len(model.types)] for number in range(SUBJECTS)]
    parts = {}
    for column in model.input_columns:
        scale = 10 ** (1 + _drawn(model.id, column) % 6)
        drawn = [_drawn(model.id, column, row) for row in range(SUBJECTS)]
        known = np.array([one % 10 > 0 for one in drawn], np.bool_)
        # Of three subjects one has nothing, one little and one anything: grades differ.
        most = (1, 3, scale)
        values = np.array([one // 10 % most[row % 3] for row, one in enumerate(drawn)], np.int64)
        parts[column] = (np.where(known, values, 0), known)
    return InputTable.assemble(model, subjects, levels, types, parts)


def sample_relations(one: MeasureSet, records: Mapping[str, RecordKind]) -> dict[str, TinyRelation]:
    """Make up rows for the relations of a measure set, of words that its SQL names and of few ids.

    Args:
        one: The measure set.
        records: Record kinds by id.
    """
    words = sorted(set(_LITERAL.findall(one.sql)))
    return {
        kind: TinyRelation(
            schema=records[kind].schema,
            rows=[
                [_cell(kind, column, word, row, words) for column, word in records[kind].schema]
                for row in range(FEW_ROWS if kind == "cancellation" else ROWS)
            ],
        )
        for kind in one.relations
    }


def _cell(kind: str, column: str, word: str, row: int, words: list[str]) -> str | int | bool:
    drawn = _drawn(kind, column, row)
    fixed: dict[str, str | int] = {
        "institution": f"H3303020000{1 + row % 2}",
        "record_id": f"H3303020000{1 + row % 2}2026030{1 + row % 9}080000{row:04}",
        "mdtrt_id": f"V{drawn % _IDS}",
        "doctor": f"D33030200000{1 + drawn % 3}",
        "month": 202603 + drawn % 2,
        "sign": 1 - 2 * (drawn % 7 == 0),
    }
    if column in fixed:
        return fixed[column]
    if word == "bool":
        return drawn % 3 > 0
    if word == "timestamp[s]":
        return f"2026-{3 + drawn % 2:02}-{1 + drawn // 7 % 28:02}T{drawn // 11 % 24:02}:00:00"
    if word == "date32":
        return f"2026-{3 + drawn % 2:02}-{1 + drawn // 7 % 28:02}"
    if word == "string":
        is_id = column.endswith(("id", "_no")) or not words or drawn % 3 == 0
        return f"x{drawn // 3 % _IDS}" if is_id else words[drawn // 3 % len(words)]
    return drawn % (100 if word == "int8" else 100_000)


def _drawn(*place: object) -> int:
    """A number that depends on the place alone."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, place)).encode()).digest()[:6])


def _changes_of(folder: Path) -> str:
    path = folder / CHANGES
    return path.read_text(encoding="utf-8") if path.is_file() else ""
