from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson
import pytest
from typer.testing import CliRunner

from deploy.model import cli, options
from deploy.model.checking import ITEM_NUMBERS, refuse_uncited, verify_catalog
from scoring_kernel.catalog_loader import load_catalog, read_changes
from scoring_kernel.errors import CatalogError

if TYPE_CHECKING:
    from scoring_kernel import Catalog

RUNNER = CliRunner()
DAY = date(2026, 6, 30)


def checked_in(days: int) -> Catalog:
    """The packaged catalogue with a source whose wording was checked so many days from today."""
    catalog = load_catalog()
    key, source = next(iter(catalog.legal_basis.items()))
    day = options.today() + timedelta(days=days)
    checked = dataclasses.replace(source, checked_on=day, checked_by="a")
    sources = MappingProxyType(dict(catalog.legal_basis) | {key: checked})
    return dataclasses.replace(catalog, legal_basis=sources)


def test_check_accepts_a_catalogue_whose_source_was_checked_today_and_shows_its_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cli, "load_catalog", lambda: checked_in(0))
    result = RUNNER.invoke(cli.app, ["check"])
    assert result.exit_code == 0
    assert "proposal" in result.stdout
    assert load_catalog().digest.hex()[:16] in result.stdout


def test_check_prints_one_json_object() -> None:
    result = RUNNER.invoke(cli.app, ["check", "--json"])
    summary = orjson.loads(result.stdout)
    assert result.exit_code == 0
    assert summary["digest"] == load_catalog().digest.hex()
    assert summary["items"] == len(load_catalog().items)
    assert len(summary["models"]) == 9
    assert {one["total_centi"] for one in summary["models"]} == {100_000}


def test_list_names_every_model_measure_and_item() -> None:
    result = RUNNER.invoke(cli.app, ["list"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    for item in load_catalog().items.values():
        assert f"item.{item.number}" in result.stdout
    listed = orjson.loads(RUNNER.invoke(cli.app, ["list", "--json"]).stdout)
    assert set(listed["models"].values()) == {"proposal"}
    assert "inpatient.readmissions_15d" in listed["measures"]
    assert {*ITEM_NUMBERS} < {*listed["items"]}


def test_a_catalogue_without_an_item_of_table_1_is_refused() -> None:
    catalog = load_catalog()
    fewer = MappingProxyType({key: item for key, item in catalog.items.items() if key != "17"})
    with pytest.raises(CatalogError, match=r"information/item_17\.yaml:0: the item of table 1"):
        verify_catalog(dataclasses.replace(catalog, items=fewer), read_changes(), DAY)


@pytest.mark.parametrize("command", ["check", "list"])
def test_a_broken_catalogue_ends_with_exit_code_1_and_its_line(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise CatalogError("units.yaml", 7, "found [fen] twice: keep one of them")

    monkeypatch.setattr(cli, "load_catalog", broken)
    result = RUNNER.invoke(cli.app, [command])
    assert result.exit_code == options.EXIT_UNSOUND
    assert "units.yaml:7: found [fen] twice: keep one of them" in result.stderr


def test_a_changed_catalogue_without_an_entry_ends_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = dataclasses.replace(load_catalog(), digest=bytes(32))
    monkeypatch.setattr(cli, "load_catalog", lambda: changed)
    result = RUNNER.invoke(cli.app, ["check"])
    assert result.exit_code == options.EXIT_UNSOUND
    assert "- digest: 0000000000000000" in result.stderr


def test_a_source_checked_after_the_day_of_the_check_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = checked_in(2)
    key, source = next(iter(changed.legal_basis.items()))
    monkeypatch.setattr(cli, "load_catalog", lambda: changed)
    result = RUNNER.invoke(cli.app, ["check"])
    assert result.exit_code == options.EXIT_UNSOUND
    assert f"source {key}: checked_on is {source.checked_on}, after" in result.stderr


def test_a_source_that_nothing_cites_is_refused() -> None:
    catalog = load_catalog()
    cited = {key: catalog.legal_basis[key] for key in catalog.cited_sources}
    sound = dataclasses.replace(catalog, legal_basis=MappingProxyType(cited))
    refuse_uncited(sound)
    extra = dataclasses.replace(next(iter(cited.values())), id="law_of_the_sea", line=7)
    idle = dataclasses.replace(
        catalog, legal_basis=MappingProxyType(cited | {"law_of_the_sea": extra})
    )
    with pytest.raises(CatalogError, match="nothing cites law_of_the_sea") as caught:
        refuse_uncited(idle)
    assert (caught.value.file, caught.value.line) == ("legal_basis.yaml", 7)


def test_every_part_of_the_catalogue_that_cites_a_source_counts() -> None:
    catalog = load_catalog()
    assert {
        "cms_star_rating_method",
        "qualification_ladder_proposal",
        "override_proposal",
        "shaoxing_letters",
        "subject_model_proposal",
        "scoring_formula_proposal",
        "wenzhou_951_table_2",
    } <= catalog.cited_sources
    law = dataclasses.replace(catalog.models["employer"].indicators[0], laws=("law_of_the_sea",))
    employer = dataclasses.replace(catalog.models["employer"], indicators=(law,))
    changed = dataclasses.replace(catalog, models=MappingProxyType({"employer": employer}))
    assert "law_of_the_sea" in changed.cited_sources
