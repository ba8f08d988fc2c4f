"""Errors of the scoring kernel: one base, and one type per way of acting on it.

A message says what was found, what was expected, which record it concerns (by
id, never by name or ID-card number) and what to do about it.
"""

from __future__ import annotations


class KernelError(Exception):
    """Base of every error that leaves ``scoring_kernel``."""


class CatalogError(KernelError):
    """A catalogue file breaks a rule of its format.

    Attributes:
        file: Path of the file inside the catalogue.
        line: Line of the mistake, counted from 1; 0 when the whole file is meant.
        problem: What was found, what was expected, what to do.
    """

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem

    def __reduce__(self) -> tuple[type[CatalogError], tuple[str, int, str]]:
        """Let the error cross a process border with its three parts."""
        return type(self), (self.file, self.line, self.problem)


class CatalogInstalledError(KernelError):
    """A catalogue was to be installed in a process that has one already."""


class PackFileError(KernelError):
    """A model pack is damaged, of another format, or not made for this kernel."""


class RuleError(CatalogError):
    """A supervision rule, relation or knowledge table breaks a rule of its format or subset."""


class KernelInputError(KernelError):
    """Arrays, columns or subjects handed to the kernel do not fit together."""


class ParameterNotInForceError(KernelError):
    """A parameter has no value in force on the day asked for."""


class ModelNotInForceError(KernelError):
    """A model was asked for a day on which it does not hold."""


class DraftModelError(KernelError):
    """A model in status ``draft`` was asked to grade."""


class ModelFileError(KernelError):
    """A compiled model is damaged, of another format, or not made for what it is asked."""


class PeriodError(KernelError):
    """A text does not name a rating period such as ``2026H1``."""


class ItemRowError(KernelError):
    """One field of a department's row breaks a rule of its information item.

    Attributes:
        field: Name of the field as the information item spells it.
        rule: Identifier of the rule that was broken.
        masked: The value found, masked where the field is personal.
        mend: What the sender has to change.
    """

    def __init__(self, field: str, rule: str, masked: str, mend: str) -> None:
        super().__init__(f"field {field}: rule {rule}: found {masked}: {mend}")
        self.field = field
        self.rule = rule
        self.masked = masked
        self.mend = mend

    def __reduce__(self) -> tuple[type[ItemRowError], tuple[str, str, str, str]]:
        """Let the error cross a process border with its four parts."""
        return type(self), (self.field, self.rule, self.masked, self.mend)


class FaceModelError(KernelError):
    """A file of a face model is damaged, another than its manifest names, or does not fit it."""


class FaceImageError(KernelError):
    """An image cannot be read, or no single face in it is fit to be compared.

    Attributes:
        fault: Stable word of what is wrong, for example ``no_face`` or ``blurred``.
    """

    def __init__(self, fault: str, problem: str) -> None:
        super().__init__(problem)
        self.fault = fault
        self.problem = problem

    def __reduce__(self) -> tuple[type[FaceImageError], tuple[str, str]]:
        """Let the error cross a process border with its two parts."""
        return type(self), (self.fault, self.problem)


class TemplateMismatchError(KernelError):
    """Two vectors were to be compared that are not of one model, transform and length."""


class CalibrationError(KernelError):
    """A threshold cannot be found from these pairs: too few, one-sided, or out of reach."""
