"""Credit records in bulk: fee details of many institutions and months, as one file.

Everything is a function of the row's number and the seed, so a file of any size streams and
its sums are known without reading it back. Rows come in the order of their months, as
departments hand them in. Nobody in it exists: person numbers are of an unassigned area.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from deploy.errors import SimulationError
from deploy.simulation.codes import institution_code

MAPPING: Final = """\
format: 1
namespace: credit-records
record_id: record
institution: {column: institution}
records:
  fee_detail:
    line: {column: line}
    mdtrt_id: {column: visit}
    person: {column: person}
    occurred_at: {column: day, format: "%Y-%m-%d"}
    item_code: {column: item}
    local_code: {column: item}
    amount_fen: {column: amount, unit: yuan}
    quantity_e4: {column: quantity}
    price_e6: {column: price}
"""
"""How a node reads the file."""

CHUNK_ROWS: Final = 250_000
LINES_PER_VISIT: Final = 8
_FIRST_MONTH: Final = np.datetime64("2024-01", "M")
_MAX_MONTHS: Final = 120
_MAX_INSTITUTIONS: Final = 99_999
_DIVISION: Final = "330302"
_UNASSIGNED_AREA: Final = "990000"
_PERSONS: Final = 2_000_000
_ITEMS: Final = 4_000
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_SUFFIXES: Final = (".parquet", ".csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditOrder:
    """What to write."""

    rows: int
    institutions: int = 1_000
    months: int = 24
    seed: int = 1

    def __post_init__(self) -> None:
        for name, most in (
            ("rows", 10**10),
            ("institutions", _MAX_INSTITUTIONS),
            ("months", _MAX_MONTHS),
        ):
            found = getattr(self, name)
            if not 1 <= found <= most:
                raise SimulationError(f"{name}: found {found}, expected 1 to {most}")

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the institutions."""
        return tuple(institution_code("H", _DIVISION, n + 1) for n in range(self.institutions))


@dataclass(slots=True, kw_only=True)
class CreditTotals:
    """What the rows add up to."""

    rows: int = 0
    amount_fen: int = 0
    rows_of_month: dict[int, int] = field(default_factory=dict)
    """Rows by month, yyyymm."""

    def add(self, months: npt.NDArray[np.int64], amounts: npt.NDArray[np.int64]) -> None:
        """Add a chunk."""
        self.rows += len(months)
        self.amount_fen += int(amounts.sum())
        for month, count in zip(*np.unique(months, return_counts=True), strict=True):
            key = int(month // 12 + 1970) * 100 + int(month % 12) + 1
            self.rows_of_month[key] = self.rows_of_month.get(key, 0) + int(count)


def write_credit_records(
    order: CreditOrder, path: Path, progress: Callable[[str, int, int], None]
) -> CreditTotals:
    """Write the records to one file, a chunk at a time.

    Args:
        order: What to write.
        path: A ``.parquet`` or ``.csv`` file, which must not be there.
        progress: Told the stage, the rows written and the rows in all.

    Returns:
        What the rows add up to.

    Raises:
        SimulationError: The file is there already, or its name has another ending.
    """
    if path.suffix not in _SUFFIXES:
        raise SimulationError(f"{path.name}: expected a name ending in {' or '.join(_SUFFIXES)}")
    if path.exists():
        raise SimulationError(f"{path} is there already: name a new file")
    totals = CreditTotals()
    chunks = credit_chunks(order, totals)
    first = next(chunks)
    if path.suffix == ".parquet":
        writer = pq.ParquetWriter(path, first.schema, compression="zstd")
    else:
        writer = pcsv.CSVWriter(
            path, first.schema, write_options=pcsv.WriteOptions(quoting_style="needed")
        )
    with writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(chunk)
            progress("credit records", totals.rows, order.rows)
    return totals


def credit_chunks(order: CreditOrder, totals: CreditTotals) -> Iterator[pa.Table]:
    """Make the records, a chunk at a time.

    Args:
        order: What to make.
        totals: Takes what each chunk adds up to.

    Yields:
        Tables of at most 250,000 rows.
    """
    codes = pa.array(order.codes)
    for start in range(0, order.rows, CHUNK_ROWS):
        yield _chunk(order, codes, np.arange(start, min(start + CHUNK_ROWS, order.rows)), totals)


def _chunk(
    order: CreditOrder, codes: pa.Array, rows: npt.NDArray[np.int64], totals: CreditTotals
) -> pa.Table:
    visits = rows // LINES_PER_VISIT
    per_visit, per_row = _mixed(visits, order.seed), _mixed(rows, order.seed + 1)
    first = int(_FIRST_MONTH.astype(np.int64))
    # All lines of a visit are of its first line's month and day.
    months = visits * LINES_PER_VISIT * order.months // order.rows + first
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (per_visit >> 16) % 28
    quantity = per_row % 5 + 1
    price = (per_row >> 8) % 20_000 + 50
    amounts = quantity * price
    totals.add(months, amounts)
    return pa.table(
        {
            "record": _numbered("R", rows, 10),
            "institution": codes.take(pa.array(per_visit % order.institutions)),
            "visit": _numbered("V", visits, 10),
            "line": pa.array(rows % LINES_PER_VISIT + 1).cast(pa.string()),
            "person": _numbered(_UNASSIGNED_AREA, (per_visit >> 24) % _PERSONS, 20),
            "day": pa.array(days).cast(pa.string()),
            "item": _numbered("T", (per_row >> 24) % _ITEMS, 9),
            "amount": _money(amounts),
            "quantity": pa.array(quantity).cast(pa.string()),
            "price": _money(price),
        }
    )


def _mixed(numbers: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Scramble numbers into 62 bits each.

    Source:
        SplitMix64 (Steele, Lea, Flood 2014), constants of Stafford's variant 13.
    """
    state = (numbers.astype(np.uint64) + np.uint64(seed)) * _GOLDEN
    for shift, factor in _MIX:
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


def _numbered(sign: str, numbers: npt.NDArray[np.int64], digits: int) -> pa.Array:
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(sign, padded, "")


def _money(fen: npt.NDArray[np.int64]) -> pa.Array:
    yuan, rest = np.divmod(fen, 100)
    padded = pc.utf8_lpad(pa.array(rest).cast(pa.string()), 2, "0")
    return pc.binary_join_element_wise(pa.array(yuan).cast(pa.string()), padded, ".")
