"""The JSON of a calibration, read strictly: every value has its type and bounds, none is left over.

Rules:
- Whatever is not as ``Calibration.to_json`` writes it is a ``CalibrationError`` that names the key.
- What must agree does: the interval holds the point, rates lie in their intervals, counts are those
  of the pairs, and the false-accept rate at the point is within the target.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.error_rates import MICRO, Rate
from scoring_kernel.faces.fitting import (
    MAX_FAR_E6,
    MAX_ROUNDS,
    MIN_GENUINE,
    MIN_ROUNDS,
    MIN_SUBJECTS,
    RULE_OF_THREE,
    CalibrationResult,
    GroupRates,
    Method,
    Operating,
)
from scoring_kernel.faces.matching import ONE_E4
from scoring_kernel.faces.pair_table import MAX_GROUPS, MAX_LABEL, MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMAT", "MAX_BYTES", "Document", "read_document", "result_from", "result_values"]

FORMAT: Final = 1
MAX_BYTES: Final = 64 * 1024
"""Largest calibration, bytes."""
_MAX_FAULTS: Final = 16
_FAULT: Final = re.compile(r"[a-z_]{1,32}")
_DIGEST: Final = r"[0-9a-f]{64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A JSON object whose values are taken out by type."""

    values: Mapping[str, Any]
    path: str = ""

    def wrong(self, key: str, expected: str) -> CalibrationError:
        """Build (not raise) the error for a key."""
        return CalibrationError(
            f"calibration: {self.path}{key}: expected {expected}; take the file as "
            "`yixin device calibrate` wrote it"
        )

    def number(self, key: str, least: int, most: int) -> int:
        """A whole number within [least, most].

        Raises:
            CalibrationError: Absent or anything else.
        """
        value = self.values.get(key)
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def find_number(self, key: str, least: int, most: int) -> int | None:
        """Likewise, or None where it is null.

        Raises:
            CalibrationError: Absent or anything else.
        """
        if key in self.values and self.values[key] is None:
            return None
        return self.number(key, least, most)

    def flag(self, key: str) -> bool:
        """True or false.

        Raises:
            CalibrationError: Absent or anything else.
        """
        value = self.values.get(key)
        if type(value) is not bool:
            raise self.wrong(key, "true or false")
        return value

    def text(self, key: str, pattern: str) -> str:
        """Text that a pattern matches as a whole.

        Raises:
            CalibrationError: Absent or anything else.
        """
        value = self.values.get(key)
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise self.wrong(key, f"text of the form {pattern}")
        return value

    def digest(self, key: str) -> bytes:
        """32 bytes, given in hexadecimal.

        Raises:
            CalibrationError: Absent or anything else.
        """
        return bytes.fromhex(self.text(key, _DIGEST))

    def find_digest(self, key: str) -> bytes | None:
        """Likewise, or None where it is null.

        Raises:
            CalibrationError: Absent or anything else.
        """
        return None if key in self.values and self.values[key] is None else self.digest(key)

    def moment(self, key: str) -> datetime:
        """A moment in UTC, to the second.

        Raises:
            CalibrationError: Absent or anything else.
        """
        text = self.text(key, r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise self.wrong(key, "a moment such as 2026-11-23T08:00:00Z") from error

    def counts(self, key: str) -> dict[str, int]:
        """Counts by word.

        Raises:
            CalibrationError: Absent or anything else.
        """
        inner = self.inner(key)
        if len(inner.values) > _MAX_FAULTS or not all(map(_FAULT.fullmatch, inner.values)):
            raise self.wrong(key, "counts by fault")
        return {name: inner.number(name, 1, MAX_ROWS) for name in inner.values}

    def inner(self, key: str) -> Document:
        """An object inside.

        Raises:
            CalibrationError: Absent or anything else.
        """
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return Document(values=value, path=f"{self.path}{key}.")

    def rate(self, key: str, of: int) -> Rate:
        """A share of some pairs, at least one, with its interval around it.

        Raises:
            CalibrationError: Absent or anything else.
        """
        value = self.values.get(key)
        whole = (
            isinstance(value, list) and len(value) == 3 and all(type(one) is int for one in value)
        )
        if not whole or value is None or of < 1 or not 0 <= value[0] <= of:
            raise self.wrong(key, "a count with the ends of its interval")
        rate = Rate(count=value[0], of=of, low_e6=value[1], high_e6=value[2])
        if not 0 <= rate.low_e6 <= rate.e6 <= rate.high_e6 <= MICRO:
            raise self.wrong(key, "an interval that holds its share")
        return rate


def read_document(content: bytes) -> Document:
    """Read the JSON of a calibration.

    Raises:
        CalibrationError: Too large, no JSON object, or of another format.
    """
    if len(content) > MAX_BYTES:
        raise CalibrationError(f"calibration: {len(content)} bytes, expected at most {MAX_BYTES}")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CalibrationError("calibration: not the JSON of a calibration") from error
    if not isinstance(values, dict):
        raise CalibrationError("calibration: not the JSON of a calibration")
    document = Document(values=values)
    document.number("format", FORMAT, FORMAT)
    return document


def result_values(result: CalibrationResult) -> dict[str, object]:
    """The result as JSON values."""
    return {
        "at_point": _operating_values(result.point),
        "at_upper_end": _operating_values(result.cautious),
        "confidence_e4": result.confidence_e4,
        "genuine": result.point.tar.of,
        "groups": [
            {
                "far": _rate_values(one.far),
                "frr": _rate_values(one.frr),
                "genuine": one.genuine,
                "impostor": one.impostor,
                "name": one.name,
                "subjects": one.subjects,
            }
            for one in result.groups
        ],
        "high_e4": result.cautious.threshold_e4,
        "impostor": result.point.far.of,
        "low_e4": result.low_e4,
        "method": result.method.value,
        "point_e4": result.point.threshold_e4,
        "rounds": result.rounds,
        "subjects": result.subjects,
        "target_far_e6": result.target_far_e6,
    }


def result_from(document: Document) -> CalibrationResult:
    """The result from JSON values.

    Raises:
        CalibrationError: A value is missing, out of bounds, or does not agree with the others.
    """
    target = document.number("target_far_e6", 1, MAX_FAR_E6)
    genuine = document.number("genuine", MIN_GENUINE, MAX_ROWS)
    impostor = document.number("impostor", -(-RULE_OF_THREE * MICRO // target), MAX_ROWS)
    low = document.number("low_e4", -ONE_E4, ONE_E4)
    point = document.number("point_e4", low, ONE_E4)
    high = document.number("high_e4", point, ONE_E4)
    method = Method(document.text("method", "|".join(Method)))
    named = method is Method.SUBJECTS
    subjects = document.find_number("subjects", MIN_SUBJECTS, 2 * MAX_ROWS)
    rounds = document.number("rounds", MIN_ROUNDS if named else 0, MAX_ROUNDS if named else 0)
    if (subjects is None) == named:
        raise document.wrong("subjects", "a number for the method subjects alone")
    operating = {
        key: Operating(
            threshold_e4=threshold,
            tar=document.inner(key).rate("tar", genuine),
            far=document.inner(key).rate("far", impostor),
        )
        for key, threshold in (("at_point", point), ("at_upper_end", high))
    }
    at_point, at_high = operating["at_point"], operating["at_upper_end"]
    if at_point.far.count * MICRO > target * impostor or at_high.far.count > at_point.far.count:
        raise document.wrong("at_point", "a false-accept rate within the target")
    return CalibrationResult(
        target_far_e6=target,
        point=at_point,
        low_e4=low,
        cautious=at_high,
        confidence_e4=document.number("confidence_e4", 5_000, 9_999),
        method=method,
        rounds=rounds,
        subjects=subjects,
        groups=_groups_from(document),
    )


def _groups_from(document: Document) -> tuple[GroupRates, ...]:
    listed = document.values.get("groups")
    if not isinstance(listed, list) or len(listed) > MAX_GROUPS:
        raise document.wrong("groups", f"a list of at most {MAX_GROUPS} groups")
    found = []
    for number, value in enumerate(listed):
        if not isinstance(value, dict):
            raise document.wrong("groups", "a list of objects")
        inner = Document(values=value, path=f"groups[{number}].")
        genuine = inner.number("genuine", 0, MAX_ROWS)
        impostor = inner.number("impostor", 0, MAX_ROWS)
        name = inner.text("name", rf"\S(?:.{{0,{MAX_LABEL - 2}}}\S)?")
        if not name.isprintable():
            raise inner.wrong("name", "text without control characters")
        found.append(
            GroupRates(
                name=name,
                subjects=inner.find_number("subjects", 0, 2 * MAX_ROWS),
                genuine=genuine,
                impostor=impostor,
                far=None if inner.values.get("far") is None else inner.rate("far", impostor),
                frr=None if inner.values.get("frr") is None else inner.rate("frr", genuine),
            )
        )
    names = [one.name for one in found]
    if names != sorted(set(names)):
        raise document.wrong("groups", "groups in the order of their names, each once")
    return tuple(found)


def _operating_values(operating: Operating) -> dict[str, object]:
    return {"far": _rate_values(operating.far), "tar": _rate_values(operating.tar)}


def _rate_values(rate: Rate | None) -> list[int] | None:
    return None if rate is None else [rate.count, rate.low_e6, rate.high_e6]
