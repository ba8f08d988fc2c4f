from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from security.audit import load_anchor, save_anchor
from security.certificates import anchor_bytes, anchor_digest
from security.errors import AuditInputError
from tests.support.members import HUB, city

if TYPE_CHECKING:
    from pathlib import Path

ANCHOR = city()[0].anchor


def test_a_trust_file_round_trips_and_can_be_compared_by_eye(tmp_path: Path) -> None:
    path = tmp_path / "hub.trust"
    save_anchor(path, ANCHOR)
    assert load_anchor(path) == ANCHOR
    first, second, *rest = path.read_text().splitlines()
    assert first == f"# yixin trust anchor of {HUB}"
    assert second == f"# SHA-256 {anchor_digest(anchor_bytes(ANCHOR)).hex()}"
    assert max(map(len, rest)) == 76


def test_line_ends_and_blank_lines_of_other_editors_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "hub.trust"
    save_anchor(path, ANCHOR)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert load_anchor(path) == ANCHOR


@pytest.mark.parametrize(
    "content",
    [b"", b"# only a comment\n", b"%%%%", base64.b64encode(b"no anchor"), "锚".encode()],
)
def test_a_file_that_is_none_is_refused_with_the_command(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hub.trust"
    path.write_bytes(content)
    with pytest.raises(AuditInputError, match="yixin hub export-trust FILE"):
        load_anchor(path)


def test_a_flipped_bit_in_a_trust_file_is_refused_or_changes_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "hub.trust"
    data = anchor_bytes(ANCHOR)
    for at in range(0, len(data), 41):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        path.write_bytes(base64.b64encode(changed))
        try:
            found = load_anchor(path)
        except AuditInputError:
            continue
        assert anchor_digest(anchor_bytes(found)) != anchor_digest(data)


def test_missing_oversized_and_unwritable_files_are_errors_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AuditInputError, match="cannot be read: No such file"):
        load_anchor(tmp_path / "absent")
    (tmp_path / "big").write_bytes(b"A" * 40_000)
    with pytest.raises(AuditInputError, match="no trust file"):
        load_anchor(tmp_path / "big")
    with pytest.raises(AuditInputError, match="cannot be written"):
        save_anchor(tmp_path / "absent" / "file", ANCHOR)
