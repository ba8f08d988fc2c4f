"""The last day is kept for the till whole; one settlement is spoilt, and only on its way."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.demo.till import SPOILT_PATH, Call, TillDay, cut_off, send_all, waiting
from deploy.errors import DemoError
from node.api.his import UNIFORM_PATH
from scoring_kernel import load_catalog
from tests.support.loopback import answering


def exchange(day: str, infno: str, number: int, *, code: int | None = 0) -> dict[str, Any]:
    request = {
        "infno": infno,
        "msgid": f"M{number}",
        "inf_time": f"{day} 09:00:0{number}",
        "input": {"data": {"psn_setlway": "01"}},
    }
    found: dict[str, Any] = {"infno": infno, "request": request}
    return found if code is None else {**found, "response": {"infcode": code, "output": {}}}


MESSAGES = [
    exchange("2026-06-28", "2207", 1),
    exchange("2026-06-29", "2201", 2),
    exchange("2026-06-29", "2207", 3, code=-1),
    exchange("2026-06-29", "2207", 4),
    exchange("2026-06-29", "2207", 5, code=None),
    exchange("2026-06-30", "3501", 6),
]


def cut(tmp_path: Path, messages: list[dict[str, Any]]) -> TillDay:
    path = tmp_path / "all.jsonl"
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in messages))
    return cut_off(path, before=tmp_path / "a/before.jsonl", till=tmp_path / "b/till.jsonl")


def held(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_the_last_day_with_a_settlement_and_what_follows_is_the_tills(tmp_path: Path) -> None:
    day = cut(tmp_path, MESSAGES)
    assert (day.day, day.right) == ("2026-06-29", "01")
    assert held(tmp_path / "a/before.jsonl") == [MESSAGES[0], MESSAGES[4]], "and what has no answer"
    assert held(tmp_path / "b/till.jsonl") == [*MESSAGES[1:4], MESSAGES[5]]
    assert [orjson.loads(call.answer) for call in day.calls] == [
        one["response"] for one in (*MESSAGES[1:4], MESSAGES[5])
    ]


def test_only_the_first_accepted_settlement_is_spoilt_with_a_code_of_no_list(
    tmp_path: Path,
) -> None:
    day = cut(tmp_path, MESSAGES)
    sent = [orjson.loads(call.request)["input"]["data"]["psn_setlway"] for call in day.calls]
    assert sent == ["01", "01", "1", "01"]
    name = SPOILT_PATH.rpartition(".")[2]
    codes = load_catalog().code_lists[name]
    assert day.right in codes
    assert "1" not in codes


def test_a_file_without_a_settlement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="holds no settlement"):
        cut(tmp_path, [MESSAGES[1], MESSAGES[2]])


async def test_answers_are_compared_to_the_byte() -> None:
    calls = tuple(Call(request=b"%d" % number, answer=b"{}") for number in range(3))
    day = TillDay(day="2026-06-29", calls=calls, right="01")
    async with answering(lambda body: b"{ }" if body == b"1" else b"{}") as (url, asked):
        assert await send_all(day, url) == 2
    assert asked == [(UNIFORM_PATH, b"0"), (UNIFORM_PATH, b"1"), (UNIFORM_PATH, b"2")]
    with pytest.raises(DemoError, match="does not answer"):
        await send_all(day, url)


def test_copies_wait_in_open_and_closed_files(tmp_path: Path) -> None:
    assert list(waiting(tmp_path)) == []
    for name in ("a.spool", "b.open", "counts.json", "c.damaged"):
        (tmp_path / name).touch()
    assert {path.name for path in waiting(tmp_path)} == {"a.spool", "b.open"}
