"""Any damage to an audit bundle gives a report or an error of ours; no proof changed is valid."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.audit import Trust, Verdict, verify_bundle, write_bundle
from security.errors import AuditInputError
from tests.support.logs import sample_log
from tests.support.members import city

if TYPE_CHECKING:
    from pathlib import Path

    from security.audit.report import AuditReport

HUB_UNDER_TEST, NODE_UNDER_TEST = city()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("audit") / "bundle.zip"
    write_bundle(path, sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST).parts())
    return path.read_bytes()


@pytest.fixture(scope="module")
def files(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "bundle.zip"


def audited(path: Path) -> AuditReport | None:
    """The report, None when the bundle cannot be read."""
    try:
        return verify_bundle(path, Trust.of(HUB_UNDER_TEST.anchor))
    except AuditInputError:
        return None


def verdict(path: Path) -> Verdict | None:
    """The verdict, None when the bundle cannot be read."""
    report = audited(path)
    return None if report is None else report.verdict


@given(data=st.data(), value=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_any_changed_byte_of_a_zip_is_a_verdict_or_an_error_of_ours(
    data: st.DataObject, value: int, archive: bytes, scratch: Path
) -> None:
    at = data.draw(st.integers(0, len(archive) - 1))
    scratch.write_bytes(archive[:at] + bytes([value]) + archive[at + 1 :])
    assert verdict(scratch) in {None, *Verdict}


@given(data=st.data(), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_any_flipped_bit_of_any_proof_is_never_valid(
    data: st.DataObject, bit: int, files: dict[str, bytes], scratch: Path
) -> None:
    name = data.draw(
        st.sampled_from(sorted(name for name in files if files[name] and name != "manifest.json"))
    )
    at = data.draw(st.integers(0, len(files[name]) - 1))
    flipped = bytearray(files[name])
    flipped[at] ^= 1 << bit
    with zipfile.ZipFile(scratch, "w") as opened:
        for other, content in (files | {name: bytes(flipped)}).items():
            opened.writestr(other, content)
    report = audited(scratch)
    if report is not None and report.verdict is Verdict.VALID:
        # The one way: the changed letter makes the name of another hub, as whose it is counted.
        assert (name, report.counts.get("certificates_of_other_hubs")) == ("certificates.pb", 1)


@pytest.mark.parametrize(
    ("issuer", "counted"),
    [(b"yixin://330301/hub/city", 1), (b"xixin://330300/hub/city", 0)],
)
def test_a_certificate_under_another_issuer_is_counted_or_refused(
    files: dict[str, bytes], scratch: Path, issuer: bytes, counted: int
) -> None:
    before, after = files["certificates.pb"].split(HUB_UNDER_TEST.anchor.hub.encode(), 1)
    with zipfile.ZipFile(scratch, "w") as opened:
        for name, content in (files | {"certificates.pb": before + issuer + after}).items():
            opened.writestr(name, content)
    report = audited(scratch)
    assert report is not None
    assert report.counts.get("certificates_of_other_hubs", 0) == counted
    refused = [failure for failure in report.failures if failure.check == "certificate"]
    assert len(refused) == 1 - counted
