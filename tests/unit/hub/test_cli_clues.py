"""`yixin hub clues` as an officer reads it at 80 columns; with --json it is what it was."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from hub.cli import app
from protos.yixin.v1 import clue_pb2
from tests.support import join_payloads as made
from tests.support.hub_city import FIRST, NODE, OTHER, SECOND, THIRD, City, Sender, open_city
from tests.support.join_payloads import Record, clue, clue_month, join_day, mark

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 80
DOCTOR = "D330302000001"


def send(city: City, sender: Sender, message: object) -> None:
    is_clue = isinstance(message, clue_pb2.Clues)
    envelope = sender.seal(
        message.SerializeToString(),  # type: ignore[attr-defined]  # a message
        payload_type="clues" if is_clue else "join_records",
        data_class="clue" if is_clue else "join_record",
        period="",
    )
    city.submit(envelope, peer=sender.member)


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    """Two stays of one person that overlap, and clues of rules and topics from both nodes."""
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    with open_city(directory) as city:
        node = city.enrol(tmp_path / "node", NODE, FIRST, SECOND)
        other = city.enrol(tmp_path / "other", OTHER, THIRD)
        _stays(city, node, other)
        _clues(city, node, other)
    return directory


def _stays(city: City, node: Sender, other: Sender) -> None:
    first = Record(who="ann", begins="2026-10-01 09:00", ends="2026-10-05 10:00", leaf=11)
    later = Record(who="ann", begins="2026-10-03 09:00", ends="2026-10-09 09:00", leaf=22)
    send(city, node, made.join_records("stay", join_day(FIRST, [first])))
    send(city, other, made.join_records("stay", join_day(THIRD, [later], day=20261009)))


def _clues(city: City, node: Sender, other: Sender) -> None:
    """Of a rule, of a topic, of the other node; and one that the other node takes back."""
    of_rule = clue(
        1 << 120,
        evidence=[
            clue_pb2.EvidencePointer(kind="settlement", leaf=7),
            clue_pb2.EvidencePointer(kind="fee_detail", leaf=1_234_567, involved=True),
        ],
        evidence_count=3,
        verdict=clue_pb2.CLUE_VERDICT_VIOLATION,
    )
    of_topic = clue(
        2 << 120,
        source="T04",
        person=b"",
        staff=[],
        amount_fen=12_345_678_905,
        score=250,
        measures=[
            clue_pb2.MeasurePointer(set="together", month=202610, months=3, digest=b"d" * 32)
        ],
    )
    elsewhere, withdrawn = clue(3 << 120, person=b""), clue(4 << 120, person=b"")
    for sender, stated in (
        (node, clue_month(FIRST, of_rule)),
        (node, clue_month(SECOND, of_topic)),
        (other, clue_month(THIRD, elsewhere)),
        (other, clue_month(THIRD, withdrawn, month=202609)),
        (other, clue_month(THIRD, month=202609, version=2)),
    ):
        send(city, sender, clue_pb2.Clues(months=[stated]))


def told(hub: Path, *arguments: str) -> str:
    done = CliRunner().invoke(
        app, ["clues", *arguments, "--dir", str(hub)], env={"COLUMNS": str(WIDTH)}
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def rows(hub: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(told(hub, "list", *arguments, "--json"))["rows"]
    return found


def test_a_join_is_told_by_its_id_and_name(hub: Path) -> None:
    text = told(hub, "join")
    (line,) = [one.split() for one in text.splitlines() if "overlapping_stays" in one]
    assert line == ["J01", "跨机构重叠住院", "overlapping_stays", "1"]
    assert "2 records held" in text
    assert json.loads(told(hub, "join", "--json"))["found"]["overlapping_stays"] == 1


def test_the_list_is_readable_and_names_what_show_takes(hub: Path) -> None:
    told(hub, "join")
    text = told(hub, "list")
    assert all(cell_len(line) <= WIDTH for line in text.splitlines())
    for row in rows(hub):
        (line,) = [one.split() for one in text.splitlines() if one.startswith(row["id"][:12])]
        amount = None if row["amount_fen"] is None else f"{row['amount_fen'] / 100:,.2f}"
        verdict = {"violation": "违规", "suspicion": "可疑"}[row["verdict"]]
        assert line == [
            *(row["id"][:12], row["source"], row["institution"], str(row["month"])),
            *(str(row["score"]), verdict, amount or "—", "有" if row["person"] else "无"),
        ]
        assert row["id"] in told(hub, "show", line[0])
    assert told(hub, "list", "--source", "J09") == "Clues: nothing\n"


def test_what_holds_no_longer_is_marked(hub: Path) -> None:
    text = told(hub, "list", "--gone")
    (line,) = [one for one in text.splitlines() if "已消失" in one]
    assert line.split()[:4] == ["040000000000", "M33", THIRD, "202609"]
    assert "已不再成立" in told(hub, "show", "0400")
    assert "040000000000" not in told(hub, "list")


def test_a_joins_clue_is_told_in_words(hub: Path) -> None:
    told(hub, "join")
    (row,) = rows(hub, "--source", "J01")
    text = told(hub, "show", row["id"][:12])
    assert "J01 跨机构重叠住院：可疑，评分 800" in text
    assert "重叠 49 小时" in text
    assert f"人员：R{mark('ann').hex()}" in text
    assert "2026-10-03 09:00" in text
    assert "yixin://330302/node/" in text
    for word in ("None", "{", "overlap_hours"):
        assert word not in text
    assert all(cell_len(line) <= WIDTH for line in text.splitlines())
    shown = json.loads(told(hub, "show", row["id"], "--json"))
    assert shown["detail"]["numbers"] == {"overlap_hours": 49}
    assert shown["detail"]["trace_digest"] is None


def test_a_nodes_clue_is_told_in_words(hub: Path) -> None:
    (row,) = rows(hub, "--source", "M33", "--institution", FIRST)
    text = told(hub, "show", row["id"])
    assert "M33：违规，1,200.00 元，评分 700" in text
    assert "证据 3 条，列出 2 条" in text
    assert [one.split() for one in text.splitlines() if one.lstrip().startswith("1234567")] == [
        ["1234567", "费用明细", "涉及"]
    ]
    assert f"医务人员：{DOCTOR}" in text
    assert THIRD in text.partition("其他线索")[2], "the other node's clue about the same staff"
    (topic,) = rows(hub, "--source", "T04")
    text = told(hub, "show", topic["id"])
    assert "人员：无" in text
    assert "together" in text
    assert "None" not in text
