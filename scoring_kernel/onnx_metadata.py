"""What a compiled model says about itself, kept in the metadata of its ONNX file.

Rules:
- A file names the model and the reference it was compiled from by their digests, and the days on
  which it gives what the model gives: between two changes of a dated parameter or override.
- Everything is text in one fixed form; a file that says anything else is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Final

from scoring_kernel.bands import NOT_RATED
from scoring_kernel.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.model import RatingModel
    from scoring_kernel.reference import Reference

FORMAT: Final = "yixin-model-1"
"""Format of a compiled model; another one is another meaning of its inputs and outputs."""
SEAL: Final = "seal"
"""Name of the metadata with the SHA-256 of everything else: a damaged file is told at once."""
MAX_NAMES: Final = 4_096
"""Most names in one list."""
MAX_TEXT: Final = 128
"""Longest text."""

MAX_WEIGHT: Final = 100_000
"""Largest weight, hundredths of a point."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a compiled model is, and how its inputs and outputs are arranged.

    Attributes:
        format: ``FORMAT``.
        model: Id of the rating model.
        basis: Status of the model, ``proposal`` or ``final``.
        model_digest: Digest of the model file, hexadecimal.
        reference_digest: Digest of the peer reference, hexadecimal; empty without one.
        effective_from: First day it holds, ISO; empty where nothing changed before.
        effective_to: First day it no longer holds, ISO; empty where no change is known.
        columns: Input columns, one row of the inputs each.
        levels: Levels of subject; a row's group is ``level * len(types) + type``.
        types: Types of subject.
        indicators: Ids of the indicators, one row of the points each.
        weights: Their nominal weights, hundredths of a point.
        grades: Ids of the grades, best first; the last one is ``not_rated``.
        overrides: Ids of the overrides, one row of the overrides each.
    """

    format: str
    model: str
    basis: str
    model_digest: str
    reference_digest: str
    effective_from: str
    effective_to: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    types: tuple[str, ...]
    indicators: tuple[str, ...]
    weights: tuple[int, ...]
    grades: tuple[str, ...]
    overrides: tuple[str, ...]

    @classmethod
    def of(cls, model: RatingModel, reference: Reference | None, day: date) -> ModelCard:
        """Describe what is compiled for a day."""
        since, until = unchanged_days(model, day)
        return cls(
            format=FORMAT,
            model=model.id,
            basis=model.status.value,
            model_digest=model.digest.hex(),
            reference_digest="" if reference is None else reference.digest.hex(),
            effective_from="" if since is None else since.isoformat(),
            effective_to="" if until is None else until.isoformat(),
            columns=model.input_columns,
            levels=model.levels,
            types=model.types,
            indicators=tuple(one.id for one in model.indicators),
            weights=tuple(one.weight_centi for one in model.indicators),
            grades=(*(band.id for band in model.bands), NOT_RATED),
            overrides=tuple(one.id for one in model.overrides),
        )

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], graph: bytes) -> ModelCard:
        """Read what ``to_texts`` wrote.

        Args:
            texts: Metadata by name.
            graph: The serialised graph the metadata came with.

        Raises:
            ModelFileError: A text is missing, unknown, too long or of another form, or
                the seal is not that of the texts and the graph.
        """
        names = {field.name for field in fields(cls)}
        if set(texts) != {*names, SEAL} or texts["format"] != FORMAT:
            raise ModelFileError(
                f"compiled model: found metadata {sorted(texts)[:20]}, expected format {FORMAT}: "
                "compile the model again with `yixin model compile`"
            )
        found = _seal({name: texts[name] for name in names}, graph)
        if texts[SEAL] != found:
            raise ModelFileError(
                f"compiled model: sealed {texts[SEAL][:16]!r}, found {found[:16]}: the file is "
                "damaged, compile the model again with `yixin model compile`"
            )
        parts = {name: _read(name, texts[name]) for name in names}
        card = cls(**parts)  # type: ignore[arg-type]  # The forms are those of the fields.
        for name in ("effective_from", "effective_to"):
            _verify_day(name, texts[name])
        if not _DIGEST.fullmatch(card.model_digest):
            raise _damaged("model_digest")
        if card.reference_digest and not _DIGEST.fullmatch(card.reference_digest):
            raise _damaged("reference_digest")
        return card

    def to_texts(self, graph: bytes) -> dict[str, str]:
        """Metadata by name: texts as they are, lists as JSON, and the seal of all.

        Args:
            graph: The serialised graph.
        """
        found: dict[str, str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            found[field.name] = value if isinstance(value, str) else json.dumps(value)
        return found | {SEAL: _seal(found, graph)}

    def holds_on(self, day: date) -> bool:
        """Whether the compiled model gives what the model gives on a day."""
        text = day.isoformat()
        return self.effective_from <= text and (not self.effective_to or text < self.effective_to)


def unchanged_days(model: RatingModel, day: date) -> tuple[date | None, date | None]:
    """Days around a day on which neither a model nor one of its parameters or overrides changes.

    Args:
        model: The model.
        day: The day.

    Returns:
        First day, and first day after them; None where there is no such change.
    """
    changes = {
        change
        for indicator in model.indicators
        for parameter in indicator.parameters.values()
        for change in parameter.days
    }
    changes |= {model.since} if model.until is None else {model.since, model.until}
    for override in model.overrides:
        changes |= {override.since} if override.until is None else {override.since, override.until}
    before = [change for change in changes if change <= day]
    after = [change for change in changes if change > day]
    return max(before, default=None), min(after, default=None)


def _seal(texts: Mapping[str, str], graph: bytes) -> str:
    head = json.dumps(dict(texts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(head.encode() + b"\n" + graph).hexdigest()


_LISTS: Final = frozenset(("columns", "levels", "types", "indicators", "grades", "overrides"))


def _read(name: str, text: str) -> str | tuple[str, ...] | tuple[int, ...]:
    if name not in {*_LISTS, "weights"}:
        if len(text) > MAX_TEXT:
            raise _damaged(name)
        return text
    if len(text) > MAX_NAMES * MAX_TEXT:
        raise _damaged(name)
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(name) from error
    if not isinstance(names, list) or len(names) > MAX_NAMES:
        raise _damaged(name)
    if name == "weights":
        if not all(type(one) is int and 0 < one <= MAX_WEIGHT for one in names):
            raise _damaged(name)
        return tuple(names)
    if not all(isinstance(one, str) and 0 < len(one) <= MAX_TEXT for one in names) or len(
        set(names)
    ) < len(names):
        raise _damaged(name)
    return tuple(names)


def _verify_day(name: str, text: str) -> None:
    try:
        same = not text or date.fromisoformat(text).isoformat() == text
    except ValueError as error:
        raise _damaged(name) from error
    if not same:
        raise _damaged(name)


def _damaged(name: str) -> ModelFileError:
    return ModelFileError(
        f"compiled model: metadata {name} is malformed: "
        "compile the model again with `yixin model compile`"
    )
