"""What an audit found: a verdict for every exchange, and every failure, not only the first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Verdict(StrEnum):
    """What was proved."""

    VALID = "valid"
    """Everything that was shown fits together and to the anchor."""
    INVALID = "invalid"
    """Something contradicts a proof."""
    INDETERMINATE = "indeterminate"
    """Nothing contradicts, but a part that the log names is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed check."""

    check: str
    """Name of the check, stable."""
    detail: str
    """What was found and what was expected."""
    verdict: Verdict = Verdict.INVALID
    """What the failure makes of the exchange or the bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeVerdict:
    """What was proved of one exchange."""

    index: int
    """Index in the log."""
    verdict: Verdict
    """The worst of its failures."""
    failures: tuple[Failure, ...]
    """All of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What was proved of a bundle."""

    hub: str
    """Member id of the hub."""
    from_index: int
    """First log index of the range."""
    to_index: int
    """First log index after the range."""
    period: str
    """Rating period the bundle is limited to, or empty."""
    created: str
    """When the bundle says it was made."""
    verdict: Verdict
    """The worst of all failures."""
    counts: Mapping[str, int]
    """How many of each were seen."""
    pack_digests: Mapping[str, int]
    """Catalogue digests named by the envelopes, hexadecimal, with how often each occurs."""
    exchanges: tuple[ExchangeVerdict, ...]
    """One per leaf, in log order."""
    failures: tuple[Failure, ...]
    """Failures of the bundle as a whole."""

    def to_json(self) -> bytes:
        """The report as one JSON object; exchanges carry their failures."""
        return orjson.dumps(
            {
                "hub": self.hub,
                "from_index": self.from_index,
                "to_index": self.to_index,
                "period": self.period,
                "created": self.created,
                "verdict": self.verdict,
                "counts": dict(self.counts),
                "pack_digests": dict(self.pack_digests),
                "failures": [_failure(found) for found in self.failures],
                "exchanges": [
                    {
                        "index": exchange.index,
                        "verdict": exchange.verdict,
                        "failures": [_failure(found) for found in exchange.failures],
                    }
                    for exchange in self.exchanges
                ],
            },
            option=orjson.OPT_INDENT_2,
        )


@dataclass(slots=True, kw_only=True)
class Findings:
    """What an audit found so far."""

    failures: list[Failure] = field(default_factory=list)
    """Failures of the bundle as a whole."""
    exchanges: list[ExchangeVerdict] = field(default_factory=list)
    """One per leaf, in log order."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many of each were seen."""
    packs: Counter[str] = field(default_factory=Counter)
    """Catalogue digests, hexadecimal, with how often each occurs."""

    def fail(self, check: str, detail: str) -> None:
        """Record a failure of the bundle as a whole."""
        self.failures.append(Failure(check=check, detail=detail))

    def judge(self, index: int, failures: list[Failure]) -> None:
        """Record what was found of a leaf."""
        verdict = worst(failure.verdict for failure in failures)
        self.exchanges.append(
            ExchangeVerdict(index=index, verdict=verdict, failures=tuple(failures))
        )
        self.counts[verdict.value] += 1


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts: invalid, then indeterminate, then valid.

    >>> worst([Verdict.VALID, Verdict.INDETERMINATE]).value
    'indeterminate'
    """
    found = set(verdicts)
    for verdict in (Verdict.INVALID, Verdict.INDETERMINATE):
        if verdict in found:
            return verdict
    return Verdict.VALID


def _failure(failure: Failure) -> dict[str, Any]:
    return {"check": failure.check, "detail": failure.detail, "verdict": failure.verdict}
