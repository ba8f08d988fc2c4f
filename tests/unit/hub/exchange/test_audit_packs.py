"""What the packs' ceremony signs is what the auditor, who knows no TUF library, verifies."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.exchange.audit_parts import pack_files
from security.audit import Trust
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks
from tests.support.logs import LogUnderTest
from tests.support.pack_repository import Repository

if TYPE_CHECKING:
    from pathlib import Path


def pack(catalogue: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("pack.json", f'{{"catalog":"{catalogue.hex()}"}}')
    return content.getvalue()


def test_a_released_repository_is_verified_by_the_auditor(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "packs")
    catalogues = [bytes([number]) * 32 for number in (1, 2)]
    for number, catalogue in enumerate(catalogues, start=1):
        repository.publish(f"2026.{number}.1", pack(catalogue))
    log = LogUnderTest(hub=HUB_UNDER_TEST)
    for catalogue in (*catalogues, bytes([9]) * 32):
        log.accept(log.next_outgoing(NODE_UNDER_TEST, pack_digest=catalogue))
    trust = replace(
        Trust.of(HUB_UNDER_TEST.anchor), pack_root=hashlib.sha256(repository.root).digest()
    )
    auditor = Auditor(tmp_path)
    report = auditor.verify(log.parts(packs=pack_files(repository.directory)), trust=trust)
    assert report.failures == ()
    assert report.counts["released_packs"] == 2
    assert [checks(report, at) for at in range(3)] == [[], [], ["pack"]]


def test_a_hub_without_packs_shows_none(tmp_path: Path) -> None:
    assert list(pack_files(tmp_path / "absent")) == []
