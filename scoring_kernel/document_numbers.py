"""Numbers of decisions (文书号) where a decision is about a person.

Rules:
- Such a number holds nothing but the abbreviation of an agency (机关代字), the year in
  brackets, a number and 号; a court's has the year first and may have the court's code.
- An identity number, and any run of eleven digits, is refused by its own name: telephone
  and person numbers are that long, numbers of documents are not.
- Whether an abbreviation is somebody's name cannot be told.

Source:
    Form of official documents (党政机关公文格式, GB/T 9704) and of case numbers of the
    courts (案号); the bounds are this system's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scoring_kernel.subject_ids import holds_id_card

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT: Final = "document"
"""Field type of such a number."""

_YEAR: Final = r"(?:\u301420\d\d\u3015|\(20\d\d\)|\uff0820\d\d\uff09|\[20\d\d\])"
_HAN: Final = r"[\u4e00-\u9fff]"
_FORM: Final = re.compile(
    rf"{_HAN}{{1,20}}{_YEAR}\u7b2c?\d{{1,10}}\u53f7"
    rf"|{_YEAR}{_HAN}{{1,10}}\d{{0,4}}{_HAN}{{0,10}}\d{{1,10}}\u53f7",
    re.ASCII,
)
"""Agency, year, number; or a court's year, court, kind of case, number; then 号."""
_LONG_RUN: Final = re.compile(r"\d{11}", re.ASCII)

MENDS: Final[Mapping[str, str]] = {
    "id_number": "Remove the identity number: give the decision's number.",
    "digit_run": "Remove the run of 11 or more digits: give the decision's number.",
    "document_form": (
        "Give agency, year in brackets, number and \u53f7 only, such as "
        "\u6e29\u533b\u4fdd\u7f5a\u30142026\u301512\u53f7."
    ),
}
"""How to mend a number, by the rule it breaks."""


def document_fault(text: str) -> str | None:
    """Name the rule that a number of a decision about a person breaks.

    Args:
        text: The number as it stands in a file.

    Returns:
        One of ``MENDS``; None where the number may be kept.

    >>> document_fault("\u6e29\u533b\u4fdd\u7f5a\u30142026\u301512\u53f7")
    >>> document_fault("(2026)\u6d590302\u5211\u521d123\u53f7")
    >>> document_fault("13800138000"), document_fault("12\u53f7")
    ('digit_run', 'document_form')
    """
    if holds_id_card(text):
        return "id_number"
    if _LONG_RUN.search(text):
        return "digit_run"
    return None if _FORM.fullmatch(text) else "document_form"
