"""Findings of topics (专题发现) out of their results, kept so that clues can be made of them.

Rules:
- A finding has the same id in every run over the same records, and in any other order of rows.
- Months that were run before are run again where what they read has changed since: a finding that
  no longer holds is gone, as a hit of a rule is.
- What a finding rests on is told as measures: which sets of which months, and the digest of what
  they were counted from.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from node.domain.rule_hits import hit_id
from node.domain.topic_findings import FindingBody, TopicFinding
from node.store.findings import Findings, Replaced
from node.supervision.topics import TopicDesk
from scoring_kernel.supervision import Topic, TopicResult

__all__ = ["NoticeReport", "Noticing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReport:
    """What some runs of topics found about somebody."""

    findings: int
    """Findings of the topics and months that were run."""
    new: int
    """Of these, not known before."""
    gone: int
    """Findings that no longer hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticing:
    """Keeps what topics find."""

    desk: TopicDesk
    kept: Findings
    secret: bytes = field(repr=False)
    """The node's secret, under which findings are named."""
    at: datetime
    """Present moment, UTC-aware."""

    def keep(self, results: Iterable[TopicResult], months: Sequence[int]) -> NoticeReport:
        """Keep the findings of results, and of months that read something else than before.

        Args:
            results: Results of one month.
            months: Months that are counted; others are left as they are.

        Raises:
            StoreError: The disk failed, or a topic's SQL fails.
            ParameterNotInForceError: A threshold has no value on a month's last day.
        """
        done = [self._replace(one) for one in results if one.topic.clue is not None]
        for month, topics in self._changed(months).items():
            done += [self._replace(one) for one in self.desk.run(topics, month)]
        return NoticeReport(
            findings=sum(one.standing for one in done),
            new=sum(one.new for one in done),
            gone=sum(one.gone for one in done),
        )

    def _changed(self, months: Sequence[int]) -> dict[int, list[Topic]]:
        """Topics by month that were run before and read something else today."""
        topics = self.desk.supervision.topics
        found: dict[int, list[Topic]] = {}
        for (name, month), inputs in sorted(self.kept.inputs().items()):
            topic = topics.get(name)
            if topic is None or topic.clue is None or month not in months:
                continue
            if inputs != self._inputs(topic, month):
                found.setdefault(month, []).append(topic)
        return found

    def _replace(self, result: TopicResult) -> Replaced:
        topic, month = result.topic, result.month
        return self.kept.replace(
            topic.id,
            month,
            self._inputs(topic, month),
            self._findings(result),
            self.at.isoformat(timespec="seconds"),
        )

    def _findings(self, result: TopicResult) -> list[TopicFinding]:
        topic, clue = result.topic, result.topic.clue
        if clue is None:
            return []
        measures = self.desk.rests_on(topic, result.month)
        return [
            TopicFinding(
                id=hit_id(self.secret, topic.id, (str(result.month), *one.key)),
                topic=topic.id,
                version=result.version,
                institution=one.institution,
                month=result.month,
                amount_fen=one.amount_fen,
                verdict=clue.verdict,
                severity=clue.severity,
                body=FindingBody(
                    staff=one.staff, person=one.person, visit=one.visit, measures=measures
                ),
            )
            for one in result.noticed
        ]

    def _inputs(self, topic: Topic, month: int) -> bytes:
        """Digest of everything that a topic reads of a month."""
        state = hashlib.sha256(self.desk.supervision.digest + topic.digest)
        state.update(repr(sorted(self.desk.peers.items())).encode())
        for one in self.desk.rests_on(topic, month):
            state.update(f"{one.measure_set} {one.months} {one.digest.hex()}\n".encode())
        return state.digest()
