"""The input table (输入表): one row per subject, one integer column per model input.

Rules:
- A value that is not known is not present; its number is 0 and means nothing.
- Values are integers within ``MAX_INPUT``, in the unit of their measure: within it the
  plan's arithmetic in float64 is exact (``arithmetic.py``). Floats are refused, so that no
  NaN, infinity or fraction is cut to a number on the way.
- A formula takes a count below 0 for none; whoever fills a table refuses it
  (``refuse_negative``), so that it never counts in somebody's favour.
- The digest depends on names and values alone, so both ends of the wire agree.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from scoring_kernel.measures import BoolVector, IntVector
    from scoring_kernel.model import RatingModel


MAX_INPUT: Final = 10**13
"""Largest input in size (100 billion yuan in fen)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTable:
    """Inputs of many subjects.

    Attributes:
        subjects: Subject ids, unique, n of them.
        levels: Level of each subject, as the model names levels.
        types: Type of each subject, as the model names types.
        columns: Input columns, unique, m of them.
        values: int64, shape (n, m); 0 where not present.
        present: bool, shape (n, m).
    """

    subjects: tuple[str, ...]
    levels: tuple[str, ...]
    types: tuple[str, ...]
    columns: tuple[str, ...]
    values: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together.

        Raises:
            KernelInputError: Shapes or types differ, a subject or column repeats, or a
                value exceeds ``MAX_INPUT``.
        """
        n, m = len(self.subjects), len(self.columns)
        if len(self.levels) != n or len(self.types) != n:
            raise KernelInputError(
                f"input table: {len(self.levels)} levels and {len(self.types)} types "
                f"for {n} subjects"
            )
        if len(set(self.subjects)) != n or len(set(self.columns)) != m:
            raise KernelInputError("input table: a subject or a column appears twice")
        if self.values.shape != (n, m) or self.present.shape != (n, m):
            raise KernelInputError(
                f"input table: values {self.values.shape}, present {self.present.shape}, "
                f"expected ({n}, {m})"
            )
        if self.values.dtype != np.int64 or self.present.dtype != np.bool_:
            raise KernelInputError(
                f"input table: values {self.values.dtype}, present {self.present.dtype}, "
                "expected int64 and bool"
            )
        if n and m and max(int(self.values.max()), -int(self.values.min())) > MAX_INPUT:
            row, column = np.argwhere((self.values > MAX_INPUT) | (self.values < -MAX_INPUT))[0]
            raise KernelInputError(
                f"subject {self.subjects[row]}, column {self.columns[column]}: found "
                f"{int(self.values[row, column])}, expected at most {MAX_INPUT} in size: look "
                "for a unit mistake"
            )

    @classmethod
    def assemble(
        cls,
        model: RatingModel,
        subjects: Sequence[str],
        levels: Sequence[str],
        types: Sequence[str],
        parts: Mapping[str, tuple[IntVector, BoolVector]],
    ) -> InputTable:
        """Put columns together in the model's order.

        Args:
            model: Model whose ``input_columns`` are wanted.
            subjects: Subject ids, unique, n of them.
            levels: Level of each subject.
            types: Type of each subject.
            parts: Values and presence by column, each of shape (n,). Columns the model
                does not read are ignored; absent ones are not present.

        Returns:
            The table, stored column by column.

        Raises:
            KernelInputError: A part has another shape or type, or a level or type is unknown.
        """
        n, columns = len(subjects), model.input_columns
        # Few pairs occur among many subjects: each is looked at once.
        strange = {
            (level, kind)
            for level, kind in set(zip(levels, types, strict=True))
            if level not in model.levels or kind not in model.types
        }
        if strange:
            subject, level, kind = next(
                row for row in zip(subjects, levels, types, strict=True) if row[1:] in strange
            )
            raise KernelInputError(
                f"subject {subject}: level {level[:20]!r}, type {kind[:20]!r}; model "
                f"{model.id} knows levels {model.levels} and types {model.types}"
            )
        # Columns lie next to each other, so the scorer reads each in one sweep.
        values = np.zeros((len(columns), n), np.int64)
        present = np.zeros((len(columns), n), np.bool_)
        for index, column in enumerate(columns):
            if column not in parts:
                continue
            numbers, known = parts[column]
            if numbers.shape != (n,) or known.shape != (n,):
                raise KernelInputError(
                    f"column {column}: shapes {numbers.shape} and {known.shape}, expected ({n},)"
                )
            if numbers.dtype != np.int64 or known.dtype != np.bool_:
                raise KernelInputError(
                    f"column {column}: {numbers.dtype} and {known.dtype}, expected int64 and bool: "
                    "make whole numbers of the values where they are read"
                )
            present[index] = known
            values[index] = np.where(known, numbers, 0)
        return cls(
            subjects=tuple(subjects),
            levels=tuple(levels),
            types=tuple(types),
            columns=columns,
            values=values.T,
            present=present.T,
        )

    def refuse_negative(self, columns: Collection[str]) -> None:
        """Refuse a number below 0 in columns that count.

        Args:
            columns: Columns whose values are never negative; others of them are ignored.

        Raises:
            KernelInputError: A present value is negative.
        """
        for at, column in enumerate(self.columns):
            if column not in columns or not len(self.subjects):
                continue
            values = self.values[:, at]
            if int(values.min()) >= 0:
                continue
            wrong = np.flatnonzero((values < 0) & self.present[:, at])
            if len(wrong):
                raise KernelInputError(
                    f"subject {self.subjects[wrong[0]]}, column {column}: found "
                    f"{int(values[wrong[0]])}, but a count is never negative: have it stated again"
                )

    def select(self, columns: Sequence[str]) -> InputTable:
        """Keep some columns, in the order given.

        Raises:
            KernelInputError: A column is not in the table.
        """
        at = [self.position(column) for column in columns]
        return InputTable(
            subjects=self.subjects,
            levels=self.levels,
            types=self.types,
            columns=tuple(columns),
            values=self.values[:, at],
            present=self.present[:, at],
        )

    def rows(self, mask: BoolVector) -> InputTable:
        """Keep the subjects whose mask is true.

        Raises:
            KernelInputError: The mask has another length.
        """
        if mask.shape != (len(self.subjects),):
            raise KernelInputError(f"mask {mask.shape}, expected ({len(self.subjects)},)")
        kept = np.flatnonzero(mask)
        return InputTable(
            subjects=tuple(self.subjects[row] for row in kept),
            levels=tuple(self.levels[row] for row in kept),
            types=tuple(self.types[row] for row in kept),
            columns=self.columns,
            values=self.values[kept],
            present=self.present[kept],
        )

    def position(self, column: str) -> int:
        """Position of a column.

        Raises:
            KernelInputError: The column is not in the table.
        """
        try:
            return self.columns.index(column)
        except ValueError as error:
            raise KernelInputError(f"input table has no column {column}") from error

    def digest(self, row: int | None = None) -> bytes:
        """SHA-256 of one subject's inputs, or of the whole table.

        Args:
            row: Position of the subject; None for the table.

        Returns:
            32 bytes. The order of columns does not matter.
        """
        rows = range(len(self.subjects)) if row is None else (row,)
        order = sorted(range(len(self.columns)), key=self.columns.__getitem__)
        total = hashlib.sha256()
        for index in rows:
            head = f"{self.subjects[index]}|{self.levels[index]}|{self.types[index]}\n"
            lines = [
                f"{self.columns[at]}={int(self.values[index, at])}\n"
                for at in order
                if self.present[index, at]
            ]
            total.update("".join((head, *lines)).encode())
        return total.digest()
