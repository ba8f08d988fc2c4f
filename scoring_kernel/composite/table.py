"""The input table of a composite model: one row per subject, one real column per measure.

Rules:
- NaN means not reported; infinity and values beyond ``MAX_VALUE`` are refused.
- Subjects and measures stand once each.
- The digest does not depend on the order of columns, nor on the bits of a NaN.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_VALUE: Final = 1e12
"""Largest size of a value: squares and their sums stay far from float64's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeTable:
    """Measured values of many subjects.

    Attributes:
        subjects: Subject ids, unique, n of them, at least one.
        measures: Measure ids, unique, k of them.
        values: float64, shape (n, k), in each measure's own unit; NaN not reported.
        cases: int64, shape (n, k): cases behind each value, never negative; None where
            they are not known.
    """

    subjects: tuple[str, ...]
    measures: tuple[str, ...]
    values: npt.NDArray[np.float64]
    cases: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together.

        Raises:
            KernelInputError: No subject, a subject or measure repeats, a shape or type
                differs, a value is infinite or too large, or cases are negative.
        """
        if not self.subjects:
            raise KernelInputError("composite table: found no subject, expected at least one")
        _refuse_repeats("subject", self.subjects)
        _refuse_repeats("measure", self.measures)
        shape = (len(self.subjects), len(self.measures))
        if self.values.shape != shape or self.values.dtype != np.float64:
            raise KernelInputError(
                f"composite table: values {self.values.shape} of {self.values.dtype}, "
                f"expected {shape} of float64"
            )
        # A NaN compares false, so only a reported value can be found here.
        wrong = np.argwhere(np.abs(self.values) > MAX_VALUE)
        if len(wrong):
            row, column = wrong[0]
            raise KernelInputError(
                f"subject {self.subjects[row]}, measure {self.measures[column]}: found "
                f"{float(self.values[row, column])!r}, expected at most {MAX_VALUE:.0e} in size, "
                "or nothing where it was not reported"
            )
        if self.cases is not None:
            self._refuse_cases(self.cases, shape)

    def _refuse_cases(self, cases: npt.NDArray[np.int64], shape: tuple[int, int]) -> None:
        if cases.shape != shape or cases.dtype != np.int64:
            raise KernelInputError(
                f"composite table: cases {cases.shape} of {cases.dtype}, expected {shape} of int64"
            )
        wrong = np.argwhere(cases < 0)
        if len(wrong):
            row, column = wrong[0]
            raise KernelInputError(
                f"subject {self.subjects[row]}, measure {self.measures[column]}: found "
                f"{int(cases[row, column])} cases, expected 0 or more"
            )

    def digest(self) -> bytes:
        """SHA-256 of all subjects with their reported values and cases, 32 bytes."""
        total = hashlib.sha256()
        for name in self.subjects:
            total.update(f"{name}\n".encode())
        for at in sorted(range(len(self.measures)), key=self.measures.__getitem__):
            known = ~np.isnan(self.values[:, at])
            total.update(f"{self.measures[at]}\n".encode())
            total.update(known.tobytes())
            # Adding 0.0 makes one zero of both.
            total.update((self.values[known, at] + 0.0).astype("<f8").tobytes())
            if self.cases is not None:
                total.update(self.cases[known, at].astype("<i8").tobytes())
        return total.digest()


def _refuse_repeats(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise KernelInputError(f"composite table: {what} {name} appears twice: keep one")
        seen.add(name)
