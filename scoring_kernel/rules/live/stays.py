"""Live forms of the rules on stays: M28, M30, M33, and the warnings W05, W06, W07."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring_kernel.rules.live.case import Case, Hit, NotJudgedError
from scoring_kernel.rules.live.encounter import DAY_S
from scoring_kernel.rules.live.known import find_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scoring_kernel.rules.live.past import PastVisit

__all__ = ["outpatient_in_stay", "overlapping_stay", "split_admission"]
__all__ += ["open_stay_elsewhere", "readmission", "second_admission"]

_HOUR_S = 3_600


def _visit_key(visit: PastVisit) -> str:
    """Name a visit of the past by its number: nobody is told an id of another institution."""
    return str(visit.visit)


def _circle(case: Case, institution: str, at: int) -> str:
    """Institutions that count as one (医共体)."""
    profile = find_at(case.need().profiles(institution), at)
    return institution if profile is None else profile.group_code or institution


def _begun(case: Case) -> int:
    one = case.encounter
    return one.now if one.begins_at is None else one.begins_at


def _before(case: Case, length: int, excluded: Sequence[str]) -> PastVisit | None:
    """The stay before this one with the same main diagnosis in the same circle."""
    one, at = case.encounter, _begun(case)
    icd = one.main_icd
    if not one.inpatient or icd is None or _is_excluded(icd, excluded):
        return None
    circle = _circle(case, one.institution, at)
    stays = [
        visit
        for visit in case.need().visits
        if visit.inpatient
        and visit.main_icd is not None
        and not _is_excluded(visit.main_icd, excluded)
        and visit.main_icd[:length] == icd[:length]
        and visit.admitted_at <= at
        and _circle(case, visit.institution, visit.admitted_at) == circle
    ]
    return max(stays, key=lambda visit: visit.admitted_at, default=None)


def _is_excluded(icd: str, excluded: Sequence[str]) -> bool:
    return icd[:3] in excluded or icd[:5] in excluded


def split_admission(case: Case) -> Iterator[Hit]:
    """M28 分解住院."""
    before = _before(case, case.whole("icd_len"), case.codes("exclude_icd"))
    if (
        before is not None
        and before.discharged_at is not None
        and not before.planned_readmission
        and before.discharge_way not in case.codes("exclude_ways")
    ):
        days = _begun(case) // DAY_S - before.discharged_at // DAY_S
        if 0 <= days <= case.whole("window_days"):
            yield Hit(
                key=_visit_key(before),
                at=_begun(case),
                amount_fen=case.encounter.scope(),
                words=f"出院{days}日内以同一主诊断再次住院",
            )


def readmission(case: Case) -> Iterator[Hit]:
    """W07 短期再入院提醒."""
    before = _before(case, 3, ("Z51", "Z49", "N18.5"))
    if before is None or before.discharged_at is None or case.encounter.planned:
        return
    if before.planned_readmission or before.discharge_way in ("2", "5"):
        return
    days = _begun(case) // DAY_S - before.discharged_at // DAY_S
    if 0 <= days <= case.whole("notice_days"):
        window = case.whole("window_days")
        ask = "，请填写再住院计划或目的" if days <= window else ""
        yield Hit(
            key=_visit_key(before),
            at=_begun(case),
            amount_fen=0,
            words=f"出院{days}日内以同一主诊断再次住院{ask}",
        )


def overlapping_stay(case: Case) -> Iterator[Hit]:
    """M33 跨机构重叠住院."""
    one, at = case.encounter, _begun(case)
    if not one.inpatient or one.ends_at is None:
        return
    ends = one.ends_at
    least = case.whole("min_overlap_hours") * _HOUR_S
    earlier = [
        visit
        for visit in case.need().visits
        if visit.inpatient
        and visit.settled
        and visit.discharged_at is not None
        and visit.institution != one.institution
        and (visit.admitted_at, visit.institution) < (at, one.institution)
        and visit.discharged_at > at
        and min(visit.discharged_at, ends) - at > least
    ]
    if earlier:
        first = min(earlier, key=lambda visit: (visit.admitted_at, visit.institution, visit.visit))
        yield Hit(
            key=_visit_key(first),
            at=at,
            amount_fen=case.encounter.scope(),
            words="住院时间与另一家机构的住院重叠",
        )


def second_admission(case: Case) -> Iterator[Hit]:
    """W06 重复、重叠住院登记."""
    one = case.encounter
    if not one.inpatient:
        return
    for visit in _open_stays(case):
        where = "本机构" if visit.institution == one.institution else "其他机构"
        yield Hit(
            key=_visit_key(visit),
            at=_begun(case),
            amount_fen=0,
            words=f"参保人在{where}另有未出院的住院",
        )
        return


def _open_stays(case: Case) -> list[PastVisit]:
    """Stays that began and have not ended, the earliest first."""
    now = case.encounter.now
    found = [
        visit
        for visit in case.need().visits
        if visit.inpatient and visit.discharged_at is None and visit.admitted_at <= now
    ]
    return sorted(found, key=lambda visit: visit.admitted_at)


def outpatient_in_stay(case: Case) -> Iterator[Hit]:
    """M30 住院期间门诊、药店结算."""
    one = case.encounter
    if one.inpatient or one.med_type in case.codes("exempt_types"):
        return
    if one.fund_fen is None:
        raise NotJudgedError("the fund's part is not stated")
    grace = case.whole("grace_hours") * _HOUR_S
    stays = [
        visit
        for visit in case.need().visits
        if visit.inpatient
        and visit.discharged_at is not None
        and visit.admitted_at + grace < one.now < visit.discharged_at - grace
    ]
    if one.fund_fen > 0 and stays and not _is_approved(case):
        first = min(stays, key=lambda visit: (visit.admitted_at, visit.institution, visit.visit))
        yield Hit(
            key=_visit_key(first),
            at=one.now,
            amount_fen=one.fund_fen,
            words="住院期间在门诊或药店结算",
        )


def open_stay_elsewhere(case: Case) -> Iterator[Hit]:
    """W05 住院期间门诊或购药."""
    one = case.encounter
    if one.inpatient or one.med_type in case.codes("exempt_types"):
        return
    elsewhere = (visit for visit in _open_stays(case) if visit.institution != one.institution)
    visit = next(elsewhere, None)
    if visit is not None and not _is_approved(case):
        yield Hit(
            key=_visit_key(visit),
            at=one.now,
            amount_fen=one.fund_fen or 0,
            words="参保人在其他机构住院尚未出院",
        )


def _is_approved(case: Case) -> bool:
    """Whether everything ordered was approved to be bought outside (双通道)."""
    approved = case.need().approved
    return bool(case.orders) and all(
        any(
            one.item_code == order.item_code
            and one.begins_at <= order.at
            and (one.ends_at is None or order.at < one.ends_at)
            for one in approved
        )
        for order in case.orders
    )
