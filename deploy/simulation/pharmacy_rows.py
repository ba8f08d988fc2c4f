"""Half-yearly figures of pharmacies (items p01 and p02): what they sold is the messages' own."""

from collections.abc import Callable, Mapping
from typing import Final

from deploy.simulation.departments import Figures, Row

_OPENING_HOURS: Final = 2_172
"""Twelve hours a day over a half-year."""
_GAP_MOST: Final = 0.06
"""Part of the stock that does not agree with the books where nothing is right."""
_REJECTED_MOST: Final = 0.30
_COMPLAINT_BOUNDS: Final = ((0.10, 3), (0.30, 2), (0.50, 1))


def _operation(f: Figures) -> Row:
    lines = max(1, f.tally.detail_lines)
    stock, prescribed, priced = 40 * lines, max(1, lines // 3), max(1, lines // 2)
    book = 180_000 + f.institution.index * 500
    gap = round(book * _GAP_MOST * (1.0 - f.marks.share()))
    return {
        "stock_lines": stock,
        "stock_lines_24h": f.marks.of(stock),
        "fund_lines": lines,
        "fund_lines_traced": f.marks.of(lines),
        "opening_hours": _OPENING_HOURS,
        "pharmacist_hours": f.marks.of(_OPENING_HOURS),
        "stock_book_yuan": f"{book}.00",
        "stock_gap_yuan": f"{gap}.00",
        "rx_sales": prescribed,
        "rx_sales_prescribed": f.marks.of(prescribed),
        "priced_lines": priced,
        "priced_lines_within": f.marks.of(priced),
    }


def _audit(f: Figures) -> Row:
    share = _REJECTED_MOST * (1.0 - f.marks.share()) ** 1.5
    rejected = round(f.tally.fund_fen * share)
    rank = f.institution.rank
    complaints = next((number for bound, number in _COMPLAINT_BOUNDS if rank < bound), 0)
    return {
        "rejected_visits": round(f.tally.settlements * share),
        "rejected_yuan": f"{rejected // 100}.{rejected % 100:02d}",
        "valid_complaints": complaints,
    }


PHARMACY_ROWS: Final[Mapping[str, Callable[[Figures], Row]]] = {"p01": _operation, "p02": _audit}
"""How a row of each item is made."""
