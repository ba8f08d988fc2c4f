"""3101 and 3102 with a hostile value in every place: answered, and nothing personal is logged."""

import copy
import logging
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest

from tests.support.live_checks import Checks, encounter, order, request
from tests.support.rule_facts import RuleFacts

PRIVATE: Final = "张三丰330302199001011234"
DEEP: Final[list[Any]] = [[[[[[[[]]]]]]]]
HOSTILE: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1, -1e10, 1e308, 1e11, -1e11, 2**63, 2**64 - 1, -(2**63), 0.1 + 0.2, 1e-320),
    *("", " ", "nan", "inf", "1e400", "1_000", "\x00", "a\x00b", "\uffff", "\U0001d4b3" * 300),
    *(PRIVATE, "9" * 5_000, [], {}, [[]], [{}], DEEP, [None] * 100, [PRIVATE] * 50),
    *({PRIVATE: PRIVATE}, "0001-01-01", "9999-12-31", "9999-12-31 23:59:59", "2026-02-30"),
    *("2026-03-20T09:00:00+00", "1900-01-01 00:00:00", "'; drop table fact; --"),
)
ECHOED: Final = {"patn_id", "mdtrt_id", "curr_mdtrt_id", "rx_id", "task_id", "hilist_name"}
"""What an answer names again: the caller's own ids and the name of the item."""
Place = tuple[str | int, ...]


def places(value: object, at: Place = ()) -> Iterator[Place]:
    """Every place of a document, of lists the first two."""
    yield at
    if isinstance(value, dict):
        for key, one in value.items():
            yield from places(one, (*at, key))
    elif isinstance(value, list):
        for number, one in enumerate(value[:2]):
            yield from places(one, (*at, number))


def changed(document: dict[str, Any], at: Place, value: object) -> dict[str, Any]:
    """The document with another value at a place."""
    whole = copy.deepcopy(document)
    inner: Any = whole
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return whole


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checks]:
    directory = tmp_path_factory.mktemp("live")
    facts = RuleFacts.of({"persons": {"P1": {"gender": "1"}}})
    with Checks(directory, facts) as opened:
        yield opened


@pytest.mark.parametrize("infno", ["3101", "3102"])
def test_a_hostile_value_anywhere_gets_an_answer(
    checks: Checks, infno: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    base = request(encounter(order(drug_trac_info=[{"drug_trac_codg": "8" * 20}])), infno=infno)
    checks.judging.take_counts()
    calls = 0
    for at in places(base["input"]):
        for value in HOSTILE if at else ():
            asked = base | {"input": changed(base["input"], at, value)}
            asked["msgid"] = f"{base['msgid'][:-4]}{calls % 10_000:04d}"
            try:
                body = orjson.dumps(asked)
            except TypeError:  # a number that JSON readers here do not know
                continue
            found = checks.checks.find_answer(orjson.loads(body), body)
            assert found is not None
            calls += 1
            if not ECHOED & {*at}:
                assert PRIVATE.encode() not in orjson.dumps([found.output, found.words]), at
    counts = checks.judging.take_counts()
    assert calls > 1_000
    assert counts.get("faults", 0) == 0
    assert PRIVATE not in caplog.text
    assert "330302199001011234" not in caplog.text
