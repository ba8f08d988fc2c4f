"""Who is graded: the subjects that a class's register lists (信用主体名录), class by class.

Rules:
- A model names its register item, the ids and columns that make a row one of its class, and
  the columns of level and type; nothing about a class is decided here.
- A subject whose level or type the model does not know is counted, named and not graded.
  Having no statements is no reason to be left out: coverage decides.
- A name is kept only where the register does not call it personal: staff and persons are
  known by their ids alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.store.grading_tables import item_row
from hub.store.item_rows import load_rows
from scoring_kernel.subject_ids import INSTITUTION, STAFF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from scoring_kernel import Catalog
    from scoring_kernel.information import InformationItem
    from scoring_kernel.item_rows import ItemValue
    from scoring_kernel.model import RatingModel
    from security.at_rest import Vault

NAMED: Final = 5
"""Subjects that a report names."""
_NAME: Final = "name"
_INSTITUTION: Final = "institution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One subject of a register.

    Attributes:
        code: Subject id.
        name: Name of an institution or organisation; empty for staff and persons.
        level: Level, as the model names levels.
        type: Type, as the model names types.
    """

    code: str
    name: str
    level: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectList:
    """The subjects of a class, divided by whether its model can grade them.

    Attributes:
        rated: Subjects that the model grades, by code.
        no_model: Number of the others: the model does not know their level or type.
        unknown: The first of these, by code.
    """

    rated: tuple[Subject, ...]
    no_model: int
    unknown: tuple[Subject, ...]


def register_of(catalog: Catalog, model: RatingModel) -> InformationItem:
    """The item in which a model's subjects are listed; the catalogue's loader knows it exists."""
    return catalog.items[model.register.item]


def load_subjects(
    connection: Connection,
    vault: Vault,
    catalog: Catalog,
    model: RatingModel,
    *,
    only: str | None = None,
) -> SubjectList:
    """Read the subjects of a model's class from its register.

    Args:
        connection: A reading transaction.
        vault: Opens department rows.
        catalog: Its items.
        model: The model that will grade.
        only: Id of the one subject that is wanted; None for all.

    Raises:
        HubStoreError: A stored row does not open.
    """
    conditions: tuple[ColumnElement[bool], ...] = ()
    if only is not None:
        conditions = (item_row.c.subject == only,)
    elif model.register.prefix:
        conditions = (item_row.c.subject.startswith(model.register.prefix, autoescape=True),)
    item = register_of(catalog, model)
    return divide(load_rows(connection, vault, item, *conditions), model, item)


def divide(
    rows: Iterable[Mapping[str, ItemValue]], model: RatingModel, item: InformationItem
) -> SubjectList:
    """Divide a register's rows.

    Args:
        rows: Current rows of the register, of other classes too.
        model: The model that will grade.
        item: The register.
    """
    named = any(one.column == _NAME and not one.personal for one in item.fields)
    register = model.register
    rated: list[Subject] = []
    unknown: list[Subject] = []
    no_model = 0
    for row in rows:
        code = str(row[item.subject_field])
        if not code.startswith(register.prefix or "") or any(
            _text(row, column) != value for column, value in register.where.items()
        ):
            continue
        subject = Subject(
            code=code,
            name=_text(row, _NAME) if named else "",
            level=_text(row, register.level),
            type=_text(row, register.type),
        )
        if subject.level in model.levels and subject.type in model.types:
            rated.append(subject)
            continue
        no_model += 1
        unknown = sorted([*unknown, subject], key=lambda one: one.code)[:NAMED]
    rated.sort(key=lambda subject: subject.code)
    return SubjectList(rated=tuple(rated), no_model=no_model, unknown=tuple(unknown))


def institutions_of(
    connection: Connection, vault: Vault, item: InformationItem, subjects: Sequence[str]
) -> dict[str, str]:
    """The institution whose custodian hears of each subject (告知对象).

    An institution is its own. Staff belong to the institution of their register's row. Persons
    and organisations have none: their grades are published and sent to nobody.

    Args:
        connection: A reading transaction.
        vault: Opens department rows.
        item: The register of the subjects.
        subjects: Subject ids, sorted; a batch.

    Raises:
        HubStoreError: A stored row does not open.
    """
    if item.subject_type == INSTITUTION:
        return {subject: subject for subject in subjects}
    if item.subject_type != STAFF or not subjects:
        return {}
    wanted = frozenset(subjects)
    rows = load_rows(connection, vault, item, item_row.c.subject.between(subjects[0], subjects[-1]))
    return {
        subject: str(row[_INSTITUTION])
        for row in rows
        if (subject := str(row[item.subject_field])) in wanted and row.get(_INSTITUTION)
    }


def _text(row: Mapping[str, ItemValue], column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)
