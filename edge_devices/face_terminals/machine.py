"""One verification (一次核验), from the question to the finding; no I/O.

Rules:
- Frames without a fit face are no attempts: people turn up, look away and come closer. A frame
  that was compared, or whose face is no living one, is an attempt.
- A frame that matches and lives ends it at once; every other attempt is followed by a pause,
  until the attempts or the time are used up.
- Two frames that show no living face make a spoof; so does one, where no living face was
  compared beside it.
- Nobody came is said only of a scene that could be seen all the time, until the time was up. A
  black picture, a covered lens and a recording that ended say nothing of the person: unjudged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.faces.examined import ImageFault, LivenessAnswer, LivenessCheck
from scoring_kernel.faces.verdict import Cause, Finding, Found

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TRANSITIONS", "Look", "Looking", "Machine", "Settled"]

SPOOFS: Final = 2
"""So many frames without a living face make a spoof."""


class State(StrEnum):
    """Where a verification stands."""

    IDLE = "idle"
    LOOKING = "looking"
    RETRY = "retry"
    """An attempt failed; the next one begins after a pause."""
    DONE = "done"


class Step(StrEnum):
    """What moves it."""

    ASK = "ask"
    UNFIT = "unfit"
    TRIED = "tried"
    GO_ON = "go_on"
    SETTLE = "settle"
    TAKE = "take"


TRANSITIONS: Final[Mapping[tuple[State, Step], State]] = {
    (State.IDLE, Step.ASK): State.LOOKING,
    (State.LOOKING, Step.UNFIT): State.LOOKING,
    (State.LOOKING, Step.TRIED): State.RETRY,
    (State.RETRY, Step.GO_ON): State.LOOKING,
    (State.LOOKING, Step.SETTLE): State.DONE,
    (State.RETRY, Step.SETTLE): State.DONE,
    (State.DONE, Step.TAKE): State.IDLE,
}  # every pair not listed is a ValueError: the caller is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How long and how often is looked."""

    timeout: timedelta
    """After so long nobody has come."""
    attempts: int
    """Frames that are compared at most."""
    threshold_e4: int | None
    """Threshold in force; None: there is none, and one comparison is all there is to do."""
    is_liveness_required: bool
    """Whether an unchecked face is looked at again."""
    pause: timedelta = timedelta(seconds=1)
    """Between attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one frame said."""

    fault: ImageFault | None
    """Why its face is not fit to be compared."""
    score_e4: int | None
    """Similarity with the template; set without a fault."""
    liveness: LivenessCheck
    """Whether its face lives."""
    is_seen: bool
    """Whether the picture shows a scene at all, and not black or a covered lens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of it."""

    found: Found
    """The finding."""
    live_e4: int | None
    """Probability of a living face, of the frame that decided."""
    attempts: int
    """Frames tried."""
    was_seen: bool
    """Whether any frame showed a scene."""


class Machine:
    """Verifies one person after the other."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self._policy: Looking | None = None
        self._until: datetime | None = None
        self._next: datetime | None = None
        self._fault: ImageFault | None = None
        self._frames = 0
        self._unseen = 0
        self._spoofs: list[Look] = []
        self._tried: list[Look] = []
        self._settled: Settled | None = None

    def ask(self, policy: Looking, now: datetime) -> None:
        """Begin to look for somebody.

        Args:
            policy: How long and how often.
            now: The moment.
        """
        self._move(Step.ASK)
        self._policy = policy
        self._until = now + policy.timeout
        self._next, self._fault = None, None
        self._frames, self._unseen = 0, 0
        self._spoofs, self._tried = [], []

    def frame(self, look: Look, now: datetime) -> bool:
        """Take what a frame said.

        Args:
            look: What it said.
            now: The moment.

        Returns:
            Whether this frame is the best one so far, whose picture may be wanted.
        """
        self.tick(now)
        if self.state is not State.LOOKING:
            return False
        self._frames += 1
        self._unseen += not look.is_seen
        if look.liveness.answer is LivenessAnswer.SPOOF:
            self._spoofs.append(look)
            self._after_attempt(now, is_over=len(self._spoofs) >= SPOOFS)
            return True
        if look.score_e4 is None:
            if look.fault is not ImageFault.NO_FACE or self._fault is None:
                self._fault = look.fault
            self._move(Step.UNFIT)
            return False
        is_best = not self._tried or look.score_e4 > max(one.score_e4 or 0 for one in self._tried)
        self._tried.append(look)
        self._after_attempt(now, is_over=self._is_decided(look))
        return is_best

    def tick(self, now: datetime) -> None:
        """Let time pass."""
        if self.state not in {State.LOOKING, State.RETRY} or self._until is None:
            return
        if now >= self._until:
            self._settle(is_time_up=True)
        elif self.state is State.RETRY and self._next is not None and now >= self._next:
            self._next = None
            self._move(Step.GO_ON)

    def end(self, *, is_broken: bool = False) -> None:
        """No more frames come.

        Args:
            is_broken: Whether the source broke; else a recording is over.
        """
        if is_broken:
            self._frames = 0
        if self.state in {State.LOOKING, State.RETRY}:
            self._settle(is_time_up=False)

    @property
    def is_pausing(self) -> bool:
        """Whether frames are of no use before the next wakeup."""
        return self.state is State.RETRY

    def next_wakeup(self) -> datetime | None:
        """When ``tick`` is due; None: never, while nothing is asked."""
        if self.state not in {State.LOOKING, State.RETRY}:
            return None
        return self._until if self._next is None else self._next

    def take(self) -> Settled:
        """Take the outcome; the next verification may begin."""
        self._move(Step.TAKE)
        if self._settled is None:
            raise ValueError("nothing was settled")
        settled, self._settled = self._settled, None
        return settled

    def _is_decided(self, look: Look) -> bool:
        policy = self._policy
        if policy is None or policy.threshold_e4 is None:
            return True
        is_live = look.liveness.answer is LivenessAnswer.LIVE or not policy.is_liveness_required
        return is_live and (look.score_e4 or 0) >= policy.threshold_e4

    def _after_attempt(self, now: datetime, *, is_over: bool) -> None:
        policy, until = self._policy, self._until
        if policy is None or until is None:
            raise ValueError("nothing was asked")
        self._move(Step.TRIED)
        if is_over or len(self._tried) + len(self._spoofs) >= policy.attempts:
            self._settle(is_time_up=False)
        else:
            self._next = min(now + policy.pause, until)
            self.tick(now)

    def _settle(self, *, is_time_up: bool) -> None:
        self._move(Step.SETTLE)
        decider, found = self._found(is_time_up=is_time_up)
        self._settled = Settled(
            found=found,
            live_e4=None if decider is None else decider.liveness.live_e4,
            attempts=len(self._tried) + len(self._spoofs),
            was_seen=self._frames > self._unseen,
        )

    def _found(self, *, is_time_up: bool) -> tuple[Look | None, Found]:
        if len(self._spoofs) >= SPOOFS or (self._spoofs and not self._has_living):
            last = self._spoofs[-1]
            return last, Found(finding=Finding.SPOOF, score_e4=None, liveness=LivenessAnswer.SPOOF)
        if self._tried:
            best = max(self._tried, key=self._rank)
            return best, Found(
                finding=Finding.COMPARED,
                score_e4=best.score_e4,
                liveness=best.liveness.answer,
            )
        if self._frames == 0:
            return None, Found(finding=Finding.UNJUDGED, cause=Cause.NO_SOURCE)
        fault = self._fault or ImageFault.NO_FACE
        if is_time_up and fault is ImageFault.NO_FACE and self._unseen == 0:
            return None, Found(finding=Finding.ABSENT)
        return None, Found(finding=Finding.UNJUDGED, cause=Cause(fault.value))

    @property
    def _has_living(self) -> bool:
        return any(one.liveness.answer is LivenessAnswer.LIVE for one in self._tried)

    def _rank(self, look: Look) -> tuple[bool, bool, int]:
        """The frame that decides: one that passes, else a living one, else the best score."""
        is_live = look.liveness.answer is LivenessAnswer.LIVE
        return self._is_decided(look), is_live, look.score_e4 or 0

    def _move(self, step: Step) -> None:
        try:
            self.state = TRANSITIONS[self.state, step]
        except KeyError:
            raise ValueError(f"a verification that is {self.state} cannot {step}") from None
