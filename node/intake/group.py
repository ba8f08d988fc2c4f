"""Messages of one transaction with their checked nodes, and checks that many shapes share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook
from node.intake.layouts import REQUEST, RESPONSE, Layout
from node.intake.messages import Message
from node.intake.nodes import CheckedNode
from scoring_kernel.check_digits import is_valid_id_card
from security.moments import SHANGHAI

__all__ = [
    "EARLIEST",
    "DayBounds",
    "Group",
    "check_days",
    "check_id_cards",
    "latest_moment",
    "months_of",
    "raw_table",
]

CLOCK_TOLERANCE: Final = timedelta(hours=1)
EARLIEST: Final = np.datetime64("2000-01-01", "s")
"""Nothing before is taken in."""
_CARDS: Final = (
    ("mdtrt_cert_type", "02", "mdtrt_cert_no"),
    ("psn_cert_type", "01", "certno"),
    ("patn_cert_type", "01", "certno"),
)
"""(field of the certificate's type, its code for the identity card, field of the number)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBounds:
    """Days a record may carry."""

    latest: datetime
    """Wall clock of Asia/Shanghai."""
    months: frozenset[int] | None
    """Months (yyyymm) of the period that the file is for; None for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Messages of one transaction that are checked and built together."""

    layout: Layout
    messages: Sequence[Message]
    nodes: Mapping[tuple[str, str], CheckedNode] = field(repr=False)
    bounds: DayBounds

    @property
    def request(self) -> CheckedNode:
        """The node of the request that holds the record."""
        return self.nodes[REQUEST, self.layout.node]

    @property
    def answer(self) -> CheckedNode:
        """The node of the response that holds the platform's part."""
        return self.nodes[RESPONSE, self.layout.answer]

    @property
    def is_answered(self) -> bool:
        """True when the messages have their responses."""
        return self.messages[0].accepted is not None

    def sent_at(self) -> npt.NDArray[np.datetime64]:
        """Give the moment of each message, shape (n_messages,)."""
        return np.array([message.inf_time for message in self.messages], "datetime64[s]")

    def head_texts(self, name: str) -> list[str | None]:
        """Give a text of each message's head, checked already; None where it is blank."""
        values = [message.request.get(name) for message in self.messages]
        return [None if value is None else str(value).strip() or None for value in values]


def latest_moment(now: datetime) -> datetime:
    """Give the latest moment a record may carry, wall clock of Asia/Shanghai.

    >>> from datetime import UTC
    >>> latest_moment(datetime(2026, 3, 18, 1, 50, tzinfo=UTC)).isoformat()
    '2026-03-18T10:50:00'
    """
    return (now.astimezone(SHANGHAI) + CLOCK_TOLERANCE).replace(tzinfo=None, microsecond=0)


def months_of(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int32]:
    """Give the month, yyyymm, of each moment.

    >>> months_of(np.array(["2026-03-31T23:59:59"], "datetime64[s]")).tolist()
    [202603]
    """
    count = days.astype("datetime64[M]").astype(np.int64)
    return ((count // 12 + 1970) * 100 + count % 12 + 1).astype(np.int32)


def raw_table(messages: Sequence[Message], schema: pa.Schema) -> pa.Table:
    """Build ``raw`` records: messages as they came, that make no typed record."""
    return pa.table(
        {
            "record_id": [f"{message.msgid}#{message.infno}" for message in messages],
            "institution": [message.institution for message in messages],
            "month": [message.month for message in messages],
            "infno": [message.infno for message in messages],
            "body": [message.raw.decode() for message in messages],
        },
        schema=schema,
    )


def check_days(
    path: str,
    days: npt.NDArray[np.datetime64],
    owners: Sequence[int] | npt.NDArray[np.int64],
    bounds: DayBounds,
    book: FaultBook,
) -> None:
    """Check the days that decide the months of records; NaT is not looked at."""
    filled = ~np.isnat(days)
    for rule, bad, expected in (
        (
            Rule.DATE_FUTURE,
            filled & (days > np.datetime64(bounds.latest, "s")),
            f"{bounds.latest} at the latest",
        ),
        (Rule.DATE_TOO_EARLY, filled & (days < EARLIEST), "2000-01-01 or later"),
    ):
        _note(rule, path, days, np.flatnonzero(bad), owners, expected, book)
    if bounds.months is not None and filled.any():
        months = months_of(np.where(filled, days, EARLIEST))
        outside = filled & ~np.isin(months, list(bounds.months))
        expected = f"a day of {min(bounds.months)} to {max(bounds.months)}"
        rows = np.flatnonzero(outside)
        _note(Rule.DATE_OUTSIDE_PERIOD, path, days, rows, owners, expected, book)


def check_id_cards(direction: str, name: str, node: CheckedNode, book: FaultBook) -> None:
    """Check the check digit of every identity card number in a node.

    Source:
        GB 11643, ISO 7064 MOD 11-2.
    """
    for type_field, card, number_field in _CARDS:
        types, values = node.texts.get(type_field), node.texts.get(number_field)
        if types is None or values is None or card not in types:
            continue
        wrong = {
            value
            for kind, value in set(zip(types, values, strict=True))
            if kind == card and value and not is_valid_id_card(value)
        }
        if not wrong:
            continue
        path = f"{direction}.{name}.{number_field}"
        expected = "an identity card number with its right check digit"
        for owner, kind, value in zip(node.owners.tolist(), types, values, strict=True):
            if kind == card and value in wrong:
                fault = Fault.of(Rule.CHECK_DIGIT, path, value, expected, personal=True)
                book.add(owner, fault)


def _note(  # noqa: PLR0917 - private, called twice above
    rule: Rule,
    path: str,
    days: npt.NDArray[np.datetime64],
    rows: npt.NDArray[np.int64],
    owners: Sequence[int] | npt.NDArray[np.int64],
    expected: str,
    book: FaultBook,
) -> None:
    for row in rows:
        value = str(days[row]).replace("T", " ")
        book.add(int(owners[row]), Fault.of(rule, path, value, expected))
