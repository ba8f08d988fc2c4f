"""An auditor under test: writes a bundle of a log and verifies it against the hub's anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from security.audit import AuditReport, BundleParts, verify_bundle, write_bundle
from tests.support.members import city

if TYPE_CHECKING:
    from pathlib import Path

HUB_UNDER_TEST, NODE_UNDER_TEST = city()


class Auditor:
    """Writes a bundle and verifies it against the hub's anchor."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def verify(self, parts: BundleParts, suffix: str = "") -> AuditReport:
        self._count += 1
        path = self._directory / f"bundle-{self._count}{suffix}"
        write_bundle(path, parts)
        return verify_bundle(path, HUB_UNDER_TEST.anchor)


def checks(report: AuditReport, index: int | None = None) -> list[str]:
    """Names of the failed checks of one exchange, or of the bundle as a whole."""
    failures = report.failures if index is None else report.exchanges[index].failures
    return [failure.check for failure in failures]


def judged(report: AuditReport) -> list[str]:
    return [str(exchange.verdict) for exchange in report.exchanges]
