"""The step to nine classes keeps what a hub held, and can be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import String, inspect, text

from hub.store import database
from hub.store.database import open_database
from hub.store.engine import open_engine, reading, writing
from hub.store.grading_tables import grade_result, item_row, published_statement
from hub.store.item_rows import known_subjects
from hub.store.metadata import metadata
from hub.store.tables import pushed_grade
from scoring_kernel.catalog_loader import load_catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Table

HOSPITAL: Final = "H33030200001"
COMPANY: Final = "91350100M000100Y43"
BEFORE: Final[dict[str, dict[str, Any]]] = {
    "grade_run": {
        "id": 1,
        "period": "2026H1",
        "subject_class": "designated_medical_institution",
        "model": "m",
        "basis": "proposal",
    },
    "grade_result": {
        "period": "2026H1",
        "subject": HOSPITAL,
        "version": 1,
        "run_id": 1,
        "name": "医院",
        "level": "3",
        "type": "general",
        "grade": "good",
    },
    "grade_run_result": {"run_id": 1, "subject": HOSPITAL, "version": 1},
    "item_row": {
        "item": "20",
        "row_key": f'["{HOSPITAL}"]',
        "version": 1,
        "current": True,
        "institution": HOSPITAL,
        "period": "",
    },
    "item_import": {"item": "20", "period": "", "file_name": "item_20.csv"},
    "publication": {"id": 1, "period": "2026H1", "run_id": 1, "key_id": "k"},
    "published_statement": {
        "publication_id": 1,
        "leaf_index": 0,
        "period": "2026H1",
        "subject": HOSPITAL,
        "version": 1,
    },
    "pushed_grade": {
        "sender": "s",
        "subject": HOSPITAL,
        "period": "2026H1",
        "version": 1,
        "subject_class": "designated_medical_institution",
        "grade": "good",
        "basis": "proposal",
    },
}


def migrate(engine: Engine, step: str, *, up: bool) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        (command.upgrade if up else command.downgrade)(config, step)


def add(connection: Connection, table: str, given: dict[str, Any]) -> None:
    """Insert a row by its names; the other columns that must be filled get zeros."""
    columns = inspect(connection).get_columns(table)
    filled: dict[str, Any] = {}
    for one in columns:
        name = one["name"]
        if name in given:
            filled[name] = given[name]
        elif not one["nullable"] and name != "id":
            filled[name] = b"0" if "BLOB" in str(one["type"]) else 0
    places = ", ".join(f":{name}" for name in filled)
    query = f"INSERT INTO {table} ({', '.join(filled)}) VALUES ({places})"  # noqa: S608 - our names
    connection.execute(text(query), filled)


def width(table: Table, column: str) -> int:
    kind = table.c[column].type
    assert isinstance(kind, String)
    return kind.length or 0


def all_of(engine: Engine, table: str) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        found = connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - our own names
        return [dict(row) for row in found.mappings()]


def hub_before(path: Path) -> Engine:
    """A hub of the step before, with one institution graded, published and pushed."""
    made = open_engine(f"sqlite:///{path}")
    migrate(made, "0005", up=True)
    with writing(made) as connection:
        for table, given in BEFORE.items():
            add(connection, table, given)
    return made


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = hub_before(tmp_path / "hub.db")
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The same hub, opened by the program of today; for tests that only look."""
    before = hub_before(tmp_path_factory.mktemp("raised") / "hub.db")
    before.dispose()
    opened = open_database(str(before.url))
    yield opened
    opened.dispose()


def test_what_was_held_gets_its_class_and_its_earned_grade(engine: Engine) -> None:
    opened = open_database(str(engine.url))
    (result,) = all_of(opened, "grade_result")
    assert (result["subject_class"], result["earned_grade"], result["subject"]) == (
        "designated_medical_institution",
        "good",
        HOSPITAL,
    )
    (statement,) = all_of(opened, "published_statement")
    assert statement["subject_class"] == "designated_medical_institution"
    assert len(all_of(opened, "pushed_grade")) == len(all_of(opened, "grade_run_result")) == 1
    with reading(opened) as connection:
        assert known_subjects(connection, "20") == {HOSPITAL}
    opened.dispose()


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_keys_and_indexes_are_those_of_the_code(raised: Engine, table: Table) -> None:
    with reading(raised) as connection:
        found = inspect(connection)
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]
        indexes = {one["name"]: one["column_names"] for one in found.get_indexes(table.name)}
        assert indexes == {
            one.name: [column.name for column in one.columns] for one in table.indexes
        }


def test_one_organisation_is_graded_and_pushed_in_two_classes(engine: Engine) -> None:
    opened = open_database(str(engine.url))
    with writing(opened) as connection:
        for at, subject_class in enumerate(("employer", "supplier"), start=1):
            given = {"subject": COMPANY, "subject_class": subject_class, "leaf_index": at}
            for table in (grade_result, pushed_grade, published_statement):
                add(connection, table.name, BEFORE[table.name] | given)
    for table in (grade_result, pushed_grade, published_statement):
        assert len(all_of(opened, table.name)) == 3
    opened.dispose()


def test_the_step_back_keeps_institutions_and_drops_what_it_cannot_say(engine: Engine) -> None:
    opened = open_database(str(engine.url))
    supplier = {"subject": COMPANY, "subject_class": "supplier", "run_id": 2}
    of_staff = {"item": "s01", "row_key": "k", "subject": "D330302000001"}
    added: dict[str, dict[str, Any]] = {
        "grade_run": {"id": 2, "subject_class": "supplier"},
        "grade_result": supplier,
        "grade_run_result": supplier,
        "publication": {"id": 2, "run_id": 2},
        "published_statement": supplier | {"publication_id": 2},
        "pushed_grade": supplier | {"subject": HOSPITAL},
        "item_row": of_staff,
        "item_import": of_staff,
    }
    with writing(opened) as connection:
        for table, given in added.items():
            add(connection, table, BEFORE[table] | given)
    opened.dispose()
    migrate(engine, "0005", up=False)
    assert {table: len(all_of(engine, table)) for table in added} == dict.fromkeys(added, 1)
    (result,) = all_of(engine, "grade_result")
    assert result["subject"] == HOSPITAL
    assert result.keys() & {"subject_class", "earned_grade"} == set()
    (row,) = all_of(engine, "item_row")
    assert (row["item"], row["institution"]) == ("20", HOSPITAL)
    assert [row["subject"] for row in all_of(engine, "published_statement")] == [HOSPITAL]


def test_every_item_number_and_label_fits_its_column() -> None:
    catalog = load_catalog()
    assert all(len(number) <= width(item_row, "item") for number in catalog.items)
    for model in catalog.models.values():
        assert all(len(one) <= width(grade_result, "level") for one in model.levels)
        assert all(len(one) <= width(grade_result, "type") for one in model.types)
        assert len(model.subject_class) <= width(grade_result, "subject_class")
