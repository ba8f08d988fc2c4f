"""Which model a command means: its id, its short name, or a file with an edited model.

Rules:
- An edited model is checked as part of the whole catalogue, exactly like a packaged one; it
  takes the place of the model with its id, or stands beside the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.errors import ModelChoiceError
from scoring_kernel.catalog_loader import load_catalog, parse_catalog, read_catalog_files
from scoring_kernel.errors import CatalogError, PeriodError
from scoring_kernel.groups import ID
from scoring_kernel.model_references import refuse_taken_names
from scoring_kernel.periods import Period
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.composite import CompositeModel
    from scoring_kernel.model import RatingModel

MAX_MODEL_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A model and the catalogue it belongs to.

    Attributes:
        catalog: The packaged catalogue, with the edited file where one was named.
        model: The model.
    """

    catalog: Catalog
    model: RatingModel


def choose_model(name: str) -> Choice:
    """Find a model by id, short name or file.

    Args:
        name: For example ``designated_medical_institution``, ``institution`` or ``edited.yaml``.

    Raises:
        ModelChoiceError: There is no such model or file.
        CatalogError: The file, or the catalogue with it, breaks a rule.
    """
    file = model_file(name)
    if file is not None:
        return _from_file(file)
    catalog = load_catalog()
    for model in catalog.models.values():
        if name in {model.id, model.alias}:
            return Choice(catalog=catalog, model=model)
    names = ", ".join(
        (*(model.alias or model.id for model in catalog.models.values()), *catalog.composites)
    )
    raise ModelChoiceError(f"no model {name[:80]!r}; expected one of {names}, or a .yaml file")


def find_composite(name: str) -> CompositeModel | None:
    """Find a composite model by id; None where the name means another kind of model."""
    return load_catalog().composites.get(name)


def model_file(name: str) -> Path | None:
    """Path of the file that a name means; None where it means a packaged model."""
    return Path(name) if name.endswith((".yaml", ".yml")) else None


def refuse_composite(name: str, command: str, instead: str) -> None:
    """Refuse a composite model where a points model is needed.

    Raises:
        ModelChoiceError: The name is a composite model's.
    """
    if find_composite(name) is not None:
        raise ModelChoiceError(f"{name} is a composite model, `{command}` is not for it: {instead}")


def refuse_given(model: str, options: Mapping[str, object]) -> None:
    """Refuse options that do not apply to a model.

    Args:
        model: Model id.
        options: Value by option; None where it was not given.

    Raises:
        ModelChoiceError: One was given.
    """
    for option, value in options.items():
        if value is not None:
            raise ModelChoiceError(f"{option} does not apply to {model}: leave it out")


def needed_measures(model: str, measures: Path | None) -> Path:
    """The measure table of a composite model.

    Raises:
        ModelChoiceError: It was not given.
    """
    if measures is None:
        raise ModelChoiceError(
            f"{model} is a composite model: name its measure table with --measures"
        )
    return measures


def parse_day(text: str | None, fallback: date) -> date:
    """Read a day such as ``2026-06-30``, or a period such as ``2026H1`` as its last day.

    Raises:
        ModelChoiceError: It is neither.
    """
    if text is None:
        return fallback
    try:
        if re.fullmatch(r"[0-9]{4}H[12]", text):
            return Period.parse(text).last_day
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except (PeriodError, ValueError) as error:
        raise _no_day(text) from error
    raise _no_day(text)


def _no_day(text: str) -> ModelChoiceError:
    return ModelChoiceError(
        f"day {text[:20]!r}: expected a day such as 2026-06-30 or a period such as 2026H1"
    )


def _from_file(path: Path) -> Choice:
    if not path.is_file():
        raise ModelChoiceError(f"{path}: there is no such file: check the path")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise ModelChoiceError(f"{path.name}: larger than {MAX_MODEL_BYTES} bytes: not a model")
    content = path.read_bytes()
    document = load_strict(content, str(path))
    model = document.text("id", pattern=ID)
    name = f"models/{model}.yaml"
    # Whoever edits a file shares a name by this file, wherever it stands in the alphabet.
    packaged = load_catalog().models.values()
    refuse_taken_names(document, [one for one in packaged if one.id != model])
    files: Mapping[str, bytes] = {**read_catalog_files(), name: content}
    try:
        catalog = parse_catalog(files)
    except CatalogError as error:
        raise _with_place(error, name, path) from error
    return Choice(catalog=catalog, model=catalog.models[model])


def _with_place(error: CatalogError, name: str, path: Path) -> CatalogError:
    """The same error, naming the file as the user named it."""
    if error.file != name:
        return error
    return CatalogError(str(path), error.line, error.problem)
