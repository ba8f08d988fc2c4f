"""Findings of topics (专题发现): what a topic noticed about somebody in a month.

Rules: a finding's id is that of a hit (``rule_hits.hit_id``), made of topic, month and the columns
that tell one from another; whom it is about and what it rests on is sealed before it is kept.
"""

from dataclasses import dataclass, field

import orjson

from node.domain.clue_drafts import MeasureMonths
from node.errors import StoreError

__all__ = ["FindingBody", "TopicFinding", "decode_finding", "encode_finding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingBody:
    """What is personal of a finding, and what it rests on; sealed at rest."""

    staff: str | None = field(repr=False)
    person: str | None = field(repr=False)
    visit: str | None = field(repr=False)
    measures: tuple[MeasureMonths, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFinding:
    """One finding of one topic and month."""

    id: bytes
    """16 bytes, keyed by the node's secret."""
    topic: str
    version: str
    """Version of the topic's thresholds."""
    institution: str | None
    """None where the records of the person tell it."""
    month: int
    """yyyymm."""
    amount_fen: int
    verdict: str
    """violation (违规), suspicion (可疑) or warning (提醒)."""
    severity: str
    body: FindingBody


def encode_finding(body: FindingBody) -> bytes:
    """Write a body as JSON, always the same for the same body."""
    return orjson.dumps(
        {
            "staff": body.staff,
            "person": body.person,
            "visit": body.visit,
            "measures": [
                (one.measure_set, one.month, one.months, one.digest.hex()) for one in body.measures
            ],
        }
    )


def decode_finding(content: bytes) -> FindingBody:
    """Read a body.

    Raises:
        StoreError: It is not of the form.
    """
    try:
        found = orjson.loads(content)
        return FindingBody(
            staff=found["staff"],
            person=found["person"],
            visit=found["visit"],
            measures=tuple(
                MeasureMonths(
                    measure_set=name, month=month, months=months, digest=bytes.fromhex(digest)
                )
                for name, month, months, digest in found["measures"]
            ),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            "the body of a finding is not of the form this release writes; run: yixin node topics "
            "run"
        ) from error
