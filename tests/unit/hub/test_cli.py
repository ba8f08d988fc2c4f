"""The command line: every command with its exit code, with and without a daemon."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from deploy.model.choosing import choose_model
from deploy.model.input_files import read_inputs
from hub.cli import app
from hub.config import LOCK_FILE
from scoring_kernel.reference import Reference
from scoring_kernel.scoring import score
from security.audit.trust import load_anchor
from security.tokens import JoinToken
from tests.support.department_files import write_csv, write_register
from tests.support.hub_city import CITY, FIRST, NODE, Clock, Slot, batch, open_city

if TYPE_CHECKING:
    from collections.abc import Iterator

PERIOD = ("--period", "2026H1")


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    return directory


def call(*arguments: object, code: int = 0) -> str:
    """Run a command; its standard output."""
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def as_json(*arguments: object, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(call(*arguments, "--json", code=code)))


def score_again(inputs: Path, reference: Path, day: str) -> dict[str, tuple[int, str]]:
    """Total and grade of every subject of an exported file, scored outside the hub."""
    choice = choose_model("person")
    peers = Reference.from_json(reference.read_bytes())
    result = score(
        choice.model,
        read_inputs(inputs, choice.model, choice.catalog),
        peers,
        date.fromisoformat(day),
    )
    rows = zip(result.subjects, result.total_centi.tolist(), result.grades, strict=True)
    return {subject: (total, grade) for subject, total, grade in rows}


@pytest.fixture
def served(hub: Path) -> Iterator[Path]:
    """The hub's daemon, started by its own command."""
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "deploy.cli", "hub", "serve", "--dir", str(hub)],
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (hub / "serve.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    try:
        yield hub
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "serves members on" in output
    assert "has stopped" in output
    assert not (hub / "serve.json").exists()
    assert not (hub / "control.sock").exists()


def test_init_makes_a_hub_once(tmp_path: Path) -> None:
    where = tmp_path / "new"
    arguments = ("init", where, "--level", "city", "--division", "330300", "--name", "温州市")

    assert as_json(*arguments) == {"directory": str(where), "hub": CITY}
    assert where.stat().st_mode & 0o077 == 0
    assert as_json(*arguments, code=3)["error"] == "configuration"


@pytest.mark.parametrize(
    ("level", "division"), [("county", "330300"), ("city", "3303"), ("city", "abcdef")]
)
def test_init_refuses_a_wrong_level_or_division_and_makes_nothing(
    tmp_path: Path, level: str, division: str
) -> None:
    where = tmp_path / "new"

    call("init", where, "--level", level, "--division", division, "--name", "x", code=3)

    assert not where.exists()


CITY_OPTIONS = ("--level", "city", "--division", "330300", "--name", "温州市")


def test_init_leaves_a_directory_that_holds_something_as_it_is(tmp_path: Path) -> None:
    where = tmp_path / "mine"
    where.mkdir(mode=0o755)
    (where / "letter.txt").write_text("x")

    found = as_json("init", where, *CITY_OPTIONS, code=3)

    assert f"{where} is not empty" in found["message"]
    assert [path.name for path in where.iterdir()] == ["letter.txt"]
    assert where.stat().st_mode & 0o777 == 0o755


def test_init_takes_an_empty_directory_unless_others_can_write_to_it(tmp_path: Path) -> None:
    where = tmp_path / "mine"
    where.mkdir()
    where.chmod(0o775)
    assert "mode 0775" in as_json("init", where, *CITY_OPTIONS, code=3)["message"]
    assert list(where.iterdir()) == []

    where.chmod(0o750)
    assert as_json("init", where, *CITY_OPTIONS)["hub"] == CITY
    assert where.stat().st_mode & 0o777 == 0o750
    open_to_others = [path for path in where.rglob("*") if path.stat().st_mode & 0o077]
    assert open_to_others == []


@pytest.mark.parametrize("place", ["/dev/null/x", "/dev/null", "/proc/yixin"])
def test_a_place_that_cannot_be_used_is_told_with_path_and_reason(place: str) -> None:
    found = as_json("init", place, *CITY_OPTIONS, code=3)

    assert (found["error"], place in found["message"]) == ("configuration", True)
    assert "cannot be used: " in found["message"]


def test_a_lock_that_cannot_be_taken_is_told_with_its_path(hub: Path) -> None:
    (hub / LOCK_FILE).unlink()
    (hub / LOCK_FILE).mkdir()

    found = as_json("grade", *PERIOD, "--dir", hub, code=3)

    assert f"{hub / LOCK_FILE} cannot be used: Is a directory" in found["message"]


def test_objects_that_cannot_be_opened_are_told_with_their_path(hub: Path) -> None:
    (hub / "objects").rmdir()
    (hub / "objects").write_text("")

    assert f"{hub / 'objects'} cannot be used" in as_json("status", "--dir", hub, code=3)["message"]


def test_a_directory_without_a_hub_is_told(tmp_path: Path) -> None:
    assert as_json("status", "--dir", tmp_path, code=3)["error"] == "not_initialised"


def test_wrong_usage_is_exit_code_two(hub: Path) -> None:
    call("grade", "--dir", hub, code=2)
    call("grade", "--dir", hub, *PERIOD, "--day", "xx", code=2)
    call("unheard", code=2)


def test_every_command_has_help_with_an_example() -> None:
    names = [command.name or command.callback.__name__ for command in app.registered_commands]  # type: ignore[union-attr]

    assert {"init", "token", "serve", "join", "import", "grade", "publish", "push"} < set(names)
    assert {"status", "export-trust", "members", "explain"} < set(names)
    for name in names:
        assert f"yixin hub {name}" in call(name, "--help").replace("\n", " ")


def test_a_token_needs_known_ports(hub: Path) -> None:
    arguments = ("--kind", "node", "--division", "330302", "--code", "n1", "--dir", hub)

    found = as_json("token", *arguments, code=3)

    assert "hub serve" in found["message"]


def test_members_are_listed_and_revoked(hub: Path, tmp_path: Path) -> None:
    with open_city(hub, Clock()) as city:
        city.enrol(tmp_path / "node", NODE, FIRST)

    (row,) = as_json("members", "--dir", hub)["rows"]
    assert (row["member"], row["status"]) == (NODE, "active")
    assert row["tls_until"]
    assert row["signing_until"] > row["tls_until"]
    found = as_json("revoke", NODE, "--dir", hub, "--reason", "theft")
    assert (found["certificates"], found["list"]) == (3, 1)
    assert "revoked" in call("members", "--dir", hub)
    call("revoke", "yixin://330302/node/nobody", "--reason", "theft", "--dir", hub, code=3)
    call("revoke", NODE, "--reason", " ", "--dir", hub, code=3)


def test_what_was_refused_and_quarantined_is_shown(hub: Path, tmp_path: Path) -> None:
    with open_city(hub, Clock()) as city:
        node = city.enrol(tmp_path / "node", NODE, FIRST)
        city.submit(node.seal(batch(Slot(institution="H33030209999"))))
        forged = node.seal(batch(Slot()))
        forged.signature = bytes(64)
        (refused,) = city.submit(forged)
        city.committer().log_refusal(city.check(forged), refused.error, 1)  # type: ignore[union-attr]

    (quarantined,) = as_json("quarantine", "--dir", hub)["rows"]
    assert (quarantined["rule"], quarantined["member"]) == ("custody", NODE)
    (refusal,) = as_json("refusals", "--dir", hub)["rows"]
    assert (refusal["peer"], refusal["code"]) == (NODE, "UntrustedEnvelopeError")
    assert "signature" in refusal["cause"]
    assert "custody" in call("quarantine", "--dir", hub)
    assert "Submit" in call("refusals", "--dir", hub)
    status = as_json("status", "--dir", hub)
    assert (status["envelopes"], status["refused"], status["quarantined"]) == (1, 1, 1)


def test_the_trust_anchor_is_exported_for_auditors(hub: Path, tmp_path: Path) -> None:
    found = as_json("export-trust", tmp_path / "city.trust", "--dir", hub)

    assert load_anchor(tmp_path / "city.trust").hub == CITY == found["hub"]


def test_items_are_imported_graded_published_and_explained(hub: Path, tmp_path: Path) -> None:
    files = tmp_path / "departments"
    files.mkdir()
    write_register(files)
    where = ("--dir", hub)

    assert as_json("import", files, *where)["added"] == 3
    missing = as_json("grade", *PERIOD, *where, code=28)
    assert missing["error"] == "statements_missing"
    assert "2 of 2 institutions" in missing["message"]
    graded = as_json("grade", *PERIOD, "--incomplete", *where)
    hospitals, pharmacies = graded["classes"]
    assert (hospitals["incomplete"], hospitals["silent"], pharmacies["silent"]) == (True, 2, 1)
    assert len(graded["skipped"]) == 7
    told = call("grade", *PERIOD, "--day", "2026-06-30", "--incomplete", *where)
    assert "Distribution" in told
    assert "Incomplete: 2 institutions" in told
    assert "physician was skipped: its register (item s01) names nobody" in told
    only = as_json("grade", *PERIOD, "--class", "pharmacy", "--incomplete", *where)
    assert [one["subject_class"] for one in only["classes"]] == ["designated_retail_pharmacy"]
    assert "knows employer" in as_json("grade", *PERIOD, "--class", "x", *where, code=29)["message"]
    listed = as_json("grades", *PERIOD, "--class", "institution", *where)["classes"]
    assert [len(one["subjects"]) for one in listed] == [2]
    shortened = as_json("grades", *PERIOD, "--limit", "1", *where)["classes"]
    assert [len(one["subjects"]) for one in shortened] == [1, 1]
    assert "温州市第一医院" in call("grades", *PERIOD, *where)
    assert as_json("publish", *PERIOD, "--class", "pharmacy", *where)["is_new"]
    assert "designated_medical_institution" in call("status", *where)
    assert [one["published"] for one in as_json("status", *where)["classes"]] == [False, True]
    assert as_json("publish", *PERIOD, *where)["is_new"]
    assert "nothing new" in call("publish", *PERIOD, *where)
    assert len(as_json("explain", "H33030200001", *PERIOD, *where)["indicators"]) == 36
    assert "36" not in call("explain", "H33030200001", *PERIOD, *where)[:2]
    assert as_json("push", *PERIOD, *where, code=5)["error"] == "not_joined"
    assert as_json("join", "--token", "nonsense", *where, code=10)["error"] == "token"


def test_persons_are_graded_and_published_by_name_of_their_class(hub: Path, tmp_path: Path) -> None:
    where = ("--dir", hub)
    header = "person,level,type,division,first_insured_day,commitment_signed"
    odd = tmp_path / "item_r01.csv"
    write_csv(odd, header, [f"R1{one}{'abcdef' * 5},0,resident,330302,,1" for one in range(3)])
    assert as_json("import", odd, *where)["added"] == 3
    told = call("grade", *PERIOD, "--class", "person", *where)
    assert "insured_person, run 1" in told
    assert "Whether an override caps 3 of them cannot be judged." in told
    assert "Not imported for 2026H1: l03" in told
    assert "无法判断是否受限" in call("explain", f"R10{'abcdef' * 5}", *PERIOD, *where)
    assert "R10" in call("grades", *PERIOD, *where)
    call("publish", *PERIOD, *where)

    inputs = tmp_path / "inputs.csv"
    wrote = as_json("inputs", *PERIOD, "--class", "person", "--out", inputs, *where)
    assert wrote["subjects"] == 3
    assert inputs.read_text("utf-8").startswith("subject,level,type,item.")
    assert inputs.stat().st_mode & 0o077 == 0
    again = score_again(inputs, Path(wrote["reference"]), wrote["day"])
    assert again == {
        one["subject"]: (one["total_centi"], one["grade"])
        for one in as_json("grades", *PERIOD, *where)["classes"][0]["subjects"]
    }
    assert (
        "exists"
        in as_json("inputs", *PERIOD, "--class", "person", "--out", inputs, *where, code=3)[
            "message"
        ]
    )

    assert as_json("push", *PERIOD, *where, code=5)["error"] == "not_joined"


def test_refused_lines_give_exit_code_one(hub: Path, tmp_path: Path) -> None:
    register = write_register(tmp_path)
    lines = register.read_text("utf-8").splitlines()
    write_csv(register, lines[0], [*lines[1:], "H1,broken" + "," * 9])

    assert as_json("import", register, "--dir", hub, code=1)["quarantined"] == 1
    assert "Quarantined" in call("import", register, "--dir", hub, code=1)

    listed = as_json("quarantine", "--items", "--dir", hub)
    (line,) = listed["rows"]
    assert (listed["total"], line["file_name"], line["line"]) == (1, "item_20.csv", 5)
    assert (line["item"], line["field"], bool(line["rule"])) == ("20", "institution", True)
    assert line["mend"]
    assert "masked" in line
    assert line["rule"] in call("quarantine", "--items", "--dir", hub)
    assert as_json("status", "--dir", hub)["refused_item_lines"] == 1
    told = call("grade", *PERIOD, "--incomplete", "--dir", hub)
    assert "1 lines of department files stay refused" in told
    write_register(tmp_path)
    call("import", register, "--dir", hub)
    assert as_json("quarantine", "--items", "--dir", hub) == {"total": 0, "rows": []}


def test_nothing_graded_and_nothing_to_import_are_told(hub: Path, tmp_path: Path) -> None:
    where = ("--dir", hub)

    assert as_json("publish", *PERIOD, *where, code=30)["error"] == "not_graded"
    assert as_json("import", tmp_path / "missing", *where, code=6)["error"] == "import_file"
    assert as_json("grade", "--period", "2026", *where, code=18)["error"] == "kernel"


def test_commands_reach_the_running_daemon(served: Path, tmp_path: Path) -> None:
    where = ("--dir", served)
    listed = write_csv(
        tmp_path / "custody.csv",
        "institution,name,level,type,division,custodian",
        [f"{FIRST},仿真医院,3,general,330302,county"],
    )
    member = ("--kind", "node", "--division", "330302", "--code", "county")

    found = as_json("token", *member, "--institutions", listed, *where)

    token = JoinToken.decode(found["token"])
    serving = json.loads((served / "serve.json").read_text("utf-8"))
    assert token.enrolment_address == serving["enrolment"]
    assert (found["member"], found["institutions"]) == ("yixin://330302/node/county", 1)
    text = call("token", *member, "--institutions", FIRST, *where)
    assert JoinToken.decode(text.strip()).hub == CITY
    assert as_json("status", *where)["members"] == {"invited": 1}
    other = ("--kind", "node", "--division", "330302", "--code", "other")
    assert as_json("token", *other, "--institutions", FIRST, *where, code=22)["error"] == "custody"
    hub_member = ("--kind", "hub", "--division", "330302", "--code", "county")
    call("token", *hub_member, "--institutions", FIRST, *where, code=3)
    call("token", *member, "--institutions", tmp_path / "missing.csv", *where, code=22)
    call("token", "--kind", "robot", "--division", "1", "--code", "x", *where, code=3)
    result = CliRunner().invoke(app, ["serve", "--dir", str(served)])
    assert result.exit_code == 4
