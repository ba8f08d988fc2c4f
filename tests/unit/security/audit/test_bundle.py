from __future__ import annotations

import stat
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from security.audit import Manifest, Trust, Verdict, verify_bundle, write_bundle
from security.audit.bundle import AGREEMENTS, CERTIFICATES, MAX_RANGE, POLICIES, REVOCATIONS
from security.audit.report import MAX_LISTED
from security.audit.source import MAX_ENTRIES, open_bundle
from security.audit.verify import MAX_NAMED
from security.errors import AuditInputError
from tests.support.logs import LogUnderTest, sample_log
from tests.support.members import HUB, NODE, city

if TYPE_CHECKING:
    from collections.abc import Iterator

HUB_UNDER_TEST, NODE_UNDER_TEST = city()
GOOD: dict[str, Any] = {
    "hub": HUB,
    "from_index": 0,
    "to_index": 0,
    "period": "",
    "created": "2026-11-01T04:00:00Z",
}


@pytest.fixture(scope="module")
def log() -> LogUnderTest:
    return sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)


@pytest.fixture
def bundle(log: LogUnderTest, tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", log.parts())
    return tmp_path / "bundle"


@pytest.fixture
def archive(log: LogUnderTest, tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle.zip", log.parts())
    return tmp_path / "bundle.zip"


def verdict(path: Path) -> Verdict:
    return verify_bundle(path, Trust.of(HUB_UNDER_TEST.anchor)).verdict


def test_a_bundle_is_for_its_owner_until_it_is_handed_on(bundle: Path, archive: Path) -> None:
    assert [stat.S_IMODE(one.stat().st_mode) for one in (bundle, archive)] == [0o700, 0o600]


def test_writing_counts_what_it_wrote(log: LogUnderTest, tmp_path: Path) -> None:
    counts = write_bundle(tmp_path / "bundle", log.parts())
    root = log.publications[0][0].hex()
    assert counts == {
        "certificates.pb": len(HUB_UNDER_TEST.certificates),
        "leaves.pb": 6,
        "envelopes.pb": 5,
        "receipts.pb": 4,
        **dict.fromkeys(
            (
                *("revocations.pb", "policies.pb", "agreements.pb", "operations.pb"),
                *("checkpoints.pb", "prior.pb", "emptied.pb"),
            ),
            0,
        ),
        f"publications/{root}.pb": 3,
    }


def test_nothing_is_overwritten(log: LogUnderTest, bundle: Path, archive: Path) -> None:
    for path in (bundle, archive):
        with pytest.raises(AuditInputError, match="is already there"):
            write_bundle(path, log.parts())


def test_a_directory_that_is_not_there_is_named(log: LogUnderTest, tmp_path: Path) -> None:
    with pytest.raises(AuditInputError, match="absent is no directory; make it"):
        write_bundle(tmp_path / "absent" / "bundle.zip", log.parts())


def test_a_bundle_is_whole_or_absent(log: LogUnderTest, tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield log.leaves[0]
        raise OSError(28, "No space left on device")

    for name in ("bundle", "bundle.zip"):
        with pytest.raises(AuditInputError, match=r"No space left on device; remove .*\.tmp"):
            write_bundle(tmp_path / name, replace(log.parts(), leaves=failing()))
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hub": "city"}, "hub 'city'"),
        ({"hub": 5}, "wrong type"),
        ({"period": "2026"}, "period '2026'"),
        ({"period": None}, "wrong type"),
        ({"from_index": -1}, "range from -1"),
        ({"from_index": 1}, "range from 1 to 0"),
        ({"from_index": True, "to_index": 1}, "wrong type"),
        ({"to_index": 1.0}, "wrong type"),
        ({"to_index": 2**63}, "range from 0"),
        ({"to_index": MAX_RANGE + 1}, "export the range in pieces"),
        ({"created": "x" * 65}, "created has 65 characters"),
        ({"extra": 1}, "missing or unknown fields"),
        ({"format": 1}, "not of format 2"),
    ],
)
def test_a_manifest_out_of_bounds_is_unreadable(
    bundle: Path, changes: dict[str, Any], words: str
) -> None:
    manifest = {"format": 2} | GOOD | changes
    (bundle / "manifest.json").write_bytes(orjson.dumps(manifest))
    with pytest.raises(AuditInputError, match=words):
        verdict(bundle)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"[]", "not of format 2"),
        (b"{}", "not of format 2"),
        (b'{"format": 2}', "missing or unknown fields"),
        (b"x" * 70_000, "is longer than 65536 bytes"),
    ],
)
def test_a_manifest_that_is_none_is_unreadable(bundle: Path, content: bytes, words: str) -> None:
    (bundle / "manifest.json").write_bytes(content)
    with pytest.raises(AuditInputError, match=words):
        verdict(bundle)


def test_a_manifest_covers_its_period() -> None:
    assert Manifest(**GOOD).covers("2026H1")
    limited = Manifest(**(GOOD | {"period": "2026H1"}))
    assert limited.covers("2026H1")
    assert not limited.covers("2025H2")


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint.txt",
        "frontier.bin",
        "certificates.pb",
        "leaves.pb",
        "envelopes.pb",
        "receipts.pb",
        "revocations.pb",
        "policies.pb",
        "agreements.pb",
        "operations.pb",
        "checkpoints.pb",
        "prior.pb",
        "emptied.pb",
    ],
)
def test_a_missing_or_truncated_file_is_a_reason_not_a_crash(bundle: Path, name: str) -> None:
    path = bundle / name
    path.write_bytes(path.read_bytes()[:-1] or b"\x05")
    assert verdict(bundle) is Verdict.INVALID
    path.unlink()
    report = verify_bundle(bundle, Trust.of(HUB_UNDER_TEST.anchor))
    assert report.verdict is Verdict.INVALID
    assert any(f"{name} is missing" in failure.detail for failure in report.failures)


def test_a_truncated_publication_is_a_reason(bundle: Path) -> None:
    (path,) = (bundle / "publications").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    report = verify_bundle(bundle, Trust.of(HUB_UNDER_TEST.anchor))
    assert "truncated inside message 2" in report.exchanges[5].failures[-1].detail


def test_a_missing_manifest_is_unreadable(bundle: Path) -> None:
    (bundle / "manifest.json").unlink()
    with pytest.raises(AuditInputError, match=r"manifest\.json is missing"):
        verdict(bundle)


def test_links_and_devices_are_not_followed(bundle: Path) -> None:
    (bundle / "leaves.pb").unlink()
    (bundle / "leaves.pb").symlink_to("/dev/zero")
    report = verify_bundle(bundle, Trust.of(HUB_UNDER_TEST.anchor))
    assert "leaves.pb is missing" in report.failures[0].detail


def test_files_that_belong_to_no_bundle_are_counted_and_named(bundle: Path) -> None:
    (bundle / "anchor.pb").write_bytes(b"trust me")
    (bundle / "more").mkdir()
    (bundle / "packs").mkdir(exist_ok=True)
    (bundle / "packs" / "notes.txt").write_bytes(b"")
    (bundle / "link").symlink_to("/dev/zero")
    report = verify_bundle(bundle, Trust.of(HUB_UNDER_TEST.anchor))
    assert report.unknown_files == ("anchor.pb", "link", "more/", "packs/notes.txt")
    assert report.counts["unknown_files"] == 4
    assert report.summary()["unknown_files"] == [*report.unknown_files]
    assert report.verdict is Verdict.VALID


def test_many_unknown_files_are_counted_and_the_first_are_named(bundle: Path) -> None:
    for number in range(MAX_NAMED + 3):
        (bundle / f"{number:04d}.txt").touch()
    report = verify_bundle(bundle, Trust.of(HUB_UNDER_TEST.anchor))
    assert report.counts["unknown_files"] == MAX_NAMED + 3
    assert len(report.unknown_files) == MAX_NAMED


def test_a_file_that_vanishes_after_the_listing_is_an_error_of_ours(bundle: Path) -> None:
    with open_bundle(bundle) as source:
        (bundle / "leaves.pb").unlink()
        with pytest.raises(AuditInputError, match=r"leaves\.pb cannot be read: FileNotFoundError"):
            list(source.frames("leaves.pb", max_bytes=10, max_count=1))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    directory = tmp_path / "bundle"
    directory.mkdir()
    for number in range(MAX_ENTRIES + 1):
        (directory / f"{number}").touch()
    with pytest.raises(AuditInputError, match="at most 10000, each name once"):
        verdict(directory)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("leaves.pb", bytes(80 * 1024 * 1024))
    with pytest.raises(AuditInputError, match="unpacks to 83886080: refused"):
        verdict(path)


def test_a_zip_that_lies_about_its_sizes_is_a_reason(archive: Path, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        entry = opened.getinfo("envelopes.pb")
    content[entry.header_offset + 200] ^= 0xFF
    path = tmp_path / "changed.zip"
    path.write_bytes(bytes(content))
    report = verify_bundle(path, Trust.of(HUB_UNDER_TEST.anchor))
    assert report.verdict is Verdict.INVALID
    assert any("envelopes.pb" in failure.detail for failure in report.failures)


def test_a_name_that_occurs_twice_in_a_zip_is_refused(archive: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(archive, "a") as opened:
        warnings.simplefilter("ignore")
        opened.writestr("manifest.json", b"{}")
    with pytest.raises(AuditInputError, match="each name once"):
        verdict(archive)


def test_an_encrypted_zip_is_unreadable(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    # Bit 0 of the general purpose flags, in every local and central header.
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(magic)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(magic, at + 1)
    archive.write_bytes(bytes(content))
    with pytest.raises(AuditInputError, match="cannot be read: RuntimeError"):
        verdict(archive)


@pytest.mark.parametrize("content", [b"", b"PK", b"\xff" * 100])
def test_a_file_that_is_no_bundle_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(content)
    with pytest.raises(AuditInputError, match="neither a directory nor a readable zip file"):
        verdict(path)
    with pytest.raises(AuditInputError, match="neither a directory nor a readable zip file"):
        verdict(tmp_path / "absent")


def test_a_device_is_no_bundle() -> None:
    with pytest.raises(AuditInputError, match="neither a directory nor a readable zip file"):
        verdict(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("name", "check"),
    [
        (CERTIFICATES, "certificate"),
        (POLICIES, "policy"),
        (AGREEMENTS, "agreement"),
        (REVOCATIONS, "revocations"),
    ],
)
def test_nothings_without_number_do_not_swell_the_report(
    bundle: Path, name: str, check: str
) -> None:
    # A megabyte of them weighs some kilobytes in a zip file.
    (bundle / name).write_bytes(b"\x01\xff" * (2 * MAX_LISTED))

    report = verify_bundle(bundle, Trust.of(HUB_UNDER_TEST.anchor))

    failures = [one.detail for one in report.failures if one.check == check]
    assert len(failures) == MAX_LISTED + 1
    assert failures[-1] == f"more than {MAX_LISTED} failures of this check; the rest is not listed"


def test_every_truncation_of_a_zip_is_refused_or_unreadable(archive: Path) -> None:
    content = archive.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 20)):
        archive.write_bytes(content[:length])
        with pytest.raises(AuditInputError):
            verdict(archive)


def test_directories_inside_a_zip_are_no_files(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.mkdir("publications")
    assert verdict(archive) is Verdict.VALID


def test_a_stranger_cannot_pass_as_a_member(bundle: Path) -> None:
    with open_bundle(bundle) as source:
        assert source.manifest().hub != NODE
        assert not source.has_publication(bytes(32))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("envelopes.pb", "receipts.pb"),
        ("leaves.pb", "envelopes.pb"),
        ("certificates.pb", "revocations.pb"),
        ("frontier.bin", "checkpoint.txt"),
    ],
)
def test_swapped_files_are_found_out(bundle: Path, one: str, other: str) -> None:
    first, second = (bundle / one).read_bytes(), (bundle / other).read_bytes()
    (bundle / one).write_bytes(second)
    (bundle / other).write_bytes(first)
    assert verdict(bundle) is Verdict.INVALID


def test_the_leaves_of_another_log_are_found_out(bundle: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "other", sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST).parts())
    (bundle / "leaves.pb").write_bytes((tmp_path / "other" / "leaves.pb").read_bytes())
    report = verify_bundle(bundle, Trust.of(HUB_UNDER_TEST.anchor))
    assert "root" in [failure.check for failure in report.failures]
    assert report.verdict is Verdict.INVALID


def test_a_zip_of_thousands_of_tiny_bombs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bombs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(400):
            archive.writestr(f"packs/{number}.root.json", bytes(256 * 1024))
    with pytest.raises(AuditInputError, match="unpacks to"):
        verdict(path)


def test_a_name_that_climbs_out_of_the_bundle_is_never_opened(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("packs/../../../etc/passwd.json", b"{}")
        opened.writestr("/etc/passwd", b"root")
    report = verify_bundle(archive, Trust.of(HUB_UNDER_TEST.anchor))
    assert report.unknown_files == ("/etc/passwd",)
    assert report.counts["pack_metadata_not_judged"] == 1
