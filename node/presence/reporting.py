"""Reports of presence (在场核验报告): what devices saw, who let whom pass, what does not fit.

Rules:
- A report names institutions, devices, staff by code, operators by login, and no insured person.
- A voucher fits a settlement that was made by voucher (就诊凭证类型 01), an emergency one of a kind
  of visit that is one; what was never settled fits nothing and is counted apart.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from node.domain.presence import Reason
from node.presence.taking import REFUSED
from node.store import NodeStore
from node.store.device_rows import DeviceState
from node.store.presence_counts import EventCount
from scoring_kernel.faces.verdict import Verdict
from security.moments import SHANGHAI, to_ms, to_text

__all__ = ["month_report", "today_counts"]

Result = dict[str, Any]
_SILENT: Final = timedelta(hours=24)
_VOUCHER: Final = "01"
_OVERRIDDEN: Final = """
    select institution, coalesce(reason_code, 'none'), coalesce(staff, ''), count(*)
    from identity_event
    where override_reason is not null and record_id not like 'override:%'
      and month = $1 and $2 in ('', institution)
    group by 1, 2, 3 order by 1, 2, 4 desc, 3"""
_ASKED: Final = """
    select institution, count(*) from identity_event
    where month = $1 and $2 in ('', institution) group by 1"""
_FITTING: Final = """
    select told.institution, told.reason_code, count(*),
      count(*) filter (where paid = 0), count(*) filter (where paid > 0 and fits = 0)
    from (
      select event.institution, event.reason_code, event.record_id,
        count(settlement.record_id) as paid,
        count(settlement.record_id) filter (
          where case event.reason_code
            when 'voucher' then settlement.certificate_type = $3
            else settlement.med_type in (select unnest($4)) end
        ) as fits
      from identity_event as event
      left join settlement
        on settlement.institution = event.institution and settlement.sign = 1
          and (settlement.mdtrt_id = event.mdtrt_id
            or (event.mdtrt_id is null and settlement.person = event.person
              and cast(settlement.settled_at as date) = cast(event.at as date)))
      where event.reason_code in ('voucher', 'emergency') and event.month = $1
        and $2 in ('', event.institution)
      group by 1, 2, 3
    ) as told
    group by 1, 2 order by 1, 2"""


def month_report(
    store: NodeStore,
    month: int,
    now: datetime,
    *,
    institution: str = "",
    emergency_types: Collection[str],
) -> Result:
    """Report a month.

    Args:
        store: The node's store.
        month: yyyymm.
        now: Present moment, UTC-aware: devices are silent as of now.
        institution: Only this one; empty for all.
        emergency_types: Kinds of visit that are emergencies.

    Returns:
        ``devices``, ``let_pass``, ``fitting``, ``silent`` and ``unanswered``.

    Raises:
        StoreError: The store cannot be read.
    """
    begin_ms, end_ms = (
        to_ms(datetime(year, number + 1, 1, tzinfo=SHANGHAI))
        for year, number in (divmod(month // 100 * 12 + month % 100 + step, 12) for step in (-1, 0))
    )
    counts = store.edge.presence_counts
    with closing(store.relations(["identity_event", "settlement"])) as engine:
        asked = dict(engine.execute(_ASKED, [month, institution]).fetchall())
        let_pass = Counter(
            {
                tuple(row[:3]): row[3]
                for row in engine.execute(_OVERRIDDEN, [month, institution]).fetchall()
            }
        )
        fitting = engine.execute(
            _FITTING, [month, institution, _VOUCHER, sorted(emergency_types)]
        ).fetchall()
    for one in store.edge.presence.overrides(to_text(begin_ms), to_text(end_ms)):
        if institution in ("", one.told["institution"]):
            let_pass[one.told["institution"], one.reason, one.operator] += 1
    return {
        "month": month,
        "devices": _by_device(counts.alike(begin_ms, end_ms, institution)),
        "let_pass": [
            {
                "institution": where,
                "reason_code": reason,
                "by": who,
                "count": count,
                "share_e4": count * 10_000 // asked[where],
            }
            for (where, reason, who), count in sorted(let_pass.items())
        ],
        "fitting": [
            {
                "institution": where,
                "reason_code": Reason(reason).value,
                "count": count,
                "not_settled": unpaid,
                "inconsistent": unfit,
            }
            for where, reason, count, unpaid, unfit in fitting
        ],
        "unanswered": counts.unanswered(begin_ms, min(end_ms, to_ms(now)), institution),
        "silent": _silent(store, now, institution),
    }


def today_counts(store: NodeStore, now: datetime) -> Result | None:
    """Count what devices saw today, and which of them are silent; for the status of the node.

    Returns:
        ``today`` by verdict, ``let_pass`` and ``silent``; None where the node knows no device.
    """
    if not store.edge.devices.rows():
        return None
    midnight = datetime.combine(now.astimezone(SHANGHAI).date(), time(), SHANGHAI)
    begin_ms = to_ms(midnight)
    counts: Counter[str] = Counter()
    for one in store.edge.presence_counts.alike(begin_ms, begin_ms + 86_400_000):
        counts[one.verdict] += one.events
    end_ms = begin_ms + 86_400_000
    let_pass = store.edge.presence_counts.reasons(begin_ms, end_ms)
    return {
        "today": {name: counts.get(name, 0) for name in (*map(str, Verdict), REFUSED)},
        "let_pass": let_pass
        + len(store.edge.presence.overrides(to_text(begin_ms), to_text(end_ms))),
        "silent": len(_silent(store, now, "")),
    }


def _by_device(counts: Sequence[EventCount]) -> list[Result]:
    found: dict[tuple[str, str, str], Result] = {}
    causes: dict[tuple[str, str, str], dict[str, Counter[str]]] = defaultdict(
        lambda: {"unjudged_by": Counter(), "refused_by": Counter()}
    )
    for one in counts:
        key = (one.institution, one.place, one.device)
        row = found.setdefault(
            key,
            {
                "institution": one.institution,
                "place": one.place,
                "device": one.device,
                "events": 0,
                **dict.fromkeys((*map(str, Verdict), REFUSED), 0),
                "differs": 0,
                "age_unknown": 0,
            },
        )
        row["events"] += one.events
        row[one.verdict] += one.events
        if one.note:
            row[one.note] += one.events
        if one.verdict in (Verdict.UNJUDGED, REFUSED):
            causes[key][f"{one.verdict}_by"][one.cause] += one.events
    return [
        row | {name: dict(by) for name, by in causes[key].items()}
        for key, row in sorted(found.items())
    ]


def _silent(store: NodeStore, now: datetime, institution: str) -> list[Result]:
    """Active devices that neither came nor delivered for a day."""
    delivered = store.edge.presence_counts.last_deliveries()
    since = (now - _SILENT).astimezone(UTC).isoformat(timespec="seconds")
    found = []
    for row in store.edge.devices.rows():
        last = max(row.seen_at, delivered.get(row.id, ""))
        if (
            row.state is DeviceState.ACTIVE
            and institution in ("", row.institution)
            and last < since
        ):
            found.append({"device": row.id, "last": last})
    return found
