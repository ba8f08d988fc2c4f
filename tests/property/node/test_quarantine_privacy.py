"""No quarantine row shows a person, in whatever field the person was put."""

import copy
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from node.domain.faults import Fault, Rule
from node.domain.masking import show
from node.intake import ingest_file
from node.intake.mapping import parse_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from scoring_kernel.showing import may_be_shown
from tests.support import node_messages as m

SECRETS: Final = (
    m.CARD,
    "99000119580312101X",
    "990001580312101",
    m.PERSON,
    "99000000000000000000100001",
    "张三丰",
)
BUILDERS: Final[tuple[Callable[[int], m.Document], ...]] = (
    m.fees,
    m.settlement,
    m.settlement_list,
    m.discharge,
    m.admission,
)
HEADER: Final = "id,hospital,person,start,kind,fund\n"
MAPPING: Final = """
format: 1
namespace: test-set
record_id: id
institution: {column: hospital}
records:
  settlement:
    setl_id: {column: id}
    mdtrt_id: {column: id}
    person: {column: person}
    insutype: {constant: "390"}
    med_type: {column: kind, map: {"I": "21"}}
    inpatient: {constant: true}
    settled_at: {column: start, format: "%Y-%m-%d"}
    medfee_fen: {column: fund, unit: yuan}
    inscp_fen: {column: fund, unit: yuan}
    fund_fen: {column: fund, unit: yuan}
    account_fen: {constant: 0}
    cash_fen: {constant: 0}
"""


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document, objects and lists included."""
    if path:
        yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from _paths(inner, (*path, key))


def _put(document: Any, path: tuple[Any, ...], value: object) -> m.Document:  # noqa: ANN401 - walks decoded JSON
    changed: Any = copy.deepcopy(document)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed  # type: ignore[no-any-return]  # decoded JSON


def _forms(secret: str) -> list[object]:
    forms: list[object] = [secret, f"A {secret}", {"x": secret}, [secret], f"\x1b[2J{secret}\n"]
    if secret.isdigit():
        forms += [int(secret), float(secret), f"{secret[:6]} {secret[6:]}"]
        forms.append(f"{m.HOSPITAL}{secret[:18]:0<18}")
    return forms


def _check_rows(store: NodeStore) -> int:
    rows = store.quarantine_rows(limit=100_000)
    for row in rows:
        for name, shown in dataclasses.asdict(row).items():
            if isinstance(shown, str):
                assert shown.isprintable(), (name, shown)
                digits = "".join(sign for sign in shown if sign.isalnum())
                for secret in SECRETS:
                    assert secret not in shown, (name, shown)
                    assert secret not in digits, (name, shown)
    return len(rows)


def test_a_person_in_any_field_of_a_message_is_never_shown() -> None:
    documents: list[m.Document] = []
    for build in BUILDERS:
        for path in _paths(build(1)):
            for secret in SECRETS:
                for form in _forms(secret):
                    document = _put(build(len(documents) % 9000 + 1), path, form)
                    documents.append(document)
    with (
        tempfile.TemporaryDirectory() as directory,
        m.open_store(Path(directory) / "node") as store,
    ):
        m.ingest_documents(store, Path(directory) / "a.jsonl", documents)
        assert _check_rows(store) > 1000


plain = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_persons_in_several_fields_are_never_shown(data: st.DataObject) -> None:
    documents = []
    for number in range(1, 9):
        document = data.draw(st.sampled_from(BUILDERS))(number)
        for _ in range(data.draw(st.integers(1, 3))):
            path = data.draw(st.sampled_from(list(_paths(document))))
            secret = data.draw(st.sampled_from(SECRETS))
            document = _put(document, path, data.draw(st.sampled_from(_forms(secret))))
        documents.append(document)
    with (
        tempfile.TemporaryDirectory() as directory,
        m.open_store(Path(directory) / "node") as store,
    ):
        m.ingest_documents(store, Path(directory) / "a.jsonl", documents)
        _check_rows(store)


def test_a_person_in_any_cell_of_a_csv_is_never_shown() -> None:
    good = ["C1", m.HOSPITAL, "B1", "2026-01-30", "I", "100.50"]
    mapping = parse_mapping(MAPPING.encode(), "x.yaml", load_catalog())
    lines: list[str] = []
    for column in range(len(good)):
        for secret in SECRETS:
            for form in (secret, f"A {secret}", f"\x1b[2J{secret}", f"{secret},{secret}"):
                cells = [f"C{len(lines)}", *good[1:]]
                cells[column] = form
                # Each comes twice with another amount: then its id is in conflict.
                lines += [",".join(cells), ",".join(cells).replace("100.50", "7")]
    with (
        tempfile.TemporaryDirectory() as directory,
        m.open_store(Path(directory) / "node") as store,
    ):
        path = Path(directory) / "a.csv"
        path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
        ingest_file(store, load_catalog(), path, mapping=mapping, now=m.NOW)
        assert _check_rows(store) > 100


@plain
@given(before=st.text(max_size=8), secret=st.sampled_from(SECRETS), after=st.text(max_size=8))
@example(before="", secret=m.CARD, after="")
def test_a_value_with_a_person_in_it_is_never_shown(before: str, secret: str, after: str) -> None:
    fault = Fault.of(Rule.CODE_UNKNOWN, "request.x.y", before + secret + after, "a code")

    assert secret not in fault.value + fault.reason
    assert not may_be_shown(before + secret + after)


@plain
@given(value=st.text(max_size=100))
def test_what_is_shown_is_short_and_printable(value: str) -> None:
    shown = show(value)

    assert shown.isprintable()
    assert shown.isascii()
    assert len(shown) <= 90
