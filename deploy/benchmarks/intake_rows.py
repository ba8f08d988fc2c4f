"""P3: take claims in, from JSON of the national interface and from CSV.

Ours decodes, validates against catalogue and code lists, de-duplicates, encrypts and stores
durably. References do none of that: ``json.loads`` into Arrow, and DuckDB from CSV to Parquet.
Cost grows linearly with the lines.
"""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from deploy.benchmarks.measuring import Bound, Row, alternate, stopwatch
from deploy.errors import BenchmarkError
from deploy.simulation.codes import institution_code
from deploy.simulation.simulate import Order, simulate
from node.domain.institutions import Institution
from node.intake import ingest_file, load_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault

GROWTH: Final = "linear in lines"
_NOW: Final = datetime(2026, 7, 1, tzinfo=UTC)
_INSTITUTIONS: Final = 12
_LINES_PER_CLAIM: Final = 7
_SETTLED: Final = frozenset({"2207", "2304", "2102"})
_MAPPING: Final = """\
format: 1
namespace: benchmark
record_id: claim
institution: {column: institution}
records:
  settlement:
    setl_id: {column: claim}
    mdtrt_id: {column: claim}
    person: {column: person}
    insutype: {constant: "310"}
    med_type: {constant: "11"}
    inpatient: {constant: false}
    settled_at: {column: day, format: "%Y-%m-%d"}
    medfee_fen: {column: total, unit: yuan}
    inscp_fen: {column: total, unit: yuan}
    fund_fen: {column: fund, unit: yuan}
    account_fen: {constant: 0}
    cash_fen: {column: cash, unit: yuan}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """Files to take in, and what must come of them."""

    files: tuple[Path, ...]
    institutions: tuple[str, ...]
    mapping: Path | None
    lines: int
    """Settlements and detail lines in the files."""


def measure_json(work: Path, *, lines: int, repeats: int) -> Row:
    """Measure the intake of national-interface JSON.

    Args:
        work: Empty directory for data and stores.
        lines: Detail lines, roughly.
        repeats: Runs of each side.

    Returns:
        Lines (settlements and details) per second of one core, ours and the reference's.

    Raises:
        BenchmarkError: A run did not take everything in.
    """
    order = Order(
        institutions=_INSTITUTIONS, claims=max(240, lines // _LINES_PER_CLAIM), periods=("2026H1",)
    )
    manifest = simulate(order, work / "city", _quiet)
    files = tuple(sorted((work / "city").glob("messages/*/*.jsonl")))
    with (work / "city" / "institutions.csv").open(encoding="utf-8", newline="") as file:
        codes = tuple(row["institution"] for row in csv.DictReader(file))
    found = sum(_read_json(path) for path in files)
    if found < int(str(manifest["detail_lines"])):
        raise BenchmarkError(f"the reference read {found} lines; the simulation wrote more")
    given = _Input(files=files, institutions=codes, mapping=None, lines=found)

    def reference(_run: int) -> float:
        with stopwatch() as watch:
            for path in files:
                _read_json(path)
        return found / watch.core_s

    ours, theirs = alternate(
        lambda run: found / _ingest(work / f"json-{run}", given), reference, repeats=repeats
    )
    return Row(
        name="P3 ingest JSON vs json.loads into Arrow",
        unit="lines/s of one core",
        ours=ours,
        reference=theirs,
        ratio=ours / theirs,
        bound=Bound.AT_LEAST,
        target=2.0,
        growth=GROWTH,
    )


def measure_csv(work: Path, *, rows: int, repeats: int) -> Row:
    """Measure the intake of CSV through a mapping.

    Args:
        work: Empty directory for data and stores.
        rows: Rows of the CSV.
        repeats: Runs of each side.

    Returns:
        Seconds, ours and the reference's.

    Raises:
        BenchmarkError: A run did not take everything in.
    """
    codes = tuple(institution_code("H", "330302", n + 1) for n in range(_INSTITUTIONS))
    path, mapping = work / "claims.csv", work / "benchmark.mapping.yaml"
    _write_csv(path, codes, rows)
    mapping.write_text(_MAPPING, encoding="utf-8")
    given = _Input(files=(path,), institutions=codes, mapping=mapping, lines=rows)

    def reference(run: int) -> float:
        out = work / f"reference-{run}.parquet"
        with duckdb.connect() as connection, stopwatch() as watch:
            connection.execute("SET threads = 1")
            connection.execute(
                f"COPY (SELECT * FROM read_csv('{path}')) TO '{out}'"  # noqa: S608  # Our paths.
                " (FORMAT parquet, COMPRESSION zstd)"
            )
        out.unlink()
        return watch.core_s

    ours, theirs = alternate(
        lambda run: _ingest(work / f"csv-{run}", given), reference, repeats=repeats
    )
    return Row(
        name="P3 ingest CSV vs DuckDB CSV to Parquet",
        unit="s",
        ours=ours,
        reference=theirs,
        ratio=ours / theirs,
        bound=Bound.AT_MOST,
        target=2.0,
        growth=GROWTH,
    )


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


def _ingest(directory: Path, given: _Input) -> float:
    """Take files into a fresh store; returns seconds of one core."""
    directory.mkdir()
    store = NodeStore(directory, Vault.create(directory / "node.key"))
    store.set_institutions([Institution(code=code, name=code) for code in given.institutions])
    catalog = load_catalog()
    mapping = None if given.mapping is None else load_mapping(given.mapping)
    stored = refused = 0
    with stopwatch() as watch:
        for path in given.files:
            report = ingest_file(store, catalog, path, mapping=mapping, now=_NOW)
            refused += report.quarantined
            stored += report.records_stored.get("fee_detail", 0)
            stored += report.records_stored.get("settlement", 0)
    store.close()
    shutil.rmtree(directory)
    # Reversals are settlements too, and the reference does not count them.
    if refused or stored < given.lines:
        raise BenchmarkError(
            f"took in {stored} of {given.lines} lines and refused {refused}; expected all"
        )
    return watch.core_s


def _read_json(path: Path) -> int:
    """Read settlements and detail lines the plain way into the same columns; returns the rows."""
    details: list[dict[str, Any]] = []
    settlements: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            exchange = json.loads(line)
            answer = exchange.get("response")
            if answer is None or answer["infcode"] != 0:
                continue
            request = exchange["request"]
            content = request["input"]
            lines = content.get("feedetail") or content.get("drugdetail") or ()
            answered = answer["output"].get("result") or [{}] * len(lines)
            if lines:
                details.extend(map(partial(_detail_row, request), lines, answered))
            if exchange["infno"] in _SETTLED:
                settlements.append(_settlement_row(request, answer["output"]["setlinfo"]))
    return sum(pa.Table.from_pylist(rows).num_rows for rows in (details, settlements))


def _detail_row(
    request: dict[str, Any], line: dict[str, Any], answered: dict[str, Any]
) -> dict[str, Any]:
    return {
        "record_id": request["msgid"],
        "institution": request["fixmedins_code"],
        "month": request["inf_time"][:7],
        "line": line["feedetl_sn"],
        "mdtrt_id": line.get("mdtrt_id"),
        "person": line.get("psn_no"),
        "occurred_at": line["fee_ocur_time"],
        "item_code": line["med_list_codg"],
        "local_code": line["medins_list_codg"],
        "doctor": line.get("bilg_dr_codg"),
        "department": line.get("bilg_dept_codg"),
        "amount": line["det_item_fee_sumamt"],
        "quantity": line["cnt"],
        "price": line["pric"],
        "inscp": answered.get("inscp_scp_amt"),
    }


def _settlement_row(request: dict[str, Any], paid: dict[str, Any]) -> dict[str, Any]:
    return {
        "record_id": request["msgid"],
        "institution": request["fixmedins_code"],
        "month": paid["setl_time"][:7],
        "setl_id": paid["setl_id"],
        "mdtrt_id": paid["mdtrt_id"],
        "person": paid["psn_no"],
        "insutype": paid["insutype"],
        "med_type": paid["med_type"],
        "settled_at": paid["setl_time"],
        "medfee": paid["medfee_sumamt"],
        "inscp": paid["inscp_scp_amt"],
        "fund": paid["fund_pay_sumamt"],
        "account": paid["acct_pay"],
        "cash": paid["psn_cash_pay"],
    }


def _write_csv(path: Path, codes: Sequence[str], rows: int) -> None:
    """Write settlements whose amounts agree, over half a year."""
    first = date(2026, 1, 1)
    days = [(first + timedelta(days=n)).isoformat() for n in range(181)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("claim", "institution", "person", "day", "total", "fund", "cash"))
        for n in range(rows):
            fund, cash = 1_000 + n * 37 % 90_000, 100 + n * 13 % 9_000
            amounts = (f"{fen // 100}.{fen % 100:02d}" for fen in (fund + cash, fund, cash))
            person = f"330300{n % 50_000:020d}"
            writer.writerow((f"C{n:09d}", codes[n % len(codes)], person, days[n % 181], *amounts))
