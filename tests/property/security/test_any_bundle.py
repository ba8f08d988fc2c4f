"""Any damage to an audit bundle gives a report or an error of ours, and is never called valid."""

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


def verdict(path: Path) -> Verdict | None:
    """The verdict, None when the bundle cannot be read.

    A certificate whose issuer's name was changed is one of a hub that nobody trusts: it is counted
    and proves nothing, so it counts as found out.
    """
    try:
        report = verify_bundle(path, Trust.of(HUB_UNDER_TEST.anchor))
    except AuditInputError:
        return None
    is_counted = report.counts.get("certificates_of_other_hubs") and report.verdict is Verdict.VALID
    return Verdict.INDETERMINATE if is_counted else report.verdict


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
    assert verdict(scratch) in {None, Verdict.INVALID, Verdict.INDETERMINATE}


def test_a_certificate_of_a_hub_that_nobody_trusts_proves_nothing(
    files: dict[str, bytes], scratch: Path
) -> None:
    issuer = HUB_UNDER_TEST.anchor.hub.encode()
    for number in range(files["certificates.pb"].count(issuer)):
        parts = files["certificates.pb"].split(issuer)
        changed = (
            issuer.join(parts[: number + 1]) + b"x" + issuer[1:] + issuer.join(parts[number + 1 :])
        )
        with zipfile.ZipFile(scratch, "w") as opened:
            for other, content in (files | {"certificates.pb": changed}).items():
                opened.writestr(other, content)
        assert verdict(scratch) in {Verdict.INVALID, Verdict.INDETERMINATE}
