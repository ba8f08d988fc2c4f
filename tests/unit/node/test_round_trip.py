"""What went in comes out: every value of an exported record stands in the file it came from.

Skipped where the shared folder is not beside the repository.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from node.exporting import FORMATS, export_kind
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from scoring_kernel.tables.builtin_mappings import find_builtin_mapping
from tests.support import node_messages as m
from tests.support.exported import by_id, read_back

SAMPLES = m.SHARED / "domain" / "samples"
FHIR = m.SHARED / "data" / "fhir"
SCALES: Final = {"_fen": 2, "_e4": 4, "_e6": 6}
OURS: Final = frozenset(("record_id", "institution", "month", "sign", "what", "source", "entry"))
"""Columns whose values are words of our own."""
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
CATALOG = load_catalog()
CHOSEN: Final = frozenset(
    spec.name
    for table in ("fhir_claim", "fhir_claim_line", "fhir_coverage", "fhir_eob", "fhir_eob_line")
    if (mapping := find_builtin_mapping(CATALOG, table)) is not None
    for kind in mapping.kinds
    for spec in kind.columns
    if spec.constant is not None or spec.codes
)
"""Columns for which the mapping of FHIR chooses the word."""

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no folder 'shared' here")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with m.open_store(tmp_path / "node") as opened:
        yield opened


def export_all(store: NodeStore, directory: Path, suffix: str) -> dict[str, list[dict[str, Any]]]:
    """Export every kind that has records, and read the files back."""
    found = {}
    for kind in store.counts().records:
        path = directory / f"{kind}{suffix}"
        export_kind(store, CATALOG, kind, path, personal_for="officer", now=m.NOW)
        found[kind] = read_back(path, store.schemas[kind])
    return found


def scalars(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for item in value.values():
            yield from scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from scalars(item)
    else:
        yield value


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What some files hold."""

    texts: str
    numbers: frozenset[Decimal]
    moments: frozenset[datetime]
    """Wall clock of Asia/Shanghai."""


def source_of(*paths: Path) -> Source:
    """Read all texts, numbers and moments of some files."""
    cent = Decimal("0.01")
    values = [
        value
        for path in paths
        for value in scalars(json.loads(path.read_bytes(), parse_float=Decimal, parse_int=Decimal))
    ]
    numbers = set(filter(None, map(number_of, values)))
    # Sums of another program's binary fractions are rounded to whole fen.
    numbers |= {one.quantize(cent, ROUND_HALF_UP) for one in numbers if one < 10**9}
    return Source(
        texts="\n".join(map(str, values)),
        numbers=frozenset(numbers),
        moments=frozenset(filter(None, map(moment_of, values))),
    )


def number_of(value: object) -> Decimal | None:
    if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
        return Decimal(value)
    return value if isinstance(value, Decimal) else None


def moment_of(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    local = moment.astimezone(SHANGHAI) if moment.tzinfo else moment
    return local.replace(tzinfo=None, microsecond=0)


def foreign_values(
    row: dict[str, Any], source: Source, ours: frozenset[str] = OURS
) -> dict[str, Any]:
    """Name the values of a record that its source does not hold."""
    found = {}
    for name, value in row.items():
        scale = next((digits for end, digits in SCALES.items() if name.endswith(end)), None)
        if name in ours or value is None or isinstance(value, bool):
            continue
        if scale is not None:
            good = value == 0 or abs(Decimal(value).scaleb(-scale)) in source.numbers
        elif isinstance(value, datetime):
            good = value in source.moments
        elif name == "line":  # of nested lines their numbers, joined
            good = all(part in source.texts for part in str(value).split("."))
        else:
            good = str(value) in source.texts
        if not good:
            found[name] = value
    return found


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_sample_messages_come_out_with_the_values_they_brought(
    store: NodeStore, tmp_path: Path, suffix: str
) -> None:
    m.ingest(store, SAMPLES)
    exported = export_all(store, tmp_path, suffix)
    source = source_of(*SAMPLES.glob("*_re??.json"), *SAMPLES.glob("*_req.json"))
    bodies = {path.name: json.loads(path.read_bytes()) for path in SAMPLES.glob("*_req.json")}
    assert set(exported) >= {"admission", "fee_detail", "raw", "settlement", "trace_code"}
    for kind, rows in exported.items():
        assert by_id(rows) == m.rows_of(store, kind)
        for row in rows:
            if kind == "raw":
                assert json.loads(row["body"])["request"] in bodies.values()
            else:
                assert foreign_values(row, source, OURS | CHOSEN) == {}


@pytest.mark.parametrize("suffix", FORMATS)
def test_fhir_resources_come_out_with_the_values_they_brought(
    store: NodeStore, tmp_path: Path, suffix: str
) -> None:
    files = sorted(FHIR.glob("**/*.json"))
    assert len(files) == 9
    for path in files:
        ingest_file(store, CATALOG, path, now=m.NOW)
    assert store.quarantine_count() == 0
    exported = export_all(store, tmp_path, suffix)
    source = source_of(*files)
    assert set(exported) >= {"claim", "claim_line", "coverage"}
    for kind, rows in exported.items():
        assert sorted(map(repr, by_id(rows))) == sorted(map(repr, m.rows_of(store, kind)))
        for row in rows:
            assert foreign_values(row, source, OURS | CHOSEN) == {}
