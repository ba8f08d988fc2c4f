"""The nightly run as a process: all rules, then all topics, beside the daemon that began it.

Rules:
- It gives way: the lowest share of the processor, and the first to end where memory runs out.
- It ends with its daemon: what it has found by then stays, and is found again the next time.
- A failure of the rules does not keep topics from being counted; both are told.
"""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from node.api.errors import UNEXPECTED, describe
from node.api.his.own_faults import place_of
from node.config import CONTROL_SOCKET, load_settings
from node.rule_running import RunWish, run_node_rules
from node.supervision.budget import Budget
from node.topic_running import TopicWish, run_topics
from security.errors import SecurityError
from security.local_channel import call_daemon
from security.progress import no_progress

__all__ = ["run_night"]

NICE: Final = 15
FIRST_TO_END: Final = "800"
"""Of 1000: daemon and gateway stay where the machine has too little memory."""
LOST_EXIT: Final = 75
"""Exit code where the daemon went away, or could not keep what was told."""
_MIB: Final = 1024 * 1024

Result = dict[str, Any]


def run_night(directory: Path, memory_bytes: int) -> Result:
    """Run all rules and topics.

    Args:
        directory: State directory of the node.
        memory_bytes: Most memory of the rules' engine.

    Returns:
        What came of it, for the job ``night_end``.
    """
    errors: list[str] = []
    wish = RunWish(budget=Budget(memory_bytes=memory_bytes))
    rules = _tried(errors, "rules", lambda: run_node_rules(directory, wish, no_progress))
    topics = _tried(errors, "topics", lambda: run_topics(directory, TopicWish(), no_progress))
    outcomes = rules.get("rules", ())
    return {
        "run": rules.get("run"),
        **{name: sum(one[name] for one in outcomes) for name in ("hits", "new", "gone")},
        "stopped": rules.get("stopped", []),
        "counted": topics.get("counted", 0),
        "topics": len(topics.get("topics", ())),
        "error": "; ".join(errors),
    }


def _tried(errors: list[str], what: str, work: Callable[[], Result]) -> Result:
    try:
        return work()
    except Exception as error:  # noqa: BLE001  # told in the status; its text may quote a record
        code, message, _ = describe(error)
        told = place_of(error) if code == UNEXPECTED.code else message
        errors.append(f"{what}: {told}")
        return {}


def _give_way() -> None:
    os.nice(NICE)
    try:
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_END, encoding="ascii")
    except OSError:
        return  # Not on this system: the engine's own bound holds all the same.


def _end_with_daemon() -> None:
    """End when the daemon does: it holds the other end of our standard input."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(LOST_EXIT)

    threading.Thread(target=wait, name="daemon", daemon=True).start()


def _main(directory: Path) -> int:
    _end_with_daemon()
    _give_way()
    supervision = load_settings(directory).supervision
    report = run_night(directory, supervision.nightly_max_memory_mib * _MIB)
    try:
        call_daemon(directory / CONTROL_SOCKET, "night_end", report)
    except SecurityError:
        return LOST_EXIT  # The daemon notes how this process ended.
    return 0


if __name__ == "__main__":
    # At once: engines that are left are the system's to clean up.
    os._exit(_main(Path(sys.argv[1])))
