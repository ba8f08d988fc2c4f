"""A CSV, a mapping for it, and ways to take it in."""

from pathlib import Path

from node.intake import IngestReport, ingest_file
from node.intake.mapping import parse_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from scoring_kernel.tables.mapping import RecordMapping
from tests.support import node_messages as m

HEADER = "id,hospital,person,start,end,kind,fund,own\n"
MAPPING = """
format: 1
namespace: test-set
record_id: id
institution: {column: hospital, foreign: true}
nulls: ["NA"]
records:
  settlement:
    setl_id: {column: id}
    mdtrt_id: {column: id}
    person: {column: person}
    insutype: {constant: "390"}
    med_type: {column: kind, map: {"I": "21", "O": "11"}, default: "I"}
    inpatient: {column: kind, map: {"I": "true", "O": "false"}, default: "I"}
    settled_at: {column: end, format: "%Y-%m-%d"}
    medfee_fen: {sum: [fund, own], unit: dollar, default: "0"}
    inscp_fen: {sum: [fund, own], unit: dollar, default: "0"}
    fund_fen: {column: fund, unit: dollar}
    account_fen: {constant: 0}
    cash_fen: {column: own, unit: dollar, default: "0"}
  admission:
    mdtrt_id: {column: id}
    person: {column: person}
    admitted_at: {column: start, format: "%Y-%m-%d"}
    inpatient: {constant: true}
"""


def csv_mapping(**changes: str) -> RecordMapping:
    """Parse ``MAPPING`` with some of its text replaced."""
    text = MAPPING
    for find, put in changes.items():
        text = text.replace(find, put)
    return parse_mapping(text.encode(), "x.yaml", load_catalog())


def ingest_csv(store: NodeStore, path: Path, mapping: RecordMapping | None = None) -> IngestReport:
    """Ingest a CSV through a mapping, ``MAPPING`` if none is given."""
    return ingest_file(store, load_catalog(), path, mapping=mapping or csv_mapping(), now=m.NOW)


def write_csv(path: Path, *lines: str) -> Path:
    """Write a CSV with ``HEADER``."""
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return path
