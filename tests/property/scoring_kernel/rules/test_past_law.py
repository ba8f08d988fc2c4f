"""Which lines of a visit stand: the live state's law says what the relations say.

Whatever order uploads, withdrawals, refunds, settlements and reversals come in.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.supervision.knowing import know
from scoring_kernel.rules.live.encounter import Encounter, moment_of
from tests.support.live_checks import book
from tests.support.live_rules import LiveCity
from tests.support.rule_engine import open_engine
from tests.support.rule_facts import RuleFacts, short_code

LINES = ("L1", "L2")
BATCHES = (None, "B1")
ROWS = "select line, item_code, occurred_at, amount_fen, inscp_fen, quantity_e4, refunded from line"
VISIT = (
    "select inpatient, admitted_at, discharged_at, discharge_way, main_icd, settled, inscp_fen,"
    " fund_fen, planned_readmission from visit"
)

amounts = st.integers(1, 500)
uploads = st.tuples(st.just("upload"), st.sampled_from(LINES), st.sampled_from(BATCHES), amounts)
withdrawals = st.tuples(
    st.just("withdraw"), st.sampled_from((None, *LINES)), st.sampled_from(BATCHES)
)
bills = st.tuples(
    st.sampled_from(("settle", "settle", "reverse")),
    st.sampled_from("ab"),
    st.sampled_from(BATCHES),
)
refunds = st.tuples(
    st.sampled_from(("refund", "unnamed")),
    st.sampled_from(LINES),
    st.sampled_from(BATCHES),
    amounts,
)
others = st.one_of(
    st.tuples(st.just("discharge"), st.sampled_from("12"), st.none()),
    st.tuples(st.just("undo"), st.none(), st.none()),
    st.tuples(st.just("diagnose"), st.sampled_from(("visit", "discharge", "list")), st.none()),
)
steps = st.one_of(uploads, uploads, withdrawals, bills, refunds, others)
last = st.sampled_from(
    (("settle", "c", None), ("settle", "c", None), ("settle", "c", "B1"), ("cancel", None, None))
)


class Told:
    """One visit with a history; every step is a message, sent after the one before."""

    def __init__(self, *, inpatient: bool) -> None:
        self.facts = RuleFacts()
        self.inpatient = inpatient
        self.facts.visit(
            "V1", person="P1", begins="2026-03-02 09:00", inpatient=inpatient, settled=False
        )
        self._common = {"visit": "V1", "institution": "H1", "mdtrt_id": "V1", "person": "P1"}
        self._lines: dict[str, dict[str, Any]] = {}
        self._settled: set[tuple[str, str]] = set()

    def take(self, at: str, what: str, name: str, batch: str | None, *rest: int) -> None:
        """Take the next message."""
        if what in ("upload", "refund", "unnamed"):
            self._upload(at, what, name, batch, rest[0])
        elif what in ("settle", "reverse"):
            self._settle(at, what, name, batch)
        elif what == "withdraw":
            self._cancel("fee_detail", at, line=name, batch=batch)
        elif what in ("undo", "cancel"):
            self._cancel("discharge" if what == "undo" else "admission", at)
        elif what == "discharge":
            self.facts.records.setdefault("discharge", []).clear()
            self.facts.record("discharge", **self._common, discharged_at=at, discharge_way=name)
        elif not any(row["what"] == name for row in self.facts.records.get("diagnosis", ())):
            code = f"I1{at[-1]}"
            self.facts.record("diagnosis", **self._common, what=name, code=code, main=True, at=at)

    def _upload(self, at: str, what: str, name: str, batch: str | None, amount: int) -> None:
        sign = 1 if what == "upload" else -1
        line = name if what == "upload" else f"{name}-{at[-2:]}"
        # A store holds one version of a line: the one sent last.
        if line in self._lines:
            self.facts.records["fee_detail"].remove(self._lines[line])
        self._lines[line] = self.facts.record(
            "fee_detail",
            **self._common,
            line=line,
            occurred_at=at,
            item_code=f"X{name}",
            local_code="",
            amount_fen=sign * amount,
            quantity_e4=sign * 10_000,
            price_e6=1,
            inscp_fen=None if amount % 3 else sign * amount // 2,
            batch=batch,
            refund_of=name if what == "refund" else None,
        )

    def _settle(self, at: str, what: str, name: str, batch: str | None) -> None:
        """Settle once, and reverse what was settled once."""
        if (what, name) in self._settled or (what == "reverse") > (
            ("settle", name) in self._settled
        ):
            return
        self._settled.add((what, name))
        sign = 1 if what == "settle" else -1
        self.facts.record(
            "settlement",
            **{**self._common, "setl_id": f"S{name}"},
            sign=sign,
            settled_at=at,
            insutype="310",
            med_type="21" if self.inpatient else "11",
            inpatient=self.inpatient,
            medfee_fen=sign * 300,
            inscp_fen=sign * 200,
            fund_fen=sign * 100,
            batch=batch,
        )

    def _cancel(self, what: str, at: str, **given: str | None) -> None:
        self.facts.record("cancellation", **self._common, what=what, cancelled_at=at, **given)


UP = ("upload", "L1", None, 100)
UP_B1 = ("upload", "L2", "B1", 60)
ALL = ("withdraw", None, None)
END = ("settle", "c", None)


@settings(max_examples=40)
@example(history=[UP, ("settle", "a", None), ALL], end=END, inpatient=False)
@example(history=[UP, ("settle", "a", None), ("reverse", "a", None), ALL], end=END, inpatient=False)
@example(history=[UP, ("settle", "a", "B1"), ALL], end=END, inpatient=False)
@example(
    history=[UP_B1, ("settle", "a", "B1"), ALL, ("reverse", "a", None)], end=END, inpatient=True
)
@example(history=[UP, UP_B1, ("withdraw", None, "B1")], end=END, inpatient=False)
@example(history=[UP, UP_B1, ("withdraw", "L1", None), UP], end=END, inpatient=False)
@example(history=[UP, ("refund", "L1", None, 40), ALL, UP], end=END, inpatient=False)
@example(
    history=[UP, ("refund", "L1", None, 40), ("refund", "L2", None, 9)], end=END, inpatient=True
)
@example(history=[UP, ("discharge", "1", None), ("undo", None, None)], end=END, inpatient=True)
@example(history=[UP, END], end=("cancel", None, None), inpatient=True)
@given(history=st.lists(steps, min_size=4, max_size=12), end=last, inpatient=st.booleans())
def test_lines_and_visits_stand_as_in_the_relations(
    history: list[tuple[Any, ...]], end: tuple[Any, ...], *, inpatient: bool
) -> None:
    telling = Told(inpatient=inpatient)
    for minute, step in enumerate((*history, end)):
        telling.take(f"2026-03-02 10:{minute:02d}", *step)
    facts = telling.facts
    rule = book().rules["M28"], book().rules["M01"]
    engine = open_engine(book(), rule, facts)
    try:
        rows, visits = engine.execute(ROWS).fetchall(), engine.execute(VISIT).fetchall()
    finally:
        engine.close()
    with TemporaryDirectory() as directory:
        city = LiveCity(Path(directory), facts)
        try:
            bare = Encounter(
                institution=short_code("H1"),
                mdtrt_id="?",
                person=short_code("P1"),
                now=0,
                inpatient=False,
            )
            found = know(city.reader, bare).visits
            word = city.reader.digests.word
        finally:
            city.close()
    assert len(found) == len(visits)
    for one, row in zip(found, visits, strict=True):
        moments = [None if at is None else moment_of(at) for at in row[1:3]]
        assert (one.inpatient, one.admitted_at, one.discharged_at) == (row[0], *moments)
        assert (one.discharge_way, one.main_icd, one.settled) == row[3:6]
        assert (one.inscp_fen, one.fund_fen, one.planned_readmission) == row[6:]
    lines = [
        (one.line, one.item_code, one.at, one.amount_fen, one.inscp_fen, one.quantity_e4)
        for visit in found
        for one in visit.lines
    ]
    assert sorted(lines) == sorted(
        (word(row[0]), row[1], moment_of(row[2]), *row[3:6]) for row in rows
    )
    refunded = {one.line: one.is_refunded for visit in found for one in visit.lines}
    assert refunded == {word(row[0]): row[6] for row in rows}
