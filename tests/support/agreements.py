"""Sharing agreements for tests: a sound one, and one with some parts changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from security.sharing import Agreement, Frequency

PROVIDER: Final = "yixin://330300/hub/city"
DEPARTMENT: Final = "yixin://330300/department/bank"
DAY_MS: Final = 86_400_000
BEGIN_MS: Final = 1_790_000_000_000
END_MS: Final = BEGIN_MS + 365 * DAY_MS

BANK: Final = Agreement(
    id="bank",
    version=1,
    name="医保信用贷",
    provider=PROVIDER,
    recipient=DEPARTMENT,
    via="",
    purpose="credit_loan",
    data_class="grade",
    payload_type="product",
    subject_classes=("designated_medical_institution", "designated_retail_pharmacy"),
    fields=("subject_class", "subject", "period", "grade"),
    row_filter='grade in ("excellent", "good")',
    frequency=Frequency.HALF_YEAR,
    retention_days=180,
    legal_basis="wenzhou_951_grades",
    valid_from_ms=BEGIN_MS,
    valid_to_ms=END_MS,
    suppress_below=0,
    query=False,
)


def changed(**parts: Any) -> Agreement:  # noqa: ANN401 - any part of an agreement
    """The bank's agreement with some parts changed."""
    return replace(BANK, **parts)


def statistic(**parts: Any) -> Agreement:  # noqa: ANN401 - any part of an agreement
    """An agreement over counts, with some parts changed."""
    counts: dict[str, Any] = {
        "data_class": "statistic",
        "fields": ("subject_class", "grade", "count"),
        "suppress_below": 5,
    }
    return replace(BANK, **counts | parts)
