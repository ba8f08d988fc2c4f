"""List of institutions that a token puts into a member's custody: a CSV text, or plain codes."""

import csv
import io
import re
from typing import Final

from hub.domain.custody import EVERY_SET, OPEN_END, Custody
from hub.domain.members import MemberId, parse_institution
from hub.errors import CustodyError

COLUMNS: Final = ("institution", "name", "level", "type", "division")
MAX_ROWS: Final = 200_000
_CODES: Final = re.compile(r"[HP][0-9]{11}(?:,[HP][0-9]{11})*")


def is_code_list(text: str) -> bool:
    """Whether a text is a comma-separated list of institution codes.

    >>> is_code_list("H33030200001,P33030200002"), is_code_list("custody.csv")
    (True, False)
    """
    return _CODES.fullmatch(text) is not None


def parse_codes(text: str, member: MemberId, from_month: int) -> tuple[Custody, ...]:
    """Custody rows of plain codes: names and classes come later, with the register of item 20.

    Args:
        text: Codes, separated by commas.
        member: Custodian.
        from_month: First month, yyyymm.

    Raises:
        ConfigurationError: A code is malformed.
    """
    return tuple(
        Custody(
            institution=parse_institution(code),
            measure_set=EVERY_SET,
            member=member,
            from_month=from_month,
            to_month=OPEN_END,
            name=code,
            level="0",
            type="pharmacy" if code.startswith("P") else "general",
            division=code[1:7],
        )
        for code in dict.fromkeys(text.split(","))
    )


def parse_list(text: str, member: MemberId, from_month: int) -> tuple[Custody, ...]:
    """Custody rows of a CSV text with the columns institution, name, level, type, division.

    Args:
        text: CSV with a header line; further columns are ignored.
        member: Custodian.
        from_month: First month, yyyymm.

    Raises:
        CustodyError: A column is missing, there is no row or too many, or a row is malformed.
        ConfigurationError: A code is malformed.
    """
    reader = csv.DictReader(io.StringIO(text), strict=True)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise CustodyError(
            f"The list of institutions lacks the columns {', '.join(missing)}; its first line "
            f"must be {','.join(COLUMNS)}."
        )
    rows: list[Custody] = []
    try:
        for row in reader:
            if len(rows) == MAX_ROWS:
                raise CustodyError(f"The list holds more than {MAX_ROWS} institutions; cut it.")
            if any(row[name] is None for name in COLUMNS):
                raise CustodyError(f"Line {reader.line_num} has too few fields; complete it.")
            rows.append(
                Custody(
                    institution=parse_institution(row["institution"].strip()),
                    measure_set=EVERY_SET,
                    member=member,
                    from_month=from_month,
                    to_month=OPEN_END,
                    name=row["name"].strip(),
                    level=row["level"].strip(),
                    type=row["type"].strip(),
                    division=row["division"].strip(),
                )
            )
    except csv.Error as error:
        raise CustodyError(
            f"Line {reader.line_num} is not CSV ({error}); correct its quotes."
        ) from error
    if not rows:
        raise CustodyError("The list of institutions is empty; add a line per institution.")
    return tuple(rows)
