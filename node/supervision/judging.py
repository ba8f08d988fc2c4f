"""Judging before and during the fact (事前事中审核): encounters of one call, within a budget.

Rules:
- Nothing is raised: what cannot be judged is told with its reason, counted, and logged by place.
- The past is used while the live state is built and was fed a short time ago; else only what the
  call itself states is judged.
- Where identity is closed, an encounter whose identity check cannot be judged is blocked, unless
  it is an emergency.
- Safe to share between threads; one call is judged at a time.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from node.errors import StoreError
from node.store.live_reader import LiveReader
from node.supervision.closing import IDENTITY, Told, unverified
from node.supervision.knowing import Registers, know
from node.supervision_settings import SupervisionSettings
from scoring_kernel.rules import RuleBook
from scoring_kernel.rules.live.encounter import Encounter
from scoring_kernel.rules.live.judge import Finding, Judgement, LiveRules, Missing
from scoring_kernel.rules.live.knowledge import KnowledgeIndex
from scoring_kernel.rules.live.known import Known

__all__ = ["Asked", "Judged", "Judging", "proposed"]

MAX_AGE_S: Final = 60.0
"""Older news than this of the live state, and the past is not judged by it."""
LOOK_S: Final = 1.0
"""How often the state of the live state is looked at."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call asks."""

    infno: str
    scenes: tuple[str, ...]
    rules: frozenset[str]
    encounters: tuple[Encounter, ...] = field(repr=False)
    is_whole: bool
    """False where something of it could not be read."""


@dataclass(slots=True, kw_only=True)
class Judged:
    """What came of a call."""

    told: list[Told] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    is_asked: bool = True
    """False where no rule is asked at the scene."""


class Judging:
    """Judges calls."""

    def __init__(
        self,
        book: RuleBook,
        reader: LiveReader,
        settings: SupervisionSettings,
        *,
        ticks: Callable[[], float],
        place_of: Callable[[Exception], str],
    ) -> None:
        """Take the parts.

        Args:
            book: The rules.
            reader: The live state; need not be there yet.
            settings: Table `[supervision]`.
            ticks: Seconds that only grow.
            place_of: Tells an exception's type and place, never its text.
        """
        self._book = book
        self._reader = reader
        self._settings = settings
        self._ticks = ticks
        self._place_of = place_of
        self._lock = threading.Lock()
        self._off = _switched_off(book, settings.answers)
        self._rules = LiveRules(book, proposed(book))
        self._knowledge: bytes | None = None
        self._looked_at: float | None = None
        self._fed: tuple[int, float] | None = None
        self._is_current = False
        self._counts: Counter[str] = Counter()
        self._registers: Registers = {}

    @property
    def settings(self) -> SupervisionSettings:
        """Table `[supervision]`."""
        return self._settings

    @property
    def is_busy(self) -> bool:
        """Whether another thread judges just now."""
        return self._lock.locked()

    def take_counts(self) -> Mapping[str, int]:
        """Take what was counted since the last taking."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def count(self, name: str) -> None:
        """Count something that happened to a call."""
        with self._lock:
            self._counts[name] += 1

    def give_up(self, encounters: Collection[Encounter]) -> list[Told]:
        """What to tell where a call fails unforeseen: nothing, unless identity is closed.

        Args:
            encounters: What could be read of it.
        """
        self.count("faults")
        return unverified(self._book, encounters) if self._settings.identity_closed else []

    def judge(self, asked: Asked) -> Judged:
        """Judge a call."""
        with self._lock:
            until = self._ticks() + self._settings.budget_ms / 1000
            judged = Judged()
            self._look()
            for encounter in asked.encounters:
                self._judge(encounter, asked, judged, until)
            plan = self._rules.plan(asked.infno, asked.scenes, asked.rules)
            judged.is_asked = bool(plan)
            if not asked.encounters:
                judged.missing += [
                    Missing(warning=warning, rule=rule, reason="nothing could be read")
                    for warning, rule in plan
                ]
            self._close_identity(asked, judged)
            self._count(asked, judged)
            return judged

    def _judge(self, one: Encounter, asked: Asked, judged: Judged, until: float) -> None:
        found = self._rules.judge(
            one,
            self._known(one),
            asked.infno,
            asked.scenes,
            only=asked.rules,
            off=self._off,
            is_late=lambda: self._ticks() > until,
        )
        for error in found.faults:
            _LOG.error("a rule could not be judged: %s", self._place_of(error))
            self._counts["faults"] += 1
        judged.told += [self._told(one, finding) for finding in found.findings]
        judged.missing += found.missing
        self._identity(one, found, judged)

    def _identity(self, one: Encounter, found: Judgement, judged: Judged) -> None:
        """Block an encounter whose identity could not be judged, where that is set."""
        if self._settings.identity_closed and any(
            missing.rule == IDENTITY for missing in found.missing
        ):
            judged.told += unverified(self._book, (one,))

    def _close_identity(self, asked: Asked, judged: Judged) -> None:
        """The same for a call of which nothing could be read."""
        if not self._settings.identity_closed or asked.encounters:
            return
        if any(missing.rule == IDENTITY for missing in judged.missing):
            judged.told += unverified(self._book, ())

    def _told(self, one: Encounter, finding: Finding) -> Told:
        answers = self._settings.answers
        is_closed = self._settings.identity_closed and finding.warning == IDENTITY
        by_warning = answers.get(finding.warning, "block" if is_closed else finding.answer)
        answer = answers.get(finding.rule.id, by_warning)
        return Told(encounter=one, finding=finding, answer=answer)

    def _known(self, one: Encounter) -> Known | None:
        if not self._is_current:
            return None
        try:
            return know(self._reader, one, self._registers)
        except StoreError as error:
            _LOG.error("the live state cannot be asked: %s", error)  # it names no person
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            _LOG.error("the live state cannot be used: %s", self._place_of(error))
        self._counts["state_faults"] += 1
        return None

    def _look(self) -> None:
        """Look whether the live state is built and fed, and whether the knowledge is another."""
        now = self._ticks()
        if self._looked_at is not None and now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        try:
            self._reader.look()
            fed = self._reader.fed
            if self._fed is None or self._fed[0] != fed:
                self._fed = (fed, now)
                self._registers.clear()
            self._is_current = self._reader.is_built and now - self._fed[1] <= MAX_AGE_S
            digest = self._reader.knowledge_digest()
            if digest is not None and digest != self._knowledge:
                self._rules = LiveRules(self._book, _index(self._reader.knowledge()))
                self._knowledge = digest
        except StoreError:
            self._is_current = False
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            self._is_current = False
            _LOG.error("the live state cannot be looked at: %s", self._place_of(error))

    def _count(self, asked: Asked, judged: Judged) -> None:
        counts = self._counts
        counts["asked"] += 1
        if judged.missing or not judged.is_asked or not asked.is_whole:
            counts["not_judged"] += 1
        if any(told.answer == "block" for told in judged.told):
            counts["blocked"] += 1
        elif judged.told:
            counts["warned"] += 1


def _switched_off(book: RuleBook, answers: Mapping[str, str]) -> frozenset[str]:
    """Warnings and rules that are off; a rule that is named stays on in a warning that is off."""
    off = {name for name, word in answers.items() if word == "off"}
    for warning in off & book.rules.keys():
        forms = set(book.rules[warning].forms_of)
        if forms & answers.keys() - off:
            off = off - {warning} | forms - answers.keys()
    return frozenset(off)


def proposed(book: RuleBook) -> KnowledgeIndex:
    """Knowledge that is shipped; until the live state holds that in force."""
    return KnowledgeIndex(
        {
            name: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            for name, table in book.knowledge.items()
        }
    )


def _index(body: bytes) -> KnowledgeIndex:
    """Read the knowledge that the live state holds: columns and rows by table."""
    document: Mapping[str, Mapping[str, Any]] = orjson.loads(body)
    return KnowledgeIndex(
        {name: _rows(table["columns"], table["rows"]) for name, table in document.items()}
    )


def _rows(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]
