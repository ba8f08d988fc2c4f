"""What an audit found: a verdict for every exchange, and every failure, not only the first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FORMAT: Final = 2
SM2_UNCHECKED: Final = "sm2_unchecked"
"""Check of what a hub signed with SM2 beside its other key, where SM2 does not work."""
MAX_LISTED: Final = 1_000
"""Most failures of one check of the bundle as a whole; those of exchanges are all listed."""


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
    kind: str
    """Kind of the leaf, such as ``envelope`` or ``operator``; ``unreadable`` for none."""
    verdict: Verdict
    """The worst of its failures."""
    failures: tuple[Failure, ...]
    """All of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relied:
    """What the auditor relied on, from sources of its own."""

    anchors: Mapping[str, str]
    """SHA-256 of every trust anchor, hexadecimal, by hub."""
    witnesses: tuple[str, ...]
    """Names of the trusted witnesses."""
    quorum: int
    """How many of them must have signed."""
    pack_root: str
    """SHA-256 of the packs' root metadata, hexadecimal, or empty."""
    seen: tuple[str, ...]
    """Earlier checkpoints: origin, size and root."""


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
    """When the bundle says it was made; nothing proves it."""
    bundle_sha256: str
    """SHA-256 of the zip file, hexadecimal; empty for a directory."""
    checkpoint: str
    """The hub's signed checkpoint, once it is verified; else empty."""
    cosigned_by: tuple[str, ...]
    """Trusted witnesses that signed the checkpoint."""
    verdict: Verdict
    """The worst of all failures."""
    counts: Mapping[str, int]
    """How many of each were seen."""
    pack_digests: Mapping[str, int]
    """Catalogue digests named by the envelopes, hexadecimal, with how often each occurs."""
    relied_on: Relied
    """Anchors and the rest that the auditor brought."""
    exchanges: Sequence[ExchangeVerdict]
    """One per leaf, in log order."""
    failures: tuple[Failure, ...]
    """Failures of the bundle as a whole."""
    unknown_files: tuple[str, ...] = ()
    """Names of files that belong to no bundle, the first of them; nothing of them was read."""

    @property
    def is_unconfirmed(self) -> bool:
        """Whether no quorum was asked for and no trusted witness confirmed the log either."""
        return not self.relied_on.quorum and not self.cosigned_by

    def all_failures(self) -> Iterator[tuple[int | None, Failure]]:
        """Every failure with its log index; those of the whole bundle first, without one."""
        for failure in self.failures:
            yield None, failure
        for exchange in self.exchanges:
            for failure in exchange.failures:
                yield exchange.index, failure

    def summary(self) -> dict[str, Any]:
        """The report without its exchanges and failures, as JSON values."""
        return {
            "format": FORMAT,
            "hub": self.hub,
            "from_index": self.from_index,
            "to_index": self.to_index,
            "period": self.period,
            "created": self.created,
            "created_is_proved": False,
            "bundle_sha256": self.bundle_sha256,
            "checkpoint": self.checkpoint,
            "cosigned_by": list(self.cosigned_by),
            "verdict": self.verdict,
            "counts": dict(self.counts),
            "unknown_files": list(self.unknown_files),
            "pack_digests": dict(self.pack_digests),
            "relied_on": {
                "anchors": dict(self.relied_on.anchors),
                "witnesses": list(self.relied_on.witnesses),
                "quorum": self.relied_on.quorum,
                "pack_root": self.relied_on.pack_root,
                "seen": list(self.relied_on.seen),
            },
        }

    def to_json(self) -> bytes:
        """The report as one JSON object; exchanges carry their failures."""
        exchanges = [
            {
                "index": exchange.index,
                "kind": exchange.kind,
                "verdict": exchange.verdict,
                "failures": [_failure(found) for found in exchange.failures],
            }
            for exchange in self.exchanges
        ]
        failures = [_failure(found) for found in self.failures]
        whole = self.summary() | {"failures": failures, "exchanges": exchanges}
        return orjson.dumps(whole, option=orjson.OPT_INDENT_2)


@dataclass(slots=True, kw_only=True)
class Findings:
    """What an audit found so far."""

    failures: list[Failure] = field(default_factory=list)
    """Failures of the bundle as a whole."""
    exchanges: list[ExchangeVerdict] = field(default_factory=list)
    """One per leaf, in log order."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many of each were seen."""
    packs: Counter[bytes] = field(default_factory=Counter)
    """Catalogue digests, with how often each occurs."""
    _told: Counter[tuple[str, Verdict]] = field(default_factory=Counter, repr=False)

    def fail(self, check: str, detail: str, verdict: Verdict = Verdict.INVALID) -> None:
        """Record a failure of the bundle as a whole; of one check, no more than are ever read."""
        self._told[check, verdict] += 1
        if self._told[check, verdict] > MAX_LISTED + 1:
            return
        if self._told[check, verdict] > MAX_LISTED:
            detail = f"more than {MAX_LISTED} failures of this check; the rest is not listed"
        self.failures.append(Failure(check=check, detail=detail, verdict=verdict))

    def judge(self, index: int, kind: str, failures: list[Failure]) -> None:
        """Record what was found of a leaf."""
        verdict = worst(failure.verdict for failure in failures) if failures else Verdict.VALID
        self.exchanges.append(
            ExchangeVerdict(index=index, kind=kind, verdict=verdict, failures=tuple(failures))
        )
        self.counts[verdict.value] += 1

    @property
    def verdict(self) -> Verdict:
        """The worst of everything found."""
        found = [Verdict(name) for name in Verdict if self.counts[name]]
        return worst([failure.verdict for failure in self.failures] + found)


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
