"""What a node holds of a presence event: its own verdict, and the record that rules read.

Rules:
- The device's score counts, its threshold does not: the calibration in force here decides.
- A reason code (放行事由) needs somebody who let it pass. A proxy passes only where the proxy is
  registered on that day and the proxy's own face matched; a child only below the set age.
- Nothing is assumed: an event that breaks a rule is refused for good, with a code.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from node.domain.face_templates import Purpose
from node.domain.presence import LEAST_WORDS, PURPOSES_AT, REASON_WORDS, Reason
from node.edge_settings import EdgeSettings, FaceSettings
from node.presence.events import Event, Refusal
from node.store.device_rows import DeviceRow
from node.store.presence import Ask
from scoring_kernel.faces.verdict import Cause, Finding, Verdict, judge
from security.moments import to_ms

__all__ = ["DUTY_EVENT", "IDENTITY_EVENT", "Judged", "Surroundings", "judge_event"]

IDENTITY_EVENT: Final = "identity_event"
DUTY_EVENT: Final = "duty_event"
MAX_AHEAD: Final = timedelta(minutes=5)
"""How far a device's clock may be ahead of the node's."""
DIFFERS: Final = "differs"
AGE_UNKNOWN: Final = "age_unknown"
_SHOWN_MODEL: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the node knows around the events of a delivery."""

    faces: FaceSettings
    edge: EdgeSettings
    now: datetime
    """UTC-aware."""
    threshold: Callable[[bytes, str], int | None]
    """Threshold in force by model and institution, ten-thousandths."""
    is_proxy: Callable[[str, str, date], bool]
    """Whether somebody (second) is registered to act for a person (first) on a day."""
    born: Mapping[str, date] = field(repr=False)
    """Days of birth of the children whom events are about, where they are known."""
    asks: Mapping[str, Ask] = field(repr=False)
    """Asks that events answer, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is held of an event."""

    kind: str
    """Kind of its record."""
    record: Mapping[str, Any] = field(repr=False)
    verdict: Verdict
    cause: Cause | None
    note: str
    """``differs`` where the display said otherwise, ``age_unknown``, or empty."""
    answers: str
    """Ask that it answers; empty for none."""


def judge_event(event: Event, device: DeviceRow, known: Surroundings) -> Judged | Refusal:
    """Judge an event.

    Args:
        event: The event.
        device: Its device, as the register has it.
        known: What the node knows around it.

    Raises:
        StoreError: The store cannot be read.
    """
    problem = (
        _moment_problem(event, known)
        or _place_problem(event, device, known)
        or _reason_problem(event, known)
    )
    if problem is not None:
        code, detail = problem
        return Refusal(seq=event.seq, code=code, detail=detail)
    threshold = (
        known.threshold(event.model, device.institution)
        if event.found.finding is Finding.COMPARED
        else None
    )
    verdict, cause = judge(event.found, threshold, liveness_required=known.faces.liveness_required)
    ask = known.asks.get(event.round)
    return Judged(
        kind=DUTY_EVENT if event.purpose is Purpose.DUTY else IDENTITY_EVENT,
        record=_record(event, device, verdict, threshold),
        verdict=verdict,
        cause=cause,
        note=_note(event, known, verdict),
        answers="" if ask is None else ask.id,
    )


_Problem = tuple[str, str] | None


def _moment_problem(event: Event, known: Surroundings) -> _Problem:
    ahead_ms = event.at_ms - to_ms(known.now)
    if ahead_ms > MAX_AHEAD / timedelta(milliseconds=1):
        most = int(MAX_AHEAD.total_seconds())
        found = f"found a moment {ahead_ms // 1000} s ahead of the node's clock"
        return "clock", f"{found}, expected at most {most} s: set the device's clock"
    days = known.edge.max_event_age_days
    if -ahead_ms > timedelta(days=days) / timedelta(milliseconds=1):
        found = f"found an event {-ahead_ms // 86_400_000} days old"
        return "age", f"{found}, expected at most {days} (edge.max_event_age_days)"
    return None


def _place_problem(event: Event, device: DeviceRow, known: Surroundings) -> _Problem:
    if event.purpose not in PURPOSES_AT[device.place]:
        expected = ", ".join(sorted(PURPOSES_AT[device.place]))
        found = f"found {event.purpose} at a device of {device.place}"
        return "place", f"{found}, expected one of {expected}"
    ask = known.asks.get(event.round)
    if ask is not None and (ask.device, ask.purpose, ask.person) != (
        device.id,
        event.purpose,
        event.person,
    ):
        return ("round", "it answers an ask of another device, purpose or person")
    return None


def _reason_problem(event: Event, known: Surroundings) -> _Problem:
    reason = event.reason
    if reason is None:
        return None
    if event.purpose is Purpose.DUTY or (
        event.purpose is Purpose.BED_CHECK and reason is not Reason.MANUAL
    ):
        return ("reason", f"the reason code {reason} does not go with {event.purpose}")
    if not event.staff:
        return ("reason_missing", f"the reason code {reason} needs who let it pass (staff)")
    if reason is Reason.MANUAL and len(event.words) < LEAST_WORDS:
        return (
            "reason_missing",
            f"found {len(event.words)} characters of reason, expected at least {LEAST_WORDS}",
        )
    return _proxy_problem(event, known) or _child_problem(event, known)


def _proxy_problem(event: Event, known: Surroundings) -> _Problem:
    if event.reason is not Reason.PROXY:
        return None
    if event.proxy and known.is_proxy(event.person, event.proxy, event.day):
        return None
    problem = "nobody is registered to act for the person on that day"
    return "proxy_unknown", f"{problem}: yixin node faces proxy add"


def _child_problem(event: Event, known: Surroundings) -> _Problem:
    born = known.born.get(event.person)
    if event.reason is not Reason.CHILD or born is None:
        return None
    if _age(born, event.day) < known.faces.child_age:
        return None
    return (
        "child_age",
        f"the person is no child below {known.faces.child_age} years (faces.child_age)",
    )


def _note(event: Event, known: Surroundings, verdict: Verdict) -> str:
    if event.reason is Reason.CHILD and event.person not in known.born:
        return AGE_UNKNOWN
    if event.found.score_e4 is None or verdict not in (Verdict.MATCH, Verdict.MISMATCH):
        return ""
    shown = event.found.score_e4 >= event.threshold_e4
    return "" if shown == (verdict is Verdict.MATCH) else DIFFERS


def _record(
    event: Event, device: DeviceRow, verdict: Verdict, threshold: int | None
) -> dict[str, Any]:
    at = event.moment
    found = {
        "record_id": _record_id(event, device),
        "institution": device.institution,
        "month": at.year * 100 + at.month,
        "at": at,
        "result": verdict.value,
        "score_e4": event.found.score_e4,
        "threshold_e4": threshold,
        "liveness": None if event.liveness is None else event.liveness.value,
        "model": event.model.hex()[:_SHOWN_MODEL] or None,
        "device": device.id,
    }
    if event.purpose is Purpose.DUTY:
        return {**found, "staff": event.person}
    reason = event.reason
    is_proxy = reason is Reason.PROXY
    passes = reason is not None and (not is_proxy or verdict is Verdict.MATCH)
    if is_proxy and passes:
        # The proxy's face matched: it never counts as the person's own.
        found["result"] = Verdict.ABSENT.value
    words = "" if reason is None else event.words or REASON_WORDS.get(reason, "")
    return {
        **found,
        "person": event.person,
        "mdtrt_id": event.visit or None,
        "place": device.place.value,
        "override_reason": words if passes else None,
        "staff": event.staff or None,
        "reason_code": None if reason is None else reason.value,
    }


def _record_id(event: Event, device: DeviceRow) -> str:
    """Id by device, queue and number: a device chooses its queue, and could name another's."""
    named = hashlib.blake2b(device.id.encode() + event.queue, digest_size=16).hexdigest()
    return f"presence:{named}:{event.seq}"


def _age(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
