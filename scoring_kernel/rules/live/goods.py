"""Live forms on prices and trace codes: M20, M38, M39, and the warning W11."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from scoring_kernel.rules.live.case import (
    Case,
    Hit,
    HitLine,
    NotJudgedError,
    divided,
    item_hits,
    shown,
)
from scoring_kernel.rules.live.encounter import DAY_S
from scoring_kernel.rules.live.known import cut
from scoring_kernel.rules.rule import VIOLATING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scoring_kernel.rules.live.encounter import Order
    from scoring_kernel.rules.live.known import TraceFact

__all__ = ["price_cap", "trace_missing", "trace_settled", "trace_unbought"]

_MICRO: Final = 1_000_000
_NO_CAP_E6: Final = 999_999_000_000
_PER_FEN: Final = 100_000_000
"""A price in millionths times a quantity in ten-thousandths, per fen."""
_SALE: Final = ("sale", "settlement")


def price_cap(case: Case) -> Iterator[Hit]:
    """M20 超医保支付限价收费."""
    tolerance = case.values["tol"]
    micro = 0
    if not isinstance(tolerance, tuple):
        micro = tolerance.numerator * _MICRO // tolerance.denominator
    found: list[tuple[Order, int]] = []
    for order in case.orders:
        cap = _cap(case, order) if order.quantity_e4 > 0 else None
        if cap is None or cap <= 0 or cap == _NO_CAP_E6:
            continue
        if order.price_e6 > cap and order.price_e6 * _MICRO > cap * (_MICRO + micro):
            over = ((order.price_e6 - cap) * order.quantity_e4 + _PER_FEN // 2) // _PER_FEN
            found.append((order, min(over, order.amount_fen)))
    return item_hits(found, lambda order: f"{shown(order)}单价高于医保支付限价")


def _cap(case: Case, order: Order) -> int | None:
    """The highest cap that holds; what the order itself states where none was asked for."""
    stated = case.need().caps(order.item_code)
    if not stated:
        return order.cap_e6
    by_type = defaultdict(list)
    for fact in stated:
        if fact.valid and fact.cap_e6 > 0 and fact.institution == case.encounter.institution:
            by_type[fact.type].append(fact)
    held = [
        fact.cap_e6
        for facts in by_type.values()
        for fact, ends_at in cut(facts)
        if fact.begins_at <= order.at and (ends_at is None or order.at < ends_at)
    ]
    return max(held, default=order.cap_e6)


def _traced(case: Case) -> Iterator[Order]:
    return (order for order in case.orders if order.is_current and order.traces is not None)


def trace_settled(case: Case) -> Iterator[Hit]:
    """M38 药品追溯码重复结算.

    A code is one pack: of several orders with it the last counts. The money of an order counts
    once, however many of its codes were sold before.
    """
    carrying: dict[str, Order] = {}
    for order in _traced(case):
        if not order.is_split:
            for code in order.traces or ():
                carrying[code] = max(carrying.get(code, order), order, key=lambda one: one.id)
    counted: set[str] = set()
    for code, order in sorted(carrying.items()):
        if _is_repeated(case, code):
            amount = 0 if order.id in counted else max(_fund_part(case, order), 0)
            counted.add(order.id)
            yield Hit(
                key=code,
                at=case.encounter.now,
                amount_fen=amount,
                lines=(HitLine(order, None, VIOLATING, amount),),
                words=f"{shown(order)}的追溯码已经结算过",
            )


def _is_repeated(case: Case, code: str) -> bool:
    """Whether a code was sold or settled before, and neither returned nor reversed.

    A return that makes up for no earlier sale makes up for this one.
    """
    one, known = case.encounter, case.need()
    facts = known.traces(code)
    told = [
        fact
        for fact in facts
        if fact.what in _SALE
        and not fact.is_split
        # The sale that is being settled now, uploaded before its settlement.
        and not (
            fact.setl is None
            and fact.institution == one.institution
            and fact.day == one.now // DAY_S
        )
    ]
    day_setl = {(fact.institution, fact.day): True for fact in told if fact.setl is not None}
    events: dict[tuple[str, int], TraceFact] = {}
    for fact in sorted(told, key=lambda one: one.at):
        if fact.setl is None and day_setl.get((fact.institution, fact.day)):
            continue
        events.setdefault((fact.institution, fact.setl or fact.source), fact)
    returned: dict[str, set[int]] = defaultdict(set)
    for fact in facts:
        if fact.what == "sale_return":
            returned[fact.institution].add(fact.source)
    turns: dict[str, int] = defaultdict(int)
    is_earlier = False
    for (institution, _), fact in events.items():
        turns[institution] += 1
        is_undone = fact.setl is not None and known.is_reversed(fact.setl)
        if turns[institution] > len(returned[institution]) and not is_undone:
            is_earlier = True
    return is_earlier and turns[one.institution] >= len(returned[one.institution])


def _fund_part(case: Case, order: Order) -> int:
    """The fund's part of an order, by its share of what is within scope."""
    fund, scope = case.encounter.fund_fen, case.encounter.scope()
    if fund is None or scope <= 0:
        return 0
    return min(fund, divided(2 * fund * order.inscp_fen + scope, 2 * scope))


def trace_missing(case: Case) -> Iterator[Hit]:
    """M39 追溯码缺失、与药品不符."""
    one = case.encounter
    if one.institution[:1] not in case.codes("traced_prefixes"):
        return iter(())
    drugs = [
        order
        for order in case.orders
        if order.is_current
        and order.item_code[:1] in ("X", "Z")
        and order.inscp_fen > 0
        and not any(True for _ in case.knowledge.rows("k_no_trace_code", order.item_code, order.at))
    ]
    if not drugs or one.scope() <= 0 or (one.fund_fen is not None and one.fund_fen <= 0):
        return iter(())
    if all(order.traces is None for order in drugs):
        raise NotJudgedError("trace codes are not stated")
    wrong = {
        order.id
        for order in drugs
        if any(_product(case, code) not in (None, order.item_code) for code in order.traces or ())
    }
    return item_hits(
        (
            (order, _fund_part(case, order))
            for order in drugs
            if order.id in wrong or (order.traces is not None and not order.traces)
        ),
        lambda order: (
            shown(order) + ("的追溯码属于另一药品" if order.id in wrong else "没有追溯码")
        ),
    )


def _product(case: Case, code: str) -> str | None:
    """The drug a code was bought as; None where nobody knows, or it was several."""
    items = {
        fact.item_code
        for fact in case.need().traces(code)
        if fact.what == "purchase" and fact.item_code is not None
    }
    return items.pop() if len(items) == 1 else None


def trace_unbought(case: Case) -> Iterator[Hit]:
    """W11 追溯码不在本机构采购记录中; where the institution uploads purchases with codes."""
    institution, known = case.encounter.institution, case.need()
    if not known.buys_traced:
        return iter(())

    def is_bought(code: str) -> bool:
        return any(
            fact.what == "purchase" and fact.institution == institution
            for fact in known.traces(code)
        )

    return item_hits(
        (
            (order, order.inscp_fen)
            for order in _traced(case)
            if not all(is_bought(code) for code in order.traces or ())
        ),
        lambda order: f"{shown(order)}的追溯码不在本机构采购记录中",
    )
