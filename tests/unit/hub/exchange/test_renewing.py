from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from hub.errors import EnrolmentRefusedError
from hub.exchange.renewing import renew
from hub.exchange.requests import approve, reject
from hub.exchange.revoking import revoke_member
from hub.store import members, revocations
from hub.store.engine import reading, writing
from hub.store.policies import require_suite
from protos.yixin.v1 import enrolment_pb2, exchange_pb2, identity_pb2
from security.certificates import ENCRYPTION, SIGNING
from security.errors import RevokedError, SuitePolicyError
from security.exchange.key_files import create_keys
from security.keys import EncryptionKey
from security.tls import load_certificate, member_id_of, tls_digest
from tests.support.hub_city import CITY, FIRST, NODE, City, Sender, Slot, batch
from tests.support.renewals import renew_request

if TYPE_CHECKING:
    from pathlib import Path

    from security.exchange.key_files import MemberKeys


@dataclass
class Renewing:
    """A member that renews by hand."""

    city: City
    node: Sender
    new: MemberKeys
    sent: list[enrolment_pb2.RenewRequest] = field(default_factory=list)

    def request(self, **changes: object) -> enrolment_pb2.RenewRequest:
        return renew_request(NODE, self.node.keys.signing, self.new, self.city.clock.ms, **changes)

    def ask(self, request: enrolment_pb2.RenewRequest | None = None) -> enrolment_pb2.RenewResponse:
        parts = self.city.parts
        self.sent.append(request or self.request())
        return renew(
            parts.engine,
            parts.identity,
            self.sent[-1],
            settings=parts.settings,
            now=self.city.clock(),
        )

    def refused(self, request: enrolment_pb2.RenewRequest) -> EnrolmentRefusedError:
        before = self.certificates()
        with pytest.raises(EnrolmentRefusedError) as caught:
            self.ask(request)
        assert self.certificates() == before
        return caught.value

    def certificates(self) -> tuple[members.StoredCertificate, ...]:
        with reading(self.city.parts.engine) as connection:
            return members.certificates(connection, member_id=NODE)


@pytest.fixture
def renewing(city: City, node: Sender, tmp_path: Path) -> Renewing:
    return Renewing(city, node, create_keys(tmp_path / "new", post_quantum=False))


def bodies(response: enrolment_pb2.RenewResponse) -> list[identity_pb2.KeyCertificateBody]:
    found = [*response.certificates]
    return [identity_pb2.KeyCertificateBody.FromString(one.body) for one in found]


def test_new_keys_get_certificates_that_overlap_the_old_ones(renewing: Renewing) -> None:
    city, new = renewing.city, renewing.new
    ahead = renewing.node.seal(batch(Slot(value=5)), expires_at_ms=city.clock.ms + 30 * 86_400_000)
    city.clock.advance(days=15)

    response = renewing.ask()

    assert member_id_of(response.tls_certificate_der) == NODE
    days = load_certificate(response.tls_certificate_der).not_valid_after_utc - city.clock()
    assert days.days == 30
    assert [(one.use, one.key_id) for one in bodies(response)] == [
        (SIGNING, new.signing.key_id),
        (ENCRYPTION, new.encryption.key_id),
    ]
    assert response.hub_keys
    assert response.policy.body
    assert [row.revoked_at_ms for row in renewing.certificates()] == [None] * 4
    # What was sealed ahead under the old key still counts, and so does the new one.
    city.learn(NODE)
    (receipt,) = city.submit(ahead)
    assert isinstance(receipt, exchange_pb2.Receipt)
    later = replace(renewing.node, keys=new)
    (receipt,) = city.submit(later.seal(batch(Slot(month=202602))))
    assert isinstance(receipt, exchange_pb2.Receipt)
    with reading(city.parts.engine) as connection:
        old = tls_digest(renewing.node.membership.joined.tls_certificate_der)
        assert revocations.tls_state(connection, NODE, old) is revocations.TlsState.ISSUED


def test_a_lost_answer_costs_nothing(renewing: Renewing) -> None:
    request = renewing.request()
    first = renewing.ask(request)
    renewing.city.clock.advance(days=3)

    assert renewing.ask(request) == first
    assert len(renewing.certificates()) == 4


def test_held_keys_keep_the_certificates_they_have(renewing: Renewing) -> None:
    renewing.new = replace(renewing.node.keys, tls_key_pem=renewing.new.tls_key_pem)
    renewing.city.clock.advance(days=15)

    response = renewing.ask()

    joined = renewing.node.membership.joined
    assert list(response.certificates) == [
        joined.signing_certificate,
        joined.encryption_certificate,
    ]
    renewing.city.clock.advance(days=270)
    assert [one.serial for one in bodies(renewing.ask(renewing.request()))] == [
        row.serial for row in renewing.certificates()[-2:]
    ]
    assert len(renewing.certificates()) == 4


@pytest.mark.parametrize("days", [0, 89])
def test_an_unrevoked_key_renews_by_itself_until_90_days_after_its_end(
    renewing: Renewing, days: int
) -> None:
    renewing.city.clock.advance(days=365 + days, minutes=1)

    assert bodies(renewing.ask())


def test_a_member_that_was_away_for_months_waits_for_the_officer(renewing: Renewing) -> None:
    city = renewing.city
    city.clock.advance(days=365 + 91)
    request = renewing.request()

    pending = renewing.ask(request).pending

    assert pending.fingerprint
    assert len(renewing.certificates()) == 2
    city.clock.advance(days=2)
    assert renewing.ask(request).pending == pending
    with writing(city.parts.engine) as connection:
        assert approve(connection, NODE, city.clock.ms) is not None
    assert bodies(renewing.ask(request))
    assert renewing.ask(request) == renewing.ask(renewing.sent[-1])
    assert len(renewing.certificates()) == 4


def test_a_renewal_the_officer_rejected_stays_refused(renewing: Renewing) -> None:
    renewing.city.clock.advance(days=365 + 91)
    request = renewing.request()
    renewing.ask(request)
    with writing(renewing.city.parts.engine) as connection:
        reject(connection, NODE, "unknown voice", renewing.city.clock.ms)

    assert "officer rejected" in str(renewing.refused(request))


def test_a_key_that_has_ended_and_has_a_successor_does_not_renew_by_itself(
    renewing: Renewing, tmp_path: Path
) -> None:
    renewing.city.clock.advance(days=300)
    renewing.ask()
    renewing.city.clock.advance(days=70)
    renewing.new = create_keys(tmp_path / "thief", post_quantum=False)

    assert renewing.ask().HasField("pending")


@pytest.mark.parametrize("what", ["member", "joined again"])
def test_a_revoked_key_renews_nothing_and_is_told_so(
    renewing: Renewing, what: str, tmp_path: Path
) -> None:
    city = renewing.city
    answered = renewing.request()
    renewing.ask(answered)
    if what == "member":
        with writing(city.parts.engine) as connection:
            revoke_member(connection, city.parts.identity, NODE, "theft", city.clock.ms)
    else:
        city.enrol(tmp_path / "again", NODE, FIRST)

    with pytest.raises(RevokedError):
        renewing.ask(renewing.request())
    with pytest.raises(RevokedError):
        renewing.ask(answered)


def test_who_has_not_proved_who_it_is_learns_nothing(renewing: Renewing, tmp_path: Path) -> None:
    thief = create_keys(tmp_path / "thief", post_quantum=False)
    now_ms = renewing.city.clock.ms
    unknown = renew_request(NODE, thief.signing, renewing.new, now_ms)
    forged = renewing.request()
    forged.signature = thief.signing.sign("yixin/renew/v1", forged.body).classical
    stranger = renew_request(
        "yixin://330302/node/nobody", renewing.node.keys.signing, renewing.new, now_ms
    )
    crossed = renewing.request()
    crossed.signature, crossed.new_signature = crossed.new_signature, crossed.signature
    with writing(renewing.city.parts.engine) as connection:
        parts = renewing.city.parts
        revoke_member(connection, parts.identity, NODE, "theft", now_ms)

    wordings = {str(renewing.refused(one)) for one in (unknown, forged, stranger, crossed)}

    assert len(wordings) == 1
    assert "not signed by its own keys" in wordings.pop()


def test_an_encryption_key_renews_nothing(renewing: Renewing) -> None:
    request = renewing.request()
    request.key_id = renewing.node.keys.encryption.key_id

    assert "no key" in renewing.refused(request).cause


def test_the_requested_keys_must_be_proved(renewing: Renewing, tmp_path: Path) -> None:
    other = create_keys(tmp_path / "other", post_quantum=False)
    unproved = renewing.request(signing_public_key=other.signing.verifying.public_key)
    for request, cause in (
        (unproved, "possession"),
        (renewing.request(tls_csr_der=b"no request"), "certificate request"),
        (renewing.request(tls_csr_der=bytes(9 * 1024)), "certificate request"),
        (renewing.request(encryption_public_key=b"short"), "public key"),
        (renewing.request(signing_pq_public_key=bytes(1952)), "post-quantum"),
        (renewing.request(suite="NONE"), "suite"),
    ):
        error = renewing.refused(request)
        assert cause in error.cause
        assert "requested keys" in str(error)


def test_a_clock_a_day_off_is_told_to_a_member(renewing: Renewing) -> None:
    for difference in (-86_500_000, 86_500_000):
        request = renewing.request(at_ms=renewing.city.clock.ms + difference)
        assert "clock" in str(renewing.refused(request))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda request: request.MergeFromString(b"\xfa\x06\x01x"),
        lambda request: setattr(request, "body", request.body + b"\xfa\x06\x01x"),
        lambda request: setattr(request, "body", request.body[:-3]),
        lambda request: setattr(request, "body", bytes(40_000)),
        lambda request: setattr(request, "body", b""),
        lambda request: setattr(request, "body", request.body + request.body),
    ],
)
def test_spoiled_requests_are_refused(renewing: Renewing, spoil: object) -> None:
    request = renewing.request()
    assert callable(spoil)
    spoil(request)

    assert "not signed by its own keys" in str(renewing.refused(request))


def test_a_suite_outside_the_policy_is_refused(renewing: Renewing) -> None:
    city = renewing.city
    with writing(city.parts.engine) as connection:
        require_suite(connection, city.parts.identity, NODE, "INTL", city.clock.ms)

    with pytest.raises(SuitePolicyError):
        renewing.ask()

    renewing.new = replace(renewing.new, encryption=EncryptionKey.generate("INTL"))
    response = renewing.ask()
    assert [one.suite for one in bodies(response)] == ["INTL", "INTL"]
    own = [identity_pb2.KeyCertificateBody.FromString(one.body) for one in response.hub_keys]
    assert [(one.member, one.use, one.suite) for one in own] == [
        (CITY, SIGNING, "INTL-PQ"),
        (CITY, ENCRYPTION, "INTL"),
    ]
