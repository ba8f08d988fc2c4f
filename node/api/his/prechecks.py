"""Answers to 3101 and 3102: read, judged, told; whatever goes wrong, the till gets its answer.

0. The head is that of a message of this node; a call without one goes to the intake, which says
   what is wrong with it.
1. What the call asks is read; what cannot be read is left out, and told by its place.
2. Judging, within its budget.
3. The answer. It does not wait for the disk: what was told is kept right afterwards, whole and
   sealed, and the feedback (3103) finds it by its id; what has nothing to tell leaves a count.

Rules:
- A call that cannot be judged passes: ``infcode`` 0, and 未判定 in the words.
- The same call again gets the same answer while this process remembers it.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from node.api.his.encounters import read_asked
from node.api.his.own_faults import place_of
from node.api.his.warnings import told_result
from node.domain.faults import Fault
from node.domain.official_answers import cut
from node.intake.messages import Envelope, check_bare
from node.supervision.judging import Asked, Judged, Judging
from scoring_kernel.legal_basis import LegalBasis
from scoring_kernel.rules.live.encounter import Encounter, moment_of

__all__ = ["JUDGED_HERE", "PreCheck", "PreChecks"]

JUDGED_HERE: Final = frozenset(("3101", "3102"))
LARGE_BYTES: Final = 128 * 1024
"""A longer call is judged beside the others."""
_REMEMBERED: Final = 2_000
_NOT_JUDGED: Final = "未判定 / not judged: "
_FAULT: Final = "节点程序错误 / a fault of this program"
_UNKNOWN_SCENE: Final = "未知触发场景 / no rule is asked at this trig_scen"
_SHOWN: Final = 8

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreCheck:
    """The answer to one call."""

    msgid: str
    words: str
    output: Mapping[str, Any] = field(repr=False)
    kept: bytes | None = field(repr=False)
    """Request and answer, for the intake; None where nothing was told."""


class PreChecks:
    """Answers calls; safe to share between threads."""

    def __init__(
        self,
        judging: Judging,
        sources: Mapping[str, LegalBasis],
        envelope: Callable[[], Envelope],
    ) -> None:
        """Take the parts.

        Args:
            judging: Judges.
            sources: Sources of the catalogue, for the words.
            envelope: What a head is held against, now.
        """
        self._judging = judging
        self._sources = sources
        self._envelope = envelope
        self._told: OrderedDict[str, tuple[bytes, PreCheck]] = OrderedDict()
        """What was told, by msgid, with the SHA-256 of the call."""

    @property
    def is_busy(self) -> bool:
        """Whether another thread judges just now."""
        return self._judging.is_busy

    def find_answer(self, request: Mapping[str, Any], body: bytes) -> PreCheck | None:
        """Answer a call.

        Args:
            request: A bare request of 3101 or 3102.
            body: The same as it came.

        Returns:
            None where its head is none of a message of this node: the intake says why.
        """
        try:
            moment = check_bare(request, self._envelope())
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            _LOG.error("a call's head could not be checked: %s", place_of(error))
            self._judging.count("faults")
            return None
        if isinstance(moment, Fault):
            return None
        msgid: str = request["msgid"]
        told = self._told.get(msgid)
        if told is not None and told[0] == hashlib.sha256(body).digest():
            return told[1]
        check = self._checked(request, moment)
        if check.kept is not None:
            self._told[msgid] = hashlib.sha256(body).digest(), check
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        return check

    def _checked(self, request: Mapping[str, Any], moment: datetime) -> PreCheck:
        msgid: str = request["msgid"]
        encounters: Sequence[Encounter] = ()
        try:
            asked = read_asked(
                request["infno"], request["input"], request["fixmedins_code"], moment_of(moment)
            )
            encounters = asked.encounters
            judged = self._judging.judge(
                Asked(
                    infno=asked.infno,
                    scenes=asked.scenes,
                    rules=asked.rules,
                    encounters=tuple(asked.encounters),
                    is_whole=not asked.faults,
                )
            )
            words = _words(judged, asked.faults)
            result = told_result(judged.told, msgid=msgid, task=asked.task, sources=self._sources)
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            _LOG.error("a call could not be judged: %s", place_of(error))
            words = _NOT_JUDGED + _FAULT
            told = self._judging.give_up(encounters)
            result = told_result(told, msgid=msgid, task="", sources=self._sources)
        output = {"result": result}
        kept = None
        if result:
            answer = {"infcode": 0, "output": output}
            kept = orjson.dumps({"request": request, "response": answer})
        return PreCheck(msgid=msgid, words=words, output=output, kept=kept)


def _words(judged: Judged, faults: list[str]) -> str:
    """Say what was not judged; empty where all was."""
    parts = []
    if not judged.is_asked:
        parts.append(_UNKNOWN_SCENE)
    if judged.missing:
        rules = sorted({one.rule for one in judged.missing})
        reasons = sorted({one.reason for one in judged.missing})
        parts.append(f"{','.join(rules[:_SHOWN])}{'…' if len(rules) > _SHOWN else ''}")
        parts.append("; ".join(reasons))
    if faults:
        parts.append("unreadable: " + ", ".join(faults[:_SHOWN]))
    return cut(_NOT_JUDGED + " | ".join(parts)) if parts else ""
