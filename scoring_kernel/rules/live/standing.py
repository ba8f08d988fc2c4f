"""Live forms on who may act and who may be treated: M35, M41, W01 to W04."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from scoring_kernel.rules.live.case import Case, Hit, item_hits, shown
from scoring_kernel.rules.live.encounter import DAY_S
from scoring_kernel.rules.live.known import cut, find_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scoring_kernel.rules.live.encounter import Order
    from scoring_kernel.rules.live.known import IdentityFact

__all__ = ["agreement", "identity", "identity_failed", "insurance", "staff"]

_BARRED: Final = ("suspended", "terminated")
_BED: Final = "bed"
_MATCH: Final = "match"
_UNJUDGED: Final = "unjudged"
_WINDOW: Final = "window"
_ENTRANCE: Final = "entrance"
_MINUTE_S: Final = 60


def insurance(case: Case) -> Iterator[Hit]:
    """W01 参保状态或待遇冻结异常."""
    one, known = case.encounter, case.need()
    at = one.now if one.begins_at is None else one.begins_at
    stated = [
        fact
        for fact in known.insurance
        if fact.insutype == one.insutype and fact.stated_at // DAY_S <= at // DAY_S
    ]
    words = ""
    if stated:
        last = max(stated, key=lambda fact: fact.stated_at)
        if last.status not in case.codes("normal_status"):
            words = "参保状态不正常"
        elif last.paused_at is not None and last.paused_at <= at:
            words = "参保已暂停"
    if any(
        span.begins_at <= at and (span.ends_at is None or at < span.ends_at)
        for span in known.freezes
    ):
        words = "医保待遇冻结（暂停联网结算）"
    if words:
        yield Hit(key=None, at=at, amount_fen=one.fund_fen or 0, words=words)


def agreement(case: Case) -> Iterator[Hit]:
    """W02 机构协议状态异常."""
    one = case.encounter
    if one.med_type in case.codes("emergency_types"):
        return
    state = find_at(case.need().agreement, one.now)
    if state is not None and state.status in case.codes("barred_states"):
        yield Hit(
            key=None,
            at=one.now,
            amount_fen=one.fund_fen or 0,
            words="机构的医保协议已中止、解除或未签",
        )


def staff(case: Case) -> Iterator[Hit]:
    """M41 无资质或状态异常人员开具."""
    one, known = case.encounter, case.need()
    if one.med_type in case.codes("emergency_types"):
        return
    unregistered: dict[int, Order] = {}
    barred: dict[int, Order] = {}
    barring: dict[str, list[tuple[int, int | None]]] = {}
    for order in case.orders:
        if order.doctor is None or order.inscp_fen <= 0 or order.emergency:
            continue
        if order.doctor not in barring:
            barring[order.doctor] = _barred(case, order.doctor)
        if any(
            begins_at <= order.at and (ends_at is None or order.at < ends_at)
            for begins_at, ends_at in barring[order.doctor]
        ):
            barred[id(order)] = order
        elif known.is_rostered and not any(
            fact.institution == one.institution
            and fact.begins_at <= order.at
            and (fact.ends_at is None or order.at < fact.ends_at)
            for fact in known.staff(order.doctor)
        ):
            unregistered[id(order)] = order
    yield from item_hits(
        ((order, order.inscp_fen) for order in (*barred.values(), *unregistered.values())),
        lambda order: (
            shown(order)
            + (
                "的开具人员医保支付资格为暂停或终止"
                if id(order) in barred
                else "的开具人员未在本机构登记"
            )
        ),
    )


def _barred(case: Case, doctor: str) -> list[tuple[int, int | None]]:
    """When a staff member's qualification was suspended or terminated, at any institution."""
    by_institution = defaultdict(list)
    for fact in case.need().qualifications(doctor):
        by_institution[fact.institution].append(fact)
    return [
        (fact.begins_at, ends_at)
        for held in by_institution.values()
        for fact, ends_at in cut(held)
        if fact.status in _BARRED
    ]


def _passed(fact: IdentityFact) -> bool:
    """Whether a comparison passed: by its verdict, and by its threshold where both are told."""
    if fact.result != _MATCH:
        return False
    score, threshold = fact.score_e4, fact.threshold_e4
    return score is None or threshold is None or score >= threshold


def _is_attempt(fact: IdentityFact) -> bool:
    """Whether a comparison counts: one that nobody judged does where somebody let it pass."""
    return fact.place != _BED and (fact.result != _UNJUDGED or fact.override is not None)


def identity_failed(case: Case) -> Iterator[Hit]:
    """M35 人证不符、冒名就医."""
    one = case.encounter
    if one.med_type in case.codes("emergency_types"):
        return
    known = case.need()
    attempts = case.whole("retries") + 1
    rounds: dict[tuple[str, int], list[IdentityFact]] = defaultdict(list)
    for fact in known.identity:
        is_own = fact.institution == one.institution and (
            fact.visit == known.visit
            or (fact.visit is None and fact.at // DAY_S == one.now // DAY_S)
        )
        if is_own and _is_attempt(fact):
            place = _WINDOW if fact.place == _ENTRANCE else fact.place
            rounds[place, fact.at // DAY_S].append(fact)
    failed = [
        facts
        for facts in (sorted(found, key=lambda fact: fact.at) for found in rounds.values())
        if not any(fact.override is not None for fact in facts)
        and not any(_passed(fact) for fact in facts[:attempts])
    ]
    if failed:
        yield Hit(
            key=None,
            at=min(one.now, *(fact.at for facts in failed for fact in facts)),
            amount_fen=one.fund_fen or 0,
            words="人证核验不符或本人不在场",
        )


def identity(case: Case) -> Iterator[Hit]:
    """W04 人证一致性核验未通过."""
    one = case.encounter
    if one.med_type in case.codes("emergency_types"):
        return
    since = one.now - case.whole("valid_minutes") * _MINUTE_S
    until = one.now + case.whole("clock_minutes") * _MINUTE_S
    if not any(
        fact.institution == one.institution
        and since <= fact.at <= until
        and (_passed(fact) or fact.override is not None)
        for fact in case.need().identity
    ):
        yield Hit(
            key=None,
            at=one.now,
            amount_fen=0,
            words=f"{case.whole('valid_minutes')}分钟内没有通过人证核验，请核验本人或写明理由",
        )
