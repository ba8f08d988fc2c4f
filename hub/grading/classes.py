"""The classes of subjects (主体类别) and the models that grade them, as commands name them.

Rules:
- A class is named by its id, or by the short alias of its model; both are unique.
- Only classes whose inputs are measured by members and whose subjects are institutions wait
  for statements: nobody can be silent who has nothing to state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import GradingError
from hub.grading.inputs import is_item_column
from hub.grading.subjects import register_of
from scoring_kernel.subject_ids import INSTITUTION

if TYPE_CHECKING:
    from scoring_kernel import Catalog
    from scoring_kernel.model import RatingModel


def models_to_grade(catalog: Catalog, named: str | None = None) -> tuple[RatingModel, ...]:
    """Models of all classes, those that wait for statements first, or the one named.

    Args:
        catalog: The catalogue.
        named: Id or alias of a class; None for all.

    Raises:
        GradingError: No class has that name, or the catalogue has no model at all.
    """
    if named is not None:
        return (get_model(catalog, named),)
    if not catalog.models:
        raise GradingError("The catalogue has no model; install a complete catalogue.")
    models = sorted(catalog.models.values(), key=lambda model: model.subject_class)
    return tuple(sorted(models, key=lambda model: not awaits_statements(catalog, model)))


def get_model(catalog: Catalog, named: str) -> RatingModel:
    """The model of a class.

    Args:
        catalog: The catalogue.
        named: Id or alias of the class.

    Raises:
        GradingError: No class has that name.
    """
    for model in catalog.models.values():
        if named in {model.subject_class, model.alias}:
            return model
    known = ", ".join(sorted(str(model.alias) for model in catalog.models.values()))
    raise GradingError(
        f"No model grades the class {named[:40]!r}; this catalogue knows {known or 'none'}."
    )


def class_id(catalog: Catalog, named: str | None) -> str | None:
    """Id of a class that a command named by id or alias; None where it named none.

    Raises:
        GradingError: No class has that name.
    """
    return None if named is None else get_model(catalog, named).subject_class


def awaits_statements(catalog: Catalog, model: RatingModel) -> bool:
    """Whether a class is graded only when every subject stated something."""
    return register_of(catalog, model).subject_type == INSTITUTION and any(
        not is_item_column(column) for column in model.input_columns
    )


def pushed_classes(catalog: Catalog) -> tuple[str, ...]:
    """Classes whose grades go up to the parent hub; a class without a model stays at home."""
    return tuple(sorted(model.subject_class for model in catalog.models.values() if model.pushed))
