"""Why a message or a line was refused: one rule, one field, and how to mend it.

A fault never stops a file: the message goes to quarantine (隔离区) with its
fault and the rest goes in. Rules are stable names: operators filter by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from node.domain.masking import shorten, show

__all__ = ["MENDS", "Fault", "Rule"]


class Rule(StrEnum):
    """The rule a message broke."""

    UTF8_INVALID = "utf8_invalid"
    JSON_BROKEN = "json_broken"
    LINE_TOO_LONG = "line_too_long"
    FILE_TRUNCATED = "file_truncated"
    MESSAGE_SHAPE = "message_shape"
    INFNO_UNKNOWN = "infno_unknown"
    INFNO_MISMATCH = "infno_mismatch"
    MSGID_FORMAT = "msgid_format"
    MSGID_INSTITUTION = "msgid_institution"
    MSGID_CONFLICT = "msgid_conflict"
    INSTITUTION_UNKNOWN = "institution_unknown"
    FIELD_MISSING = "field_missing"
    FIELD_TYPE = "field_type"
    FIELD_TOO_LONG = "field_too_long"
    CODE_UNKNOWN = "code_unknown"
    NUMBER_SCALE = "number_scale"
    NUMBER_RANGE = "number_range"
    NUMBER_NEGATIVE = "number_negative"
    DATE_INVALID = "date_invalid"
    DATE_FUTURE = "date_future"
    DATE_TOO_EARLY = "date_too_early"
    DATE_OUTSIDE_PERIOD = "date_outside_period"
    DATE_ORDER = "date_order"
    CHECK_DIGIT = "check_digit"
    PERSON_MISMATCH = "person_mismatch"
    VISIT_MISMATCH = "visit_mismatch"
    AMOUNTS_DISAGREE = "amounts_disagree"
    DUPLICATE_LINE = "duplicate_line"
    REVERSAL_WITHOUT_ORIGINAL = "reversal_without_original"
    ALREADY_REVERSED = "already_reversed"
    CSV_LINE = "csv_line"
    TABLE_CELL = "table_cell"
    SIGNATURE_INVALID = "signature_invalid"


MENDS: Final[Mapping[Rule, str]] = {
    Rule.UTF8_INVALID: "export the file again as UTF-8",
    Rule.JSON_BROKEN: "send the whole message again as one JSON object on one line",
    Rule.LINE_TOO_LONG: "split the message: one message has at most 4 MiB",
    Rule.FILE_TRUNCATED: "copy the whole file again and ingest it; what went in is kept",
    Rule.MESSAGE_SHAPE: "send {infno, request, response} with a request that holds 'input'",
    Rule.INFNO_UNKNOWN: "use a transaction of the national interface",
    Rule.INFNO_MISMATCH: "give the same infno outside and inside of the request",
    Rule.MSGID_FORMAT: "build msgid as institution code, yyyyMMddHHmmss and four digits",
    Rule.MSGID_INSTITUTION: "build msgid with the code of the sending institution",
    Rule.MSGID_CONFLICT: "give every message its own msgid; send a correction as a new message",
    Rule.INSTITUTION_UNKNOWN: "have the hub put the institution into this node's custody",
    Rule.FIELD_MISSING: "fill the field and send the message again",
    Rule.FIELD_TYPE: "send the field in the type that the interface names",
    Rule.FIELD_TOO_LONG: "keep to the length that the interface names",
    Rule.CODE_UNKNOWN: "use a code of the national code list",
    Rule.NUMBER_SCALE: "round the number to the decimals that the interface names",
    Rule.NUMBER_RANGE: "check the number: it is outside what can be counted exactly",
    Rule.NUMBER_NEGATIVE: "send refunds with init_feedetl_sn, reversals as 2208, 2305 or 2103",
    Rule.DATE_INVALID: "write days as yyyy-MM-dd and moments as yyyy-MM-dd HH:mm:ss",
    Rule.DATE_FUTURE: "check the clock of the sending system and the day of the record",
    Rule.DATE_TOO_EARLY: "check the day: nothing before 2000-01-01 is taken in",
    Rule.DATE_OUTSIDE_PERIOD: "put the record into the file of its own period",
    Rule.DATE_ORDER: "check the two days: the end lies before the beginning",
    Rule.CHECK_DIGIT: "check the number for a typing error: its check digit is wrong",
    Rule.PERSON_MISMATCH: "pair the request with its own response",
    Rule.VISIT_MISMATCH: "pair the request with its own response",
    Rule.AMOUNTS_DISAGREE: "check the amounts: the total is not the sum of its parts",
    Rule.DUPLICATE_LINE: "number the detail lines of one message without repeats",
    Rule.REVERSAL_WITHOUT_ORIGINAL: "ingest the original settlement first, then this file again",
    Rule.ALREADY_REVERSED: "leave a repeat out: it counts already; else name the settlement meant",
    Rule.CSV_LINE: "repair the line: as many fields as the header, quotes closed",
    Rule.TABLE_CELL: "give every cell one plain value, no formula and no sign that does not print",
    Rule.SIGNATURE_INVALID: "sign the canonical JSON of input with the key named in node.toml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first fault found in one message or line."""

    rule: Rule
    """The rule that was broken."""
    field: str
    """Path of the field, for example ``request.data.cnt``; empty for the whole message."""
    value: str
    """The offending value as far as it may be shown; see ``node.domain.masking``."""
    reason: str
    """What was found and what was expected."""
    hint: str = ""
    """How to mend it where that is known better than by the rule alone."""

    @property
    def mend(self) -> str:
        """How to mend it, for the operator."""
        return self.hint or MENDS[self.rule]

    @classmethod
    def of(
        cls,
        rule: Rule,
        field: str,
        value: object,
        expected: str,
        *,
        personal: bool = False,
        hint: str = "",
    ) -> "Fault":
        """Build a fault from a value from outside; the wording is the same everywhere.

        Args:
            rule: The rule that was broken.
            field: Path of the field.
            value: The value as found; shown only as far as it may be.
            expected: What was expected, in words of our own.
            personal: True when the field is personal.
            hint: How to mend it; empty for what the rule says.

        >>> Fault.of(Rule.NUMBER_NEGATIVE, "request.feedetail.cnt", -2, "zero or more").reason
        'request.feedetail.cnt is -2, expected zero or more'
        """
        return cls._worded(rule, field, show(value, personal=personal), expected, hint)

    @classmethod
    def told(cls, rule: Rule, field: str, found: str, expected: str, hint: str = "") -> "Fault":
        """Build a fault whose finding is told in words of our own, without any value.

        >>> Fault.told(Rule.MESSAGE_SHAPE, "", "without request.input", "an object").reason
        'the message is without request.input, expected an object'
        """
        return cls._worded(rule, field, shorten(found), expected, hint)

    @classmethod
    def _worded(cls, rule: Rule, field: str, shown: str, expected: str, hint: str) -> "Fault":
        subject = field or "the message"
        reason = f"{subject} is {shown}, expected {expected}"
        return cls(rule=rule, field=field, value=shown, reason=reason, hint=hint)
