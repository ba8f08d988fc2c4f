"""`yixin hub agreements …` and `yixin hub query`: what they print and how they end."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.store.database import open_database
from tests.support.hub_city import Clock, open_city
from tests.support.published import publish_grades

if TYPE_CHECKING:
    from pathlib import Path

PERIOD = ("--period", "2026H1")
NODE = "yixin://330300/node/H33030200001"
BANK = "yixin://330300/department/bank"


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    """A hub with published grades and a bank that joined."""
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    engine = open_database(f"sqlite:///{directory / 'hub.db'}")
    publish_grades(engine)
    engine.dispose()
    with open_city(directory, Clock()) as city:
        city.enrol(tmp_path / "bank", BANK)
    return directory


def call(hub: Path, *arguments: object, code: int = 0) -> str:
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, [*words, "--dir", str(hub)])
    assert result.exit_code == code, result.output
    return result.output


def as_json(hub: Path, *arguments: object, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(call(hub, *arguments, "--json", code=code)))


def test_an_agreement_from_its_terms_to_its_end(hub: Path) -> None:
    assert "bank  医保信用贷授信名单: not signed" in call(hub, "agreements", "list")
    assert "sound; a proposal" in call(hub, "agreements", "check", "bank")
    signed = as_json(hub, "agreements", "sign", "bank", "--officer", "王五")
    assert (signed["agreement"], signed["recipient"]) == ("bank@1", BANK)
    assert "in force until" in call(hub, "agreements", "list")
    shown = as_json(hub, "agreements", "show", "bank")
    assert (shown["officer"], shown["state"], shown["row_filter"]) == (
        "王五",
        "in force",
        'grade in ("excellent", "good")',
    )
    for name in ("valid_from", "valid_to"):
        moment = datetime.fromisoformat(shown[name])
        assert moment == datetime.fromtimestamp(shown[f"{name}_ms"] // 1000, UTC)
        assert shown[name] in call(hub, "agreements", "show", "bank")

    made = as_json(hub, "agreements", "deliver", "bank", *PERIOD, "--officer", "王五")
    again = call(hub, "agreements", "deliver", "bank", *PERIOD)
    assert (made["rows"], made["is_new"]) == (2, True)
    assert "was delivered before" in again
    (row,) = as_json(hub, "agreements", "deliveries", "bank")["rows"]
    assert (row["agreement"], row["sha256"], row["officer"]) == ("bank@1", made["sha256"], "王五")
    assert "1 of 1 deliveries" in call(hub, "agreements", "deliveries")
    assert as_json(hub, "status")["products"] == 1

    assert "has ended" in call(hub, "agreements", "retire", "bank")
    refused = as_json(hub, "agreements", "deliver", "bank", *PERIOD, code=48)
    assert refused["error"] == "agreement_refused"
    assert as_json(hub, "agreements", "show", "bank")["state"] == "not signed"
    assert as_json(hub, "agreements", "show", "bank@1")["state"] == "ended"


def test_a_question_is_answered_or_refused_and_both_are_listed(hub: Path) -> None:
    call(hub, "agreements", "sign", "public_query", "--officer", "王五")
    answered = call(hub, "query", "H33030200001", *PERIOD)
    assert "grade excellent" in answered
    assert "logged as leaf" in answered
    assert as_json(hub, "query", "R01abcdef", *PERIOD, code=48)["error"] == "agreement_refused"
    refused, found = as_json(hub, "agreements", "queries")["rows"]
    assert (refused["refused_by"], found["refused_by"]) == ("subject", "")
    assert "refused by the rule subject" in call(hub, "agreements", "queries")


def test_a_second_bank_gets_an_agreement_of_its_own(hub: Path) -> None:
    second = ("--id", "bank_wz", "--recipient", "yixin://330300/department/bank-wz")
    signed = as_json(hub, "agreements", "sign", "bank", *second)
    assert (signed["agreement"], signed["recipient"]) == (
        "bank_wz@1",
        "yixin://330300/department/bank-wz",
    )


def test_a_grade_that_no_model_has_is_warned_of(hub: Path, tmp_path: Path) -> None:
    shipped = resources.files("hub.agreements") / "shipped" / "bank.yaml"
    terms = tmp_path / "own.yaml"
    terms.write_text(shipped.read_text("utf-8").replace('"good"', '"goood"'), "utf-8")

    said = call(hub, "agreements", "check", terms)
    assert "sound; a proposal" in said
    assert "Warning: row_filter: no model of the catalogue has the grade 'goood'" in said
    assert call(hub, "agreements", "check", "bank").count("Warning") == 0


def test_mistakes_are_said_with_file_and_remedy(hub: Path, tmp_path: Path) -> None:
    terms = tmp_path / "own.yaml"
    terms.write_text("id: own\nowner: me\n", "utf-8")
    wrong = as_json(hub, "agreements", "check", terms, code=47)
    assert "own.yaml:2" in wrong["message"]
    assert "shipped ones" in as_json(hub, "agreements", "sign", "nobody", code=47)["message"]
    as_json(hub, "agreements", "check", tmp_path / "missing.yaml", code=3)
    assert "hub join" in as_json(hub, "agreements", "sign", "provincial_push", code=47)["message"]
    as_json(hub, "agreements", "sign", "bank", "--recipient", "some body", code=47)
    node = as_json(hub, "agreements", "sign", "bank", "--recipient", NODE, code=47)
    assert "name a department or another hub" in node["message"]
    as_json(hub, "agreements", "sign", "bank", "--officer", "a\nb", code=3)
    as_json(hub, "agreements", "retire", "bank", code=48)
    as_json(hub, "agreements", "sync", code=5)
