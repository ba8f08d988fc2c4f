"""What became of each line, and the words that say so."""

import json
from collections.abc import Sequence

import pytest

from node.domain.fault_words import WORDS_ZH
from node.domain.faults import Fault, Rule
from node.domain.official_answers import FAILED, MAX_MESSAGE, RECEIVED
from node.intake.answers import fault_text, taken_text
from node.intake.batch import BatchIntake
from node.intake.field_rules import compile_intake
from node.intake.lines import Line
from node.intake.outcomes import Outcome, Taken
from node.intake.report import Tally
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m

RULES = compile_intake(load_catalog())


def take(store: NodeStore, documents: Sequence[object]) -> list[Taken]:
    intake = BatchIntake(store, RULES, now=m.NOW)
    lines = [
        Line(number=number, body=json.dumps(document).encode())
        for number, document in enumerate(documents, start=1)
    ]
    return intake.take("test", lines, Tally())


def test_every_line_has_its_outcome_in_the_order_of_the_lines(store: NodeStore) -> None:
    waiting = m.fees(3)
    del waiting["response"]
    documents: list[object] = [
        m.fees(1),
        "no message",
        m.fees(1),
        m.settlement(2, infcode=-1),
        waiting,
        m.answered(m.envelope("1304", 4, {"data": {}}), {}),
        m.fees(5, cnt=-1),
        waiting,
        m.settlement(9),
    ]

    taken = take(store, documents)

    assert [one.line for one in taken] == list(range(1, 10))
    assert [one.standing for one in taken] == [
        Outcome.STORED,
        Outcome.REFUSED,
        Outcome.SEEN,
        Outcome.NOT_ACCEPTED,
        Outcome.PENDING,
        Outcome.KEPT,
        Outcome.REFUSED,
        Outcome.SEEN,
        Outcome.STORED,
    ]
    assert [one.infno for one in taken[:4]] == ["2204", "", "2204", "2207"]
    assert taken[0].msgid == m.envelope("2204", 1, {})["msgid"]
    assert [one.accepted for one in taken[:4]] == [True, None, True, False]
    assert [one.fault.rule for one in taken if one.fault] == [
        Rule.MESSAGE_SHAPE,
        Rule.NUMBER_NEGATIVE,
    ]


def test_a_repeated_request_gets_the_answer_it_got_before(store: NodeStore) -> None:
    request = m.fees(1)["request"]

    first, second = take(store, [request]) + take(store, [request])

    assert (first.standing, second.standing) == (Outcome.PENDING, Outcome.SEEN)
    for elsewhere, code in ((True, RECEIVED), (False, FAILED)):
        told = taken_text(first, settles_elsewhere=elsewhere)
        assert told == taken_text(second, settles_elsewhere=elsewhere)
        assert told[0] == code
    assert "本节点不代替医保平台结算" in taken_text(first, settles_elsewhere=False)[1]


@pytest.mark.parametrize("rule", list(Rule))
def test_every_fault_is_told_in_chinese_within_the_limit(rule: Rule) -> None:
    fault = Fault.of(rule, "request." + "x" * 300, 12, "something else")

    wrong, mend = WORDS_ZH[rule]
    assert fault_text(fault).endswith(f"：{wrong}，{mend} [{rule}]")
    assert len(fault_text(fault)) == MAX_MESSAGE
    assert taken_text(
        Taken(line=1, standing=Outcome.REFUSED, fault=fault), settles_elsewhere=True
    ) == (FAILED, fault_text(fault))


def test_a_refusal_names_field_masked_value_and_mend(store: NodeStore) -> None:
    (taken,) = take(store, [m.settlement(1, request={"mdtrt_cert_no": "990001195803121017"})])

    _, text = taken_text(taken, settles_elsewhere=True)

    assert text == (
        "request.data.mdtrt_cert_no=99**************** (18 characters)："
        "校验位不对，请核对号码有无录入错误 [check_digit]"
    )
