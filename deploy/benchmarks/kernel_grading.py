"""P9K: the kernel's part of a province's final grading, against a scan of the statements.

Ours, from the winning rows in memory to grades: fold a year of monthly statements into windows,
put them together with the departments' columns, build the peer reference, score, for 4,200
hospitals, 37,000 pharmacies and 1,000,000 physicians, the staff class with the most indicators.
The reference: DuckDB reads every column of the same statements from Parquet. One core each. Cost
grows linearly with rows of statements and with subjects, and with the logarithm of a peer group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from deploy.benchmarks.kernel_world import DAY, SEED, Column, draw_parts
from deploy.benchmarks.measuring import Bound, Row, alternate, stopwatch
from deploy.errors import BenchmarkError
from scoring_kernel import load_catalog
from scoring_kernel.inputs import InputTable
from scoring_kernel.measure_sets import MeasureSet
from scoring_kernel.measures import MonthlyMeasures
from scoring_kernel.model import RatingModel
from scoring_kernel.periods import Period
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from scoring_kernel.windows import window_inputs

TARGET: Final = 4.0
GROWTH: Final = "linear in rows of statements and in subjects"
PERIOD: Final = Period.parse("2026H1")
HOSPITALS: Final = 4_200
PHARMACIES: Final = 37_000
STAFF: Final = 1_000_000

_LARGEST: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """Subjects of one model and what is known about them.

    Attributes:
        model: The model.
        subjects: Subject ids.
        levels: Level of each.
        types: Type of each.
        items: Columns of departments.
        statements: Measure sets the model reads, with the winning rows of a year.
    """

    model: RatingModel
    subjects: Sequence[str]
    levels: Sequence[str]
    types: Sequence[str]
    items: Mapping[str, Column]
    statements: Sequence[tuple[MeasureSet, MonthlyMeasures]]


def measure_grading(work: Path, *, scale: float, repeats: int) -> Row:
    """Measure the kernel's part of a final grading.

    Args:
        work: Empty directory for the statements as Parquet.
        scale: 1 for a province.
        repeats: Runs of each side.

    Returns:
        Seconds of one core.

    Raises:
        BenchmarkError: A subject got no grade, or DuckDB read other rows.
    """
    rng = np.random.default_rng(SEED)
    classes = [
        _draw("designated_medical_institution", "H{:011d}", round(HOSPITALS * scale), rng),
        _draw("designated_retail_pharmacy", "P{:011d}", round(PHARMACIES * scale), rng),
        _draw("physician", "D{:012d}", round(STAFF * scale), rng),
    ]
    files = [
        (_write(work / f"{at}-{measure_set.id}.parquet", monthly), len(monthly.subjects))
        for at, one in enumerate(classes)
        for measure_set, monthly in one.statements
    ]

    def by_kernel(_run: int) -> float:
        with stopwatch() as watch:
            graded = sum(_grade(one) for one in classes)
        expected = sum(len(one.subjects) for one in classes)
        if graded != expected:
            raise BenchmarkError(f"graded {graded} of {expected} subjects; expected all")
        return watch.core_s

    def by_duckdb(_run: int) -> float:
        with duckdb.connect() as connection, stopwatch() as watch:
            connection.execute("SET threads = 1")
            read = [_scan(connection, path) for path, _ in files]
        if read != [rows for _, rows in files]:
            raise BenchmarkError(f"DuckDB read {read} rows; expected {files}")
        return watch.core_s

    ours, reference = alternate(by_kernel, by_duckdb, repeats=repeats)
    rows, subjects = sum(rows for _, rows in files), sum(len(one.subjects) for one in classes)
    return Row(
        name=f"P9K grade {subjects:,} subjects vs DuckDB scan of their {rows:,} rows",
        unit="s",
        ours=ours,
        reference=reference,
        ratio=ours / reference,
        bound=Bound.AT_MOST,
        target=TARGET,
        growth=GROWTH,
    )


def _grade(one: _Class) -> int:
    """Fold, put together, refer, score; returns the number of grades."""
    parts = dict(one.items)
    for measure_set, monthly in one.statements:
        parts |= window_inputs(measure_set, monthly, one.subjects, PERIOD)
    inputs = InputTable.assemble(one.model, one.subjects, one.levels, one.types, parts)
    reference = build_reference(one.model, inputs, DAY)
    return len(score(one.model, inputs, reference, DAY).grades)


def _draw(name: str, form: str, count: int, rng: np.random.Generator) -> _Class:
    catalog = load_catalog()
    model = catalog.models[name]
    subjects = [form.format(number) for number in range(count)]
    items = {
        column: part
        for column, part in draw_parts(model, count, rng).items()
        if column.startswith("item.")
    }
    sets = {column.split(".")[0] for column in model.input_columns} & catalog.measure_sets.keys()
    return _Class(
        model=model,
        subjects=subjects,
        levels=rng.choice(model.levels, count).tolist(),
        types=rng.choice(model.types, count).tolist(),
        items=items,
        statements=[
            (catalog.measure_sets[key], _statements(catalog.measure_sets[key], subjects, rng))
            for key in sorted(sets)
        ],
    )


def _statements(
    measure_set: MeasureSet, subjects: Sequence[str], rng: np.random.Generator
) -> MonthlyMeasures:
    """Rows of a year: the period's months and those of its base, month by month."""
    months = np.array((*PERIOD.base().months, *PERIOD.months), np.int32)
    rows = len(months) * len(subjects)
    return MonthlyMeasures(
        measure_set=measure_set.id,
        subjects=np.tile(np.array(subjects), len(months)),
        months=np.repeat(months, len(subjects)),
        columns={one.id: rng.integers(0, _LARGEST, rows) for one in measure_set.measures},
    )


def _write(path: Path, monthly: MonthlyMeasures) -> Path:
    """Write statements the way a hub's segments are, but unencrypted."""
    columns: dict[str, npt.NDArray[np.generic]] = {
        "subject": monthly.subjects,
        "month": monthly.months,
        **monthly.columns,
    }
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path


def _scan(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Read every column, in a way that no statistics of the file can answer."""
    names = [name for name in pq.read_schema(path).names if name != "subject"]
    sums = ", ".join(f"sum({name})" for name in names)
    found = connection.execute(
        f"SELECT count(*), sum(length(subject)), {sums} FROM '{path}'"  # noqa: S608  # Ours.
    ).fetchone()
    return 0 if found is None else int(found[0])
