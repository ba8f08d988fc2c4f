"""An auditor under test: writes a bundle of a log and verifies it against the hub's anchor."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from security.audit import AuditReport, BundleParts, Trust, verify_bundle, write_bundle
from security.keys import SigningKey
from security.tlog.witness_policy import Witness
from tests.support.members import city

if TYPE_CHECKING:
    from pathlib import Path

HUB_UNDER_TEST, NODE_UNDER_TEST = city()


@cache
def witness_key(name: str) -> SigningKey:
    """Key of a witness of this name, made once per process."""
    del name
    return SigningKey.generate(post_quantum=True)


def witness(name: str, key: SigningKey | None = None) -> Witness:
    """A witness; of a fresh key unless one is given."""
    made = SigningKey.generate(post_quantum=True) if key is None else key
    return Witness(name=name, key=made.verifying)


class Auditor:
    """Writes a bundle and verifies it against the hub's anchor."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def verify(
        self, parts: BundleParts, suffix: str = "", *, trust: Trust | None = None
    ) -> AuditReport:
        self._count += 1
        path = self._directory / f"bundle-{self._count}{suffix}"
        write_bundle(path, parts)
        return verify_bundle(path, trust or Trust.of(HUB_UNDER_TEST.anchor))


def checks(report: AuditReport, index: int | None = None) -> list[str]:
    """Names of the failed checks of one exchange, or of the bundle as a whole."""
    failures = report.failures if index is None else report.exchanges[index].failures
    return [failure.check for failure in failures]


def judged(report: AuditReport) -> list[str]:
    return [str(exchange.verdict) for exchange in report.exchanges]
