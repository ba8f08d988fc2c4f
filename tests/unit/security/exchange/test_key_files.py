"""Key files by epoch: old names, what is selected, and what is never overwritten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from security.errors import KeyFileError, MembershipError
from security.exchange.key_files import (
    KeyFile,
    add_epoch,
    create_keys,
    drop_epochs,
    find_epochs,
    load_keys,
    select_keys,
)
from security.exchange.member_files import (
    CERTIFICATES_FILE,
    find_address,
    keep_certificates,
    own_certificates,
    save_address,
)
from security.tls import csr_der, issue_member_certificate
from tests.support.members import HUB, NODE, NOW, city

if TYPE_CHECKING:
    from pathlib import Path

OLD_NAMES = {"signing-0001.key": "signing.key", "encryption-0001.key": "encryption.key"}


def test_names_of_an_earlier_release_are_the_first_epoch(tmp_path: Path) -> None:
    made = create_keys(tmp_path, post_quantum=False)
    for new, old in {**OLD_NAMES, "tls-0001.key": "tls.key"}.items():
        (tmp_path / new).rename(tmp_path / old)

    assert create_keys(tmp_path, post_quantum=False) == made
    path = add_epoch(tmp_path, KeyFile.SIGNING)

    assert path.name == "signing-0002.key"
    assert list(find_epochs(tmp_path, KeyFile.SIGNING)) == [1, 2]
    assert load_keys(tmp_path).signing.key_id != made.signing.key_id


def test_two_files_of_one_epoch_are_told_apart_by_a_person(tmp_path: Path) -> None:
    create_keys(tmp_path, post_quantum=False)
    (tmp_path / "tls.key").write_bytes((tmp_path / "tls-0001.key").read_bytes())

    with pytest.raises(KeyFileError, match="are both epoch 1"):
        load_keys(tmp_path)


def test_certificates_select_the_epoch_and_the_other_keys_still_open(tmp_path: Path) -> None:
    first = create_keys(tmp_path, post_quantum=False)
    for use in KeyFile:
        add_epoch(tmp_path, use)
    hub, _ = city()
    certificate = issue_member_certificate(
        hub.ca_key_pem,
        hub.ca_certificate_pem,
        csr_der(first.tls_key_pem),
        NODE,
        NOW + timedelta(days=1),
    )

    found = select_keys(
        tmp_path,
        signing=first.signing.key_id,
        encryption=first.encryption.key_id,
        tls_certificate=certificate,
    )

    assert (found.signing, found.tls_key_pem) == (first.signing, first.tls_key_pem)
    assert len(found.retired) == 1
    with pytest.raises(KeyFileError, match="holds no signing key that its certificate is for"):
        select_keys(
            tmp_path,
            signing="0" * 32,
            encryption=first.encryption.key_id,
            tls_certificate=certificate,
        )


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    create_keys(tmp_path, post_quantum=False)
    for name in ("signing-1.key", "signing-00002.key", "signing-backup.key", "signing-0002.key~"):
        (tmp_path / name).write_bytes(b"something else")

    assert list(find_epochs(tmp_path, KeyFile.SIGNING)) == [1]
    assert drop_epochs(tmp_path, KeyFile.SIGNING, []) == 1
    assert (tmp_path / "signing-backup.key").exists()
    with pytest.raises(KeyFileError, match="holds no signing key"):
        load_keys(tmp_path)


def test_the_last_epoch_is_the_last(tmp_path: Path) -> None:
    create_keys(tmp_path, post_quantum=False)
    (tmp_path / "tls-0001.key").rename(tmp_path / "tls-9999.key")

    with pytest.raises(KeyFileError, match="used up the 9999 epochs"):
        add_epoch(tmp_path, KeyFile.TLS)


def test_certificates_are_kept_once_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    _, node = city()
    assert own_certificates(tmp_path) == []
    keep_certificates(tmp_path, HUB, node.certificates)
    keep_certificates(tmp_path, HUB, node.certificates)

    assert own_certificates(tmp_path) == list(node.certificates)
    raw = (tmp_path / CERTIFICATES_FILE).read_bytes()
    for damaged in (raw[:-1], raw + b"\x07", b"\xff"):
        (tmp_path / CERTIFICATES_FILE).write_bytes(damaged)
        with pytest.raises(MembershipError, match="is damaged"):
            own_certificates(tmp_path)


def test_the_enrolments_address_is_kept(tmp_path: Path) -> None:
    assert find_address(tmp_path) is None
    save_address(tmp_path, "hub.example:8444")
    assert find_address(tmp_path) == "hub.example:8444"
