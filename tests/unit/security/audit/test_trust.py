from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from security.audit import Trust, load_anchor, load_trust, save_anchor, save_trust
from security.audit.seen import load_note, save_note
from security.audit.trust import MAX_FILE_BYTES, merge
from security.certificates import anchor_bytes, anchor_digest
from security.errors import AuditInputError
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.auditor import witness
from tests.support.members import HUB, PROVINCE, city, make_hub

if TYPE_CHECKING:
    from pathlib import Path

ANCHOR = city()[0].anchor
OTHER = make_hub(PROVINCE)
WITNESS = witness("elsewhere/witness")


def test_a_trust_file_round_trips_and_can_be_compared_by_eye(tmp_path: Path) -> None:
    path = tmp_path / "hub.trust"
    save_anchor(path, ANCHOR)
    assert load_anchor(path) == ANCHOR
    first, second, third, *rest = path.read_text().splitlines()
    assert first.startswith("# yixin trust file")
    assert second == "yixin-trust 2"
    assert third == f"anchor {HUB} sha256 {anchor_digest(anchor_bytes(ANCHOR)).hex()}"
    assert max(map(len, rest)) == 76


def test_a_file_of_version_1_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "old.trust"
    content = base64.encodebytes(anchor_bytes(ANCHOR))
    path.write_bytes(b"# yixin trust anchor\n" + content)
    assert load_trust([path]) == Trust.of(ANCHOR)


def whole_trust() -> Trust:
    return Trust(
        anchors={found.hub: found for found in (ANCHOR, OTHER.anchor)},
        witnesses=(WITNESS, witness("province/witness")),
        quorum=2,
        pack_root=bytes(range(32)),
        seen=(Checkpoint(origin=ANCHOR.log_origin, size=7, root=bytes(32)),),
    )


def test_everything_an_auditor_relies_on_round_trips(tmp_path: Path) -> None:
    path, trust = tmp_path / "all.trust", whole_trust()
    save_trust(path, trust)
    assert load_trust([path]) == trust


def test_files_are_merged_and_the_larger_quorum_holds(tmp_path: Path) -> None:
    one, other = whole_trust(), replace(Trust.of(ANCHOR), witnesses=(WITNESS,), quorum=1)
    for name, trust in (("one", one), ("other", other)):
        save_trust(tmp_path / name, trust)
    assert load_trust([tmp_path / "other", tmp_path / "one"]).quorum == 2
    assert load_trust([tmp_path / "one", tmp_path / "other"]) == one


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Trust.of(make_hub(HUB).anchor), "two anchors of"),
        (Trust(anchors={}, witnesses=(witness(WITNESS.name),)), "two keys of witness"),
        (Trust(anchors={}, pack_root=bytes(32)), "packs' root contradict"),
        (
            Trust(
                anchors={},
                seen=(Checkpoint(origin=ANCHOR.log_origin, size=7, root=bytes([1]) * 32),),
            ),
            "showed two histories",
        ),
    ],
)
def test_files_that_contradict_are_not_merged(other: Trust, words: str) -> None:
    with pytest.raises(AuditInputError, match=words):
        merge(whole_trust(), other)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("quorum 3", "asks for 3 witnesses and names 0"),
        ("quorum many", "is no number"),
        ("trust me", "no word of trust files"),
        ("witness nobody", "damaged or of another type"),
        ("pack-root 00", "is no SHA-256"),
        ("seen log 1", "an origin, a size and a root"),
        ("seen log 1 ####", "not base64"),
        ("seen log -1 AAAA", "an origin, a size and a root"),
        ("anchor somebody sha256 00\n  AAAA", "TrustAnchor"),
        ("quorum 1\n  AAAA", "indented lines after"),
        ("  AAAA", "first line is indented"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "bad.trust"
    path.write_text(f"yixin-trust 2\n{line}\n")
    with pytest.raises(AuditInputError, match=words):
        load_trust([path])


def test_an_anchor_under_anothers_digest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hub.trust"
    save_anchor(path, ANCHOR)
    path.write_text(path.read_text().replace("sha256 ", "sha256 0"))
    with pytest.raises(AuditInputError, match="not the one its line names"):
        load_trust([path])


def test_a_file_of_several_anchors_is_no_single_anchor(tmp_path: Path) -> None:
    path = tmp_path / "all.trust"
    save_trust(path, whole_trust())
    with pytest.raises(AuditInputError, match="holds 2 anchors"):
        load_anchor(path)
    with pytest.raises(AuditInputError, match="no anchor of a hub"):
        load_trust([])


def test_a_checkpoint_is_kept_and_verified_again(tmp_path: Path) -> None:
    checkpoint = Checkpoint(origin=ANCHOR.log_origin, size=3, root=bytes(32))
    note = sign_checkpoint(checkpoint, city()[0].signing)
    path = tmp_path / "seen.txt"
    save_note(path, note)
    save_note(path, note)
    assert load_note(path, [OTHER.anchor, ANCHOR]) == checkpoint
    with pytest.raises(AuditInputError, match="no checkpoint of a hub in the trust file"):
        load_note(path, [OTHER.anchor])
    path.write_text(note.replace("\n3\n", "\n4\n"))
    with pytest.raises(AuditInputError, match="checkpoint of 4 leaves"):
        load_note(path, [ANCHOR])
    path.write_bytes(b"\xff")
    with pytest.raises(AuditInputError, match="is not a checkpoint"):
        load_note(path, [ANCHOR])
    with pytest.raises(AuditInputError, match="cannot be read"):
        load_note(tmp_path / "absent", [ANCHOR])
    with pytest.raises(AuditInputError, match="cannot be written"):
        save_note(tmp_path / "absent" / "file", note)


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
    (tmp_path / "big").write_bytes(b"A" * (MAX_FILE_BYTES + 1))
    with pytest.raises(AuditInputError, match="no trust file"):
        load_anchor(tmp_path / "big")
    with pytest.raises(AuditInputError, match="cannot be written"):
        save_anchor(tmp_path / "absent" / "file", ANCHOR)
