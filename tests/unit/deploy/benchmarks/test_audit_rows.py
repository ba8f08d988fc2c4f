from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.benchmarks import audit_rows
from deploy.benchmarks.cli import ROWS
from deploy.errors import BenchmarkError
from security.audit import Trust
from security.certificates import make_anchor
from security.keys import SigningKey

if TYPE_CHECKING:
    from pathlib import Path


def test_the_bundle_of_the_bench_is_valid_and_whole(tmp_path: Path) -> None:
    (row,) = ROWS["P13"](tmp_path, 0.01, 1)
    assert row.name == "P13 audit of 100 exchanges vs bare signatures"


def test_a_bundle_that_does_not_verify_is_no_measure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stranger = SigningKey.generate(post_quantum=True)
    anchor = make_anchor(audit_rows.HUB, stranger, b"no TLS", "elsewhere/log1")
    write = audit_rows._write  # noqa: SLF001 - its trust is swapped

    def swapped(bundle: Path, world: audit_rows._World) -> Trust:
        write(bundle, world)
        return Trust.of(anchor)

    monkeypatch.setattr(audit_rows, "_write", swapped)
    with pytest.raises(BenchmarkError, match="the bundle is invalid"):
        audit_rows.measure_audit(tmp_path, exchanges=100, repeats=1)
