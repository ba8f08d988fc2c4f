"""`yixin node faces …` at a node: what an operator does with templates, proxies and thresholds."""

from __future__ import annotations

import json
import stat
from base64 import b64decode
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from node.app import opened, utc_now
from node.cli import app
from node.commands import NodeOutput
from node.daemon import _tidy
from node.domain.face_templates import Purpose
from node.presence.enrolling import ProtectedTemplate
from security.at_rest.key_ring import SETTLED_MS, KeyRing
from security.moments import to_ms
from security.progress import no_progress
from tests.support import face_templates as f
from tests.support import node_messages as m
from tests.support.face_vectors import units

if TYPE_CHECKING:
    from pathlib import Path

    from node.jobs import NodeJobs

FACES = units(6, f.DIMENSION)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node with three people, the first of them enrolled twice."""
    directory = tmp_path / "node"
    run(directory, "init", "--institution", m.HOSPITAL)
    with opened(directory) as jobs:
        window = f.terminal(jobs.store)
        for number, face in enumerate(FACES[:3]):
            window.enrol(f"P{number}", face, now=utc_now())
        jobs.store.edge.templates.revoke("P0", replace(f.CLERK, at=utc_now()), 730)
        window.enrol("P0", FACES[3], now=utc_now())
    return directory


def run(home: Path, *arguments: str, expect: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments, "--dir", str(home)])
    assert done.exit_code == expect, done.output
    return done.stdout


def told(home: Path, *arguments: str, expect: int = 0) -> dict[str, Any]:
    return dict(json.loads(run(home, "faces", *arguments, "--json", expect=expect)))


def actions(home: Path) -> list[tuple[str, str]]:
    rows = json.loads(run(home, "operations", "--verify", "--json"))["rows"]
    return [(one["operator"], one["action"]) for one in rows]


def found(jobs: NodeJobs, person: str) -> bool:
    answer = f.terminal(jobs.store).desk.find(person, Purpose.VISIT, f.MODEL, utc_now())
    return isinstance(answer, ProtectedTemplate)


def test_status_and_list_name_nobody(home: Path) -> None:
    status = told(home, "status")
    assert status == {
        "persons": 3,
        "templates": [
            {"model": f.MODEL.hex()[:12], "subject": "insured", "active": 3, "revoked": 1}
        ],
        "transform_epoch": 1,
        "older_transform": 0,
        "proxies": 0,
        "calibrations": 0,
        "identify": False,
        "template_days": 730,
        "to_be_filed": False,
    }
    rows = told(home, "list")["rows"]
    assert len(rows) == 4
    assert all("person" not in row for row in rows)
    (again, first) = told(home, "list", "--person", "P0")["rows"]
    assert (again["revoked_at"], first["revoked_at"] is None) == (None, False)
    assert again["purposes"] == ["bed_check", "visit"]
    assert "Templates" in run(home, "faces", "list")
    assert "transform epoch" in run(home, "faces", "status")


def test_a_node_without_faces_says_so(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    run(empty, "init")
    status = told(empty, "status")
    assert (status["persons"], status["transform_epoch"]) == (0, None)
    assert told(empty, "list")["rows"] == []
    assert told(empty, "identify-log")["rows"] == []


def test_revoked_and_deleted_people_are_found_no_more(home: Path) -> None:
    assert told(home, "revoke", "P1", "--reason", "撤回同意", "--operator", "li") == {"revoked": 1}
    assert told(home, "delete", "P2", "--reason", "本人申请", "--operator", "wang") == {
        "deleted": 1,
        "pictures": 0,
    }
    with opened(home) as jobs:
        assert [found(jobs, person) for person in ("P0", "P1", "P2")] == [True, False, False]
    assert actions(home)[:2] == [("wang", "template_delete"), ("li", "template_revoke")]
    assert told(home, "revoke", "P9", "--reason", "x") == {"revoked": 0}
    assert "Nobody of this number" in run(home, "faces", "revoke", "P9", "--reason", "x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("revoke", "P0", "--reason", ""),
        ("delete", "P0", "--reason", "x" * 201),
        ("revoke", "P 0", "--reason", "x"),
        ("proxy", "list", "--person", ""),
        ("proxy", "add", "--person", "P0", "--proxy", "P0", "--consent", "c"),
        ("proxy", "add", "--person", "P0", "--proxy", "P1", "--consent", ""),
        (
            *("proxy", "add", "--person", "P0", "--proxy", "P1", "--consent", "c"),
            *("--from", "2026-12-01", "--until", "2026-11-30"),
        ),
        (
            *("proxy", "add", "--person", "P0", "--proxy", "P1", "--consent", "c"),
            *("--from", "2026-12-01", "--until", "2036-11-30"),
        ),
    ],
)
def test_what_is_wrong_is_refused_in_words(home: Path, arguments: tuple[str, ...]) -> None:
    before = actions(home)
    refused = told(home, *arguments, expect=55)
    assert refused["error"] == "template"
    assert "expected" in refused["message"]
    assert actions(home) == before
    assert told(home, "status")["persons"] == 3


def test_a_re_keying_is_logged_and_told(home: Path) -> None:
    assert told(home, "rekey", "--operator", "li") == {"epoch": 2, "templates": 3}
    assert told(home, "rekey", "--resume") == {"epoch": 2, "templates": 0}
    assert told(home, "status")["transform_epoch"] == 2
    assert actions(home)[0] == ("li", "template_rekey")
    with opened(home) as jobs:
        jobs.store.edge.templates.begin_rekey(f.CLERK)
    assert told(home, "status")["older_transform"] == 3


def test_keys_are_rotated_and_the_old_one_destroyed_with_templates(home: Path) -> None:
    json.loads(run(home, "keys", "rotate", "--json"))
    status = json.loads(run(home, "keys", "status", "--json"))
    assert status["rows"][0]["wrapped"] == {}
    assert status["rows"][1]["wrapped"]["template.wrapped_key"] == 3
    path = home / "node.key"
    made = KeyRing.load(path).keys[1].made_at_ms
    aged = to_ms(utc_now()) - SETTLED_MS - 1
    path.write_text(path.read_text().replace(str(made), str(aged)))
    json.loads(run(home, "keys", "destroy", "0", "--json"))
    with opened(home) as jobs:
        assert all(found(jobs, f"P{number}") for number in range(3))
        f.terminal(jobs.store).enrol("P4", FACES[4], now=utc_now())


def test_an_export_holds_all_that_is_stored_and_nobody_elses(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "person.json"
    register = tmp_path / "events.csv"
    header = "institution,person,mdtrt_id,at,place,result,score_e4,override_reason,staff"
    lines = [
        f"{m.HOSPITAL},{person},,2026-03-01 08:00:00,window,match,9100,," for person in ("P0", "P1")
    ]
    register.write_text("\n".join((header, *lines)) + "\n")
    run(home, "ingest", str(register))
    told(home, "proxy", "add", "--person", "P0", "--proxy", "P1", "--consent", "2026-0118")
    told(home, "proxy", "add", "--person", "P2", "--proxy", "P1", "--consent", "2026-0119")
    done = told(home, "export", "P0", "--to", str(path), "--operator", "li")
    content = json.loads(path.read_text())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert done["rows"] == {
        "templates": 2,
        "proxies": 1,
        "events": 0,
        "asks": 0,
        "overrides": 0,
        "identity_event": 1,
        "duty_event": 0,
        "log": 4,
    }
    assert content["person"] == "P0"
    current, revoked = content["templates"]
    vector = np.frombuffer(b64decode(current["vector"]["float32_le_base64"]), "<f4")
    assert abs(float(np.linalg.norm(vector)) - 1.0) < 1e-5
    assert (revoked["vector"], current["consent"]) == (None, "2026-0117")
    assert content["proxies"][0]["proxy"] == "P1"
    assert content["identity_event"][0]["person"] == "P0"
    assert "P2" not in path.read_text()
    assert actions(home)[0] == ("li", "template_export")

    again = told(home, "export", "P0", "--to", str(path), expect=3)
    assert "exists" in again["message"]
    nobody = told(home, "export", "P77", "--to", str(tmp_path / "none.json"))
    assert nobody["rows"]["templates"] == 0


def test_a_proxy_is_registered_listed_and_ended(home: Path) -> None:
    both = ("--person", "P0", "--proxy", "P1")
    added = told(home, "proxy", "add", *both, "--consent", "2026-0118", "--operator", "li")
    assert added["begins_on"] < added["ends_on"]
    (row,) = told(home, "proxy", "list", "--person", "P1")["rows"]
    assert (row["person"], row["proxy"], row["consent"]) == ("P0", "P1", "2026-0118")
    assert told(home, "status")["proxies"] == 1
    assert told(home, "proxy", "end", *both, "--reason", "撤回授权") == {"ended": 1}
    assert told(home, "proxy", "list", "--person", "P0")["rows"] == []
    assert [one for _, one in actions(home)[:2]] == ["proxy_end", "proxy_add"]


def test_a_calibration_is_put_in_force_and_ended(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_bytes(f.calibration(5_070).to_json())
    imported = told(home, "calibration", "import", str(file), "--operator", "li")
    assert (imported["site"], imported["use"], imported["threshold"]) == (
        m.HOSPITAL,
        "verify",
        "0.5070",
    )
    # Whoever imports compares it with what `yixin device calibrate` printed.
    said = run(home, "faces", "calibration", "import", str(file), "--for", "identify")
    assert f"Calibration {imported['digest']}" in said
    assert [one["use"] for one in told(home, "calibration", "list")["rows"]] == [
        "identify",
        "verify",
    ]
    digest = imported["digest"][:12]
    assert told(home, "calibration", "end", digest, "--reason", "换摄像头") == {"ended": 2}
    assert told(home, "calibration", "list")["rows"] == []
    assert len(told(home, "calibration", "list", "--all")["rows"]) == 2
    assert told(home, "calibration", "end", digest, "--reason", "x", expect=3)["error"]
    assert told(home, "calibration", "end", "12", "--reason", "x", expect=3)["error"]


def test_a_calibration_that_is_none_is_refused(home: Path, tmp_path: Path) -> None:
    sound = f.calibration(5_070).to_json()
    elsewhere = f.calibration(5_070, site="H33030200099").to_json()
    cases = {
        "junk": b"\x00\xff",
        "large": sound + b" " * 70_000,
        "changed": sound.replace(b'"threshold_e4":5070', b'"threshold_e4":1000'),
        "twice": sound + sound,
        "truncated": sound[:-20],
        "elsewhere": elsewhere,
        "lets everybody pass": f.calibration(-10_000).to_json(),
        "lets half of all pass": f.calibration(0).to_json(),
    }
    for name, content in cases.items():
        file = tmp_path / name
        file.write_bytes(content)
        assert told(home, "calibration", "import", str(file), expect=60)["error"] == "calibration"
    missing = told(home, "calibration", "import", str(tmp_path / "none"), expect=60)
    assert "cannot be read" in missing["message"]
    assert told(home, "calibration", "list", "--all")["rows"] == []


def test_what_is_over_is_shown_and_deleted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = utc_now() + timedelta(days=731)
    with opened(home) as jobs:
        aged = replace(jobs, now=lambda: later)
        table = aged.table()
        (due,) = [
            one for one in table["retain"]({}, no_progress)["due"] if one["kind"] == "template"
        ]
        assert (due["records"], due["days"], due["years"]) == (4, 730, 0)
        NodeOutput(as_json=False).retained({"due": [due], "deleted": {}})
        assert "730 days" in capsys.readouterr().out
        deleted = table["retain"]({"apply": True, "operator": "li"}, no_progress)["deleted"]
        assert deleted == {"template": 4}
        assert table["retain"]({}, no_progress)["due"] == []
    assert actions(home)[0] == ("li", "template_retain")


def test_the_daemon_deletes_by_the_clock_and_says_so(home: Path) -> None:
    said: list[str] = []
    with opened(home) as jobs:
        _tidy(replace(jobs, now=utc_now), utc_now(), said.append)
        assert said == []
        later = utc_now() + timedelta(days=731)
        _tidy(replace(jobs, now=lambda: later), later, said.append)
        assert said == ["Deleted, their time being over: template 4."]
        assert not found(jobs, "P0")
    assert actions(home)[0] == ("node", "template_retain")
