from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hub.domain.members import MemberId
from hub.exchange.revoking import revoke_member
from hub.parts import KEYS, open_parts
from hub.store.certifying import own_keys
from hub.store.engine import writing
from hub.store.epochs import LEGACY_ENCRYPTION_KEY, HubEpochs
from hub.store.identity import load_identity
from hub.store.members import certificates
from protos.yixin.v1 import identity_pb2
from security.certificates import ENCRYPTION, SIGNING
from security.errors import KeyFileError
from security.keys import EncryptionKey
from tests.support.hub_city import Clock, Slot, batch, open_city

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City, Sender


def keys(city: City, suite: str = "INTL-PQ") -> list[identity_pb2.KeyCertificateBody]:
    found = own_keys(city.parts.engine, city.parts.identity, city.clock.ms, suite)
    return [identity_pb2.KeyCertificateBody.FromString(one.body) for one in found]


def test_the_identity_key_certifies_and_signs_nothing_else(city: City, node: Sender) -> None:
    identity = city.parts.identity
    (receipt,) = city.submit(node.seal(batch(Slot())))

    assert identity.anchor.key_id == identity.root.key_id
    assert identity.signing.key_id != identity.root.key_id
    assert getattr(receipt, "key_id") == identity.signing.key_id  # noqa: B009 - of either type
    assert [(one.use, one.key_id) for one in keys(city)] == [
        (SIGNING, identity.signing.key_id),
        (ENCRYPTION, identity.encryption.key_id),
    ]
    assert keys(city) == keys(city)


def test_a_new_epoch_begins_90_days_early_is_shown_a_day_and_then_signs(
    city: City, node: Sender
) -> None:
    identity = city.parts.identity
    first = identity.signing.key_id
    waiting = node.seal(batch(Slot()))
    city.clock.advance(days=274)
    assert len(keys(city)) == 2
    city.clock.advance(days=2)

    both = keys(city)

    assert [one.use for one in both] == [SIGNING, SIGNING, ENCRYPTION, ENCRYPTION]
    assert identity.signing.key_id == first
    city.clock.advance(days=1)
    keys(city)
    assert identity.signing.key_id == both[1].key_id != first
    # What was sealed to the retired key still opens.
    assert city.check(waiting).hash
    assert set(identity.decryption_keys) == {one.key_id for one in both[2:]}
    city.clock.advance(days=90)
    assert [one.key_id for one in keys(city)] == [both[1].key_id, both[3].key_id]


def test_epochs_survive_a_restart_and_a_crash_before_they_were_certified(tmp_path: Path) -> None:
    clock = Clock()
    with open_city(tmp_path / "hub", clock) as city:
        first = city.parts.identity.signing.key_id
        spare = city.parts.identity.epochs.new_signing().key_id
    clock.at += timedelta(days=280)

    with open_city(tmp_path / "hub", clock) as city:
        assert [one.key_id for one in keys(city) if one.use == SIGNING] == [first, spare]
        assert city.parts.identity.signing.key_id == first
    clock.at += timedelta(days=2)
    with open_parts(tmp_path / "hub", clock, writer=False) as parts:
        assert parts.identity.signing.key_id == spare


def test_a_hub_of_an_older_program_keeps_its_encryption_key(tmp_path: Path) -> None:
    with open_city(tmp_path / "hub") as city:
        new = city.parts.identity.encryption.key_id
    directory = tmp_path / "hub" / KEYS
    (directory / "hub-encryption-INTL-PQ-0001.key").rename(directory / LEGACY_ENCRYPTION_KEY)
    (directory / "hub-signing-0001.key").unlink()

    with open_city(tmp_path / "hub") as city:
        assert city.parts.identity.encryption.key_id == new
        assert [one.use for one in keys(city)] == [SIGNING, ENCRYPTION]
        assert city.parts.identity.signing.key_id != city.parts.identity.root.key_id


def test_members_of_another_suite_get_a_key_of_theirs(city: City) -> None:
    usual = {one.key_id for one in keys(city)}

    signing, encryption = keys(city, "INTL")

    assert signing.key_id in usual
    assert (encryption.suite, len(encryption.public_key)) == ("INTL", 32)
    assert encryption.key_id in city.parts.identity.decryption_keys
    assert {one.key_id for one in keys(city)} == usual


def test_revoked_epochs_are_replaced_at_once(city: City) -> None:
    before = {one.key_id for one in keys(city)}
    with writing(city.parts.engine) as connection:
        identity = city.parts.identity
        revoke_member(connection, identity, identity.hub, "the disk was stolen", city.clock.ms)

    after = {one.key_id for one in keys(city)}

    assert len(after) == 2
    assert not before & after
    assert city.parts.identity.signing.key_id in after
    with writing(city.parts.engine) as connection:
        assert len(certificates(connection, member_id=city.parts.identity.hub)) == 4


def test_a_key_file_of_another_suite_than_its_name_is_refused(tmp_path: Path) -> None:
    EncryptionKey.generate("INTL").save(tmp_path / "hub-encryption-INTL-PQ-0001.key")

    with pytest.raises(KeyFileError, match="INTL"):
        HubEpochs.load(tmp_path)


def test_a_hub_without_its_encryption_key_does_not_open(tmp_path: Path) -> None:
    with open_city(tmp_path / "hub") as city:
        member = city.parts.identity.hub
    (tmp_path / "hub" / KEYS / "hub-encryption-INTL-PQ-0001.key").unlink()

    with pytest.raises(KeyFileError, match="restore"):
        load_identity(tmp_path / "hub" / KEYS, member)


def test_members_of_gm_are_shown_the_sm2_key_that_signs_beside_the_other(tmp_path: Path) -> None:
    with open_city(tmp_path / "hub") as city:
        assert city.parts.identity.sm2_epoch is None
        usual, second, encryption = keys(city, "GM")
        assert [one.use for one in (usual, second, encryption)] == [SIGNING, SIGNING, ENCRYPTION]
        assert (second.suite, len(second.public_key), second.pq_public_key) == ("GM", 65, b"")
        identity, now_ms = city.parts.identity, city.clock.ms
        found = identity.countersigning("GM", now_ms)
        assert found is not None
        assert found.key_id == second.key_id != identity.signing.key_id == usual.key_id
        assert identity.countersigning("INTL-PQ", now_ms) is None
        assert identity.countersigning("GM", second.not_before_ms - 1) is None

    with open_city(tmp_path / "hub") as city:
        assert [one.key_id for one in keys(city, "GM")][1] == second.key_id
    directory = tmp_path / "hub" / KEYS
    (directory / "hub-signing-GM-0001.key").unlink()
    (directory / "hub-signing-0001.key").rename(directory / "hub-signing-GM-0001.key")
    with pytest.raises(KeyFileError, match="no signing key of GM"):
        load_identity(directory, city.parts.identity.hub)


def test_the_keys_of_another_hub_are_not_taken_for_this_ones(city: City) -> None:
    another = MemberId("yixin://330400/hub/city")

    with pytest.raises(KeyFileError, match=r"keys of 'yixin://330300/hub/city'.*hub\.member"):
        load_identity(city.parts.directory / KEYS, another)
