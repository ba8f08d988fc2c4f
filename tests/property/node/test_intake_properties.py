"""Any bytes become a record or a quarantine row; money is conserved; nothing counts twice."""

import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook, moments, numbers, texts
from node.intake.field_rules import MAX_SCALED, FieldRule
from node.intake.messages import Envelope, Message, content_digest, decode
from scoring_kernel import load_catalog
from tests.support import node_messages as m

ENVELOPE = Envelope(
    transactions=frozenset(load_catalog().transactions),
    institutions=frozenset((m.HOSPITAL, m.PHARMACY)),
    latest=m.NOW.replace(tzinfo=None),
)
words = st.text(st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)
plain = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _rule(kind: str, *, scale: int = 2, signed: bool = True) -> FieldRule:
    return FieldRule(
        name="x",
        path="request.node.x",
        type=kind,
        needed=False,
        personal=False,
        signed=signed,
        max_length=20,
        scale=scale,
        max_scaled=MAX_SCALED,
        codes=None,
    )


@plain
@given(raw=st.binary(max_size=200))
@example(raw=b"")
@example(raw=b'{"request": {"input": {}}}')
def test_any_bytes_are_a_message_or_a_fault(raw: bytes) -> None:
    assert isinstance(decode(1, raw, ENVELOPE), Fault)


@plain
@given(key=st.sampled_from(sorted(m.fees(1)["request"])), value=json_values)
def test_any_value_in_the_head_is_a_message_or_a_fault(key: str, value: object) -> None:
    document = m.fees(1)
    document["request"][key] = value

    assert isinstance(decode(1, json.dumps(document).encode(), ENVELOPE), (Fault, Message))


@plain
@given(values=st.lists(json_values, max_size=6), scale=st.sampled_from([0, 2, 4, 6]))
def test_any_values_of_a_field_are_read_or_noted(values: list[Any], scale: int) -> None:
    owners = list(range(len(values)))
    for kind, check in (("string", texts), ("number", numbers), ("datetime", moments)):
        book = FaultBook()
        check(_rule(kind, scale=scale), values, owners, book)
        assert all(fault.reason for fault in book.faults.values())


@plain
@given(
    units=st.lists(st.integers(-MAX_SCALED, MAX_SCALED), min_size=1),
    scale=st.sampled_from([2, 4, 6]),
    as_text=st.booleans(),
)
def test_a_number_of_the_allowed_decimals_is_counted_exactly(
    units: list[int], scale: int, *, as_text: bool
) -> None:
    written = [str(Decimal(unit).scaleb(-scale)) for unit in units]
    written = [f"{Decimal(text):f}" for text in written]
    values: list[Any] = written if as_text else json.loads(f"[{','.join(written)}]")
    book = FaultBook()

    found, present = numbers(_rule("number", scale=scale), values, range(len(units)), book)

    assert book.faults == {}
    assert present.all()
    assert found.tolist() == units


@plain
@given(units=st.integers(-(10**13), 10**13), digit=st.integers(1, 9))
def test_one_decimal_too_many_is_refused(units: int, digit: int) -> None:
    value = json.loads(f"{units // 100}.{units % 100:02d}{digit}")
    book = FaultBook()

    numbers(_rule("number"), [value], [0], book)

    assert book.faults[0].rule is Rule.NUMBER_SCALE


@plain
@given(moment=st.datetimes())
def test_a_moment_is_read_as_it_was_written(moment: Any) -> None:  # noqa: ANN401 - hypothesis gives a datetime
    whole = moment.replace(microsecond=0)
    written = whole.isoformat(sep=" ")
    book = FaultBook()

    (found,) = moments(_rule("datetime"), [written], [0], book)

    assert book.faults == {}
    assert found == np.datetime64(whole, "s")


@plain
@given(document=st.dictionaries(words, json_values, max_size=5))
def test_the_digest_does_not_see_the_order_of_keys(document: dict[str, Any]) -> None:
    turned = dict(reversed(document.items()))

    assert content_digest(orjson.loads(json.dumps(document))) == content_digest(
        orjson.loads(json.dumps(turned))
    )


messages = st.lists(
    st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 9_999), st.sampled_from([0, -1])),
    min_size=1,
    max_size=12,
)


def _settlement(entry: tuple[int, bool, int, int]) -> m.Document:
    number, answered, fen, infcode = entry
    amount = fen / 100
    paid = {"fund_pay_sumamt": amount, "medfee_sumamt": amount, "psn_part_amt": 0, "acct_pay": 0}
    document = m.settlement(number, response=paid, infcode=infcode)
    if not answered:
        del document["response"]
    return document


@settings(deadline=None, max_examples=15)
@given(entries=messages)
def test_ingest_is_idempotent_and_conserves_every_fen(
    entries: list[tuple[int, bool, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        with m.open_store(Path(directory) / "node") as store:
            path = m.write_lines(
                Path(directory) / "a.jsonl", [_settlement(entry) for entry in entries]
            )
            m.ingest(store, path)
            rows = m.rows_of(store, "settlement")
            before = store.counts()
            m.ingest(store, path)
            assert store.counts() == before
            assert m.rows_of(store, "settlement") == rows
        # The oracle: of each msgid the first answer counts with which the platform accepted it.
        accepted: dict[int, int] = {}
        for number, answered, fen, infcode in entries:
            if answered and infcode == 0:
                accepted.setdefault(number, fen)
        assert sorted(row["fund_fen"] for row in rows) == sorted(accepted.values())
