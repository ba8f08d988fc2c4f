"""Faults of department files: what was refused, where, why, and how to mend it.

Rules: a fault never repeats a value that may be personal; line faults tell sizes
and counts only, field faults carry what the kernel's parser has masked. The rule
names are stable: reports and supervisors count by them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.errors import ImportFileError

WHOLE_FILE: Final = 0


class Rule(StrEnum):
    """Rules that only the hub knows; those of tables and of fields are the kernel's."""

    FILE_NAME = "file_name"
    HEADER_MISMATCH = "header_mismatch"
    OTHER_PERIOD = "other_period"
    EVENT_OUTSIDE_PERIOD = "event_outside_period"
    UNKNOWN_INSTITUTION = "unknown_institution"
    UNKNOWN_SUBJECT = "unknown_subject"
    DUPLICATE_KEY = "duplicate_key"
    TOO_MANY_FAULTS = "too_many_faults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One refused line, or one refused file when ``line`` is 0.

    Attributes:
        line: Line in the file, counted from 1; 0 for the whole file.
        field: Field of the information item; empty when the whole line is meant.
        rule: Stable name of the broken rule.
        masked: What was found, masked where it may be personal.
        mend: What the sender has to change.
        content: SHA-256 of the raw line, so that the same fault is known again; the line's
            number in files about persons.
    """

    line: int
    rule: str
    masked: str
    mend: str
    field: str = ""
    content: bytes = b""

    def identity(self, item: str, period: str, file_name: str) -> bytes:
        """Name the fault independently of the line it stands on.

        Returns:
            SHA-256 over item, period, file name, line content, field and rule.
        """
        digest = hashlib.sha256()
        for part in (item, period, file_name, self.field, self.rule):
            digest.update(part.encode() + b"\x00")
        digest.update(self.content)
        return digest.digest()


class FileFaultError(ImportFileError):
    """A file cannot be read as a whole; the import turns it into a quarantine row.

    Attributes:
        fault: The fault of the file.
    """

    def __init__(self, rule: str, masked: str, mend: str) -> None:
        super().__init__(f"{rule}: found {masked}: {mend}")
        self.fault = Fault(line=WHOLE_FILE, rule=rule, masked=masked, mend=mend)
