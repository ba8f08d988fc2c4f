"""What `yixin node status` tells of supervision: is it on, what did it do, when did it run last."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.config import NODE_KEY, NodeSettings
from node.domain.nights import Night
from node.errors import StoreError
from node.night_jobs import last_night
from node.store import NodeStore
from node.store.live_reader import LiveReader
from node.store.rule_runs import RuleRun
from scoring_kernel.rules.live.encounter import day_of
from security.at_rest import Vault
from security.moments import SHANGHAI

__all__ = ["supervision_status"]

Result = dict[str, Any]
_TODAY: Final = ("asked", "not_judged", "warned", "blocked", "faults")
_FEEDBACK: Final = ("told", "accepted", "justified", "ignored")


def supervision_status(
    directory: Path, store: NodeStore, settings: NodeSettings, now: datetime
) -> Result:
    """Tell the state of supervision.

    Args:
        directory: State directory of the node.
        store: Its store.
        settings: Its settings.
        now: The time, aware.

    Returns:
        ``live``; ``today``, calls of 3101 and 3102; ``feedback``, over all warnings told; both
        None where there is no live state; ``nightly``, ``last_night`` and ``last_run``.
    """
    runs = store.supervision.runs(1)
    return {
        "live": _live(settings),
        **_counts(directory, now),
        "nightly": settings.supervision.nightly or "off",
        "last_night": _night(last_night(store)),
        "last_run": _run(runs[0]) if runs else None,
    }


def _live(settings: NodeSettings) -> str:
    if settings.judges_live:
        return "on"
    if not settings.supervision.live:
        return "off"
    return "off: neither interface.enabled nor gateway.answer_own"


def _counts(directory: Path, now: datetime) -> Result:
    reader = LiveReader(directory, Vault.load(directory / NODE_KEY))
    try:
        counted = reader.counted(day_of(now.astimezone(SHANGHAI).date()))
        feedback = reader.feedback()
    except StoreError:
        return {"today": None, "feedback": None}
    finally:
        reader.close()
    return {
        "today": {name: counted.get(name, 0) for name in _TODAY},
        "feedback": _summed(feedback),
    }


def _summed(feedback: Mapping[str, Mapping[str, int]]) -> Result:
    return {name: sum(one[name] for one in feedback.values()) for name in _FEEDBACK}


def _night(night: Night | None) -> Result | None:
    if night is None:
        return None
    told: Result = {
        "begun_at": night.begun_at,
        "ended_at": night.ended_at or "not ended: at work, or cut off",
    }
    if night.ended_at is None:
        return told
    took = datetime.fromisoformat(night.ended_at) - datetime.fromisoformat(night.begun_at)
    return told | {
        "seconds": round(took.total_seconds()),
        "run": night.run,
        "hits": night.hits,
        "new": night.new,
        "gone": night.gone,
        "stopped": list(night.stopped),
        "topics": night.topics,
        "error": night.error or None,
    }


def _run(kept: RuleRun) -> Result:
    return {
        "run": kept.id,
        "started_at": kept.run.started_at,
        "ended_at": kept.ended_at,
        "stopped": [one.rule for one in kept.outcomes.values() if one.error],
    }
