"""A city's product for a department of the province: the province passes it on unread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from deploy.department.program import Department, opened
from hub.agreements.answering import answer_waiting
from hub.agreements.delivering import deliver
from hub.agreements.directories import announce, take_directory
from hub.agreements.refusing import take_refusal
from hub.agreements.signing import sign_terms
from hub.agreements.terms import shipped_terms
from hub.domain.members import MemberId
from hub.errors import AgreementRefusedError
from hub.exchange.audit_export import AuditRange, export_audit
from hub.exchange.forwarding import Forwarder, Take
from hub.exchange.parent import join_parent
from hub.sharing_jobs import sharing_room
from hub.store import deliveries, envelopes, log, members, refusals
from hub.store.engine import reading, writing
from protos.yixin.v1 import identity_pb2, sharing_pb2, transparency_pb2
from scoring_kernel.periods import Period
from security.at_rest import Vault
from security.audit import Trust, Verdict, verify_bundle
from security.certificates import SIGNING, Keyring
from security.envelope import VerifiedEnvelope, decrypt_envelope, parse_envelope
from security.errors import UnreadableEnvelopeError, UntrustedEnvelopeError
from security.exchange.join import join
from security.exchange.tables import outbox
from security.progress import no_progress
from security.sharing.coverage import DIRECTORY, PRODUCT_REFUSAL
from security.sharing.forwarded import open_forwarded, parse_forward
from security.transparency import parse_leaf
from tests.support.hub_city import CITY, City, Clock, open_city, serving
from tests.support.published import Grade, publish_grades

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from deploy.department.products import Taken

PROVINCE = "yixin://330000/hub/province"
CREDIT = "yixin://330000/department/credit"


@pytest.fixture
def province(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "province", Clock(), level="province", division="330000") as made:
        yield made


def token(province: City, member: str) -> str:
    address = province.parts.address(province.parts.addresses().enrolment_port)
    return replace(province.token(member), enrolment_address=address).encode()


@dataclass(slots=True)
class Route:
    """A city, its province, and a department of the province."""

    city: City
    province: City
    forwarder: Forwarder
    directory: Path

    def deliver(self, *, correct: bool = False) -> None:
        """Queue the city's product for the department."""
        deliver(
            sharing_room(self.city.parts),
            "development_reform",
            period=Period.parse("2026H1"),
            officer="王五",
            correct=correct,
            now_ms=self.city.clock.ms,
        )

    def announce(self) -> int:
        """Let the province tell its members each other's keys."""
        with writing(self.province.parts.engine) as connection:
            room = sharing_room(self.province.parts)
            return announce(connection, room, self.province.clock.ms)

    async def exchange(self) -> None:
        """The city's exchange with the province, and the province's handling of it."""
        refusal = partial(take_refusal, now_ms=self.city.clock.ms)
        takes: dict[str, Take] = {DIRECTORY: take_directory, PRODUCT_REFUSAL: refusal}
        await self.forwarder.exchange(takes, no_progress)
        room = sharing_room(self.province.parts)
        while answer_waiting(room, self.province.clock.ms):
            pass

    async def collect(self) -> Taken:
        """The department's exchange with the province."""
        with opened(self.directory, self.city.clock) as department:
            return await department.exchange(no_progress)

    def forwards(self) -> list[bytes]:
        """What the province was given to pass on, as it holds it."""
        parts = self.province.parts
        with reading(parts.engine) as connection:
            raws = envelopes.load_raw(connection, range(log.size(connection)))
            self.province.parts.keys.learn(connection, CITY)
        found = []
        for raw in raws.values():
            envelope = parse_envelope(raw)
            header = self.province.check(envelope, peer=CITY).header
            if header is not None and header.payload_type == "forward":
                verified = VerifiedEnvelope(
                    header=header,
                    hash=b"",
                    sender_key=parts.keys.keyring.find(
                        CITY, header.sender_key_id, SIGNING, self.city.clock.ms
                    ),
                )
                keys = parts.identity.decryption_keys
                found.append(decrypt_envelope(envelope, verified, keys).payload)
        return found


@pytest.fixture
async def route(city: City, province: City, tmp_path: Path) -> AsyncIterator[Route]:
    """City and department have joined; the city agreed to share through the province."""
    publish_grades(city.parts.engine)
    async with serving(province.parts):
        membership = await join_parent(
            city.parts.parent_directory,
            token(province, CITY),
            own=MemberId(CITY),
            now=city.clock(),
        )
        directory = tmp_path / "credit"
        await join(
            directory,
            token(province, CREDIT),
            kind="department",
            post_quantum=False,
            now=city.clock(),
        )
        Vault.create(directory / "vault.key")
        terms = replace(
            shipped_terms(city.parts.catalog)["development_reform"], recipient=CREDIT, via="parent"
        )
        with writing(city.parts.engine) as connection:
            sign_terms(
                connection,
                city.parts.identity,
                terms,
                parent=PROVINCE,
                officer="王五",
                now_ms=city.clock.ms,
            )
        forwarder = Forwarder(
            engine=city.parts.engine,
            identity=city.parts.identity,
            outbox=city.parts.outbox,
            membership=membership,
            vault=city.parts.identity.vault,
            now=city.clock,
        )
        yield Route(city, province, forwarder, directory)


async def sent(route: Route) -> None:
    """A product on its way as far as the department's mailbox at the province."""
    route.deliver()
    # Both had to call once before they count as members who are told keys.
    await route.exchange()
    await route.collect()
    # The province's daemon may have told both already, by its own clock.
    assert route.announce() in {0, 2}
    await route.exchange()
    assert route.forwarder.wrap(CREDIT) == 1
    await route.exchange()


async def test_a_product_reaches_the_department_through_the_province(route: Route) -> None:
    await sent(route)
    taken = await route.collect()

    (path,) = taken.written
    content = route.directory.joinpath("products", path.rpartition("/")[2]).read_text("utf-8")
    assert "市一医院" in content
    assert "R01abcdef" not in content
    assert (taken.faults, taken.incomplete, taken.refused) == ([], 0, [])
    assert (await route.collect()).written == []


async def test_the_hub_that_forwards_cannot_open(route: Route) -> None:
    await sent(route)
    province = route.province.parts

    (payload,) = route.forwards()
    forward = parse_forward(payload)
    assert forward.header.recipient == CREDIT
    sender_key = province.keys.keyring.find(
        CITY, forward.header.sender_key_id, SIGNING, route.city.clock.ms
    )
    verified = VerifiedEnvelope(header=forward.header, hash=b"", sender_key=sender_key)
    for keys in (province.identity.decryption_keys, route.city.parts.identity.decryption_keys):
        named_alike = [{forward.header.recipient_key_id: key} for key in keys.values()]
        for held in (keys, *named_alike):
            with pytest.raises(UnreadableEnvelopeError):
                decrypt_envelope(forward.message.inner, verified, held)
    assert "市一医院".encode() not in payload


async def test_both_hubs_log_it_under_the_citys_agreement(route: Route) -> None:
    await sent(route)
    await route.collect()

    def logged(city: City) -> set[tuple[str, str, str]]:
        with reading(city.parts.engine) as connection:
            leaves = [parse_leaf(one.leaf) for one in log.leaves(connection, 0, 10_000)]
        return {
            (transparency_pb2.LogKind.Name(leaf.kind)[9:], leaf.payload_type, leaf.recipient)
            for leaf in leaves
            if leaf.agreement == "development_reform@1" and leaf.payload_type != "agreement"
        }

    assert logged(route.city) == {("DELIVERY", "product", CREDIT)}
    assert logged(route.province) == {
        ("ENVELOPE", "forward", PROVINCE),
        ("DELIVERY", "forwarded", CREDIT),
    }


async def test_without_the_directory_nothing_is_sealed(route: Route) -> None:
    route.deliver()
    with pytest.raises(AgreementRefusedError, match=r"^recipient: the directory"):
        route.forwarder.wrap(CREDIT)


async def test_a_revoked_department_gets_nothing_passed_on(route: Route) -> None:
    route.deliver()
    await route.exchange()
    await route.collect()
    route.announce()
    await route.exchange()
    route.forwarder.wrap(CREDIT)
    with writing(route.province.parts.engine) as connection:
        members.revoke(connection, CREDIT, "left", route.province.clock.ms)
    await route.exchange()

    with reading(route.province.parts.engine) as connection:
        kinds = [parse_leaf(one.leaf).kind for one in log.leaves(connection, 0, 10_000)]
        queued = set(connection.execute(select(outbox.c.payload_type)).scalars())
    assert transparency_pb2.LOG_KIND_REFUSED_REQUEST in kinds
    assert "forwarded" not in queued

    # The city learns it, and does not count the product as delivered.
    await route.exchange()
    with reading(route.city.parts.engine) as connection:
        causes = [one.cause for one in refusals.recent(connection, 10)]
        assert deliveries.recent_products(connection, 10) == ()
    assert any("was not passed on: recipient: " in cause for cause in causes)


async def test_parts_of_one_product_that_are_not_passed_on_drop_that_product_alone(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sent(route)
    monkeypatch.setattr("hub.agreements.building.PAYLOAD_TARGET_BYTES", 150)
    for clock in {id(one): one for one in (route.city.clock, route.province.clock)}.values():
        clock.advance(hours=1)
    changed = Grade(subject="H33030200003", grade="good", version=2, level="1")
    publish_grades(route.city.parts.engine, [changed])
    route.deliver(correct=True)
    assert route.forwarder.wrap(CREDIT) > 1
    with reading(route.city.parts.engine) as connection:
        second, first = deliveries.recent_products(connection, 10)
    with writing(route.province.parts.engine) as connection:
        members.revoke(connection, CREDIT, "left", route.province.clock.ms)
    await route.exchange()
    await route.exchange()

    with reading(route.city.parts.engine) as connection:
        causes = [one.cause for one in refusals.recent(connection, 10)]
        assert deliveries.recent_products(connection, 10) == (first,)
    assert sum("was not passed on: recipient: " in cause for cause in causes) == second.parts


async def test_a_parent_cannot_undo_what_it_was_not_given(route: Route) -> None:
    await sent(route)
    refusal = sharing_pb2.Product(
        format=1, agreement="development_reform@1", period="2026H1", refusal="recipient: no"
    )
    for digest in (b"", b"\x01" * 32):
        refusal.digest = digest
        with writing(route.city.parts.engine) as connection:
            take_refusal(
                connection, refusal.SerializeToString(), PROVINCE, now_ms=route.city.clock.ms
            )
    with reading(route.city.parts.engine) as connection:
        assert len(deliveries.recent_products(connection, 10)) == 1


async def test_times_are_judged_when_the_first_hub_logged_it(route: Route) -> None:
    await sent(route)
    (payload,) = route.forwards()
    route.city.clock.advance(days=500)

    with opened(route.directory, route.city.clock) as department:
        found = open_forwarded(payload, **parts_of(route, department))
    assert found.logged_at_ms < route.city.clock.ms
    assert sharing_pb2.Product.FromString(found.opened.payload).rows == 4


def parts_of(route: Route, department: Department) -> dict[str, Any]:
    """What the department opens forwarded envelopes with."""
    membership = department.membership
    ring = Keyring([membership.anchor])
    with reading(route.province.parts.engine) as connection:
        for row in members.certificates(connection, member_id=CITY):
            ring.add(identity_pb2.KeyCertificate.FromString(row.certificate))
    return {
        "recipient": CREDIT,
        "carrier": PROVINCE,
        "decryption_keys": membership.decryption_keys,
        "keyring": ring,
    }


async def test_what_a_forwarder_changes_is_not_taken(route: Route) -> None:
    await sent(route)
    (payload,) = route.forwards()

    def change(**parts: Any) -> bytes:  # noqa: ANN401 - any field
        message = sharing_pb2.Forward.FromString(payload)
        for name, value in parts.items():
            setattr(message, name, value)
        return message.SerializeToString()

    message = sharing_pb2.Forward.FromString(payload)
    leaf = transparency_pb2.LogLeaf.FromString(message.leaf)
    leaf.logged_at_ms += 1
    other_inner = sharing_pb2.Forward.FromString(payload)
    other_inner.inner.ciphertext = bytes(len(other_inner.inner.ciphertext))
    cut = sharing_pb2.Forward.FromString(payload)
    del cut.path[:]
    mutants = [
        b"",
        payload[:-5],
        payload + b"\xa8\x06\x01",
        change(format=2),
        change(log_index=message.log_index - 1),
        change(checkpoint=message.checkpoint.replace("/log1", "/log2")),
        change(checkpoint=message.checkpoint.replace(CITY[8:], "330400/hub/city")),
        change(checkpoint="x"),
        change(leaf=leaf.SerializeToString(deterministic=True)),
        change(leaf=b"\xff"),
        other_inner.SerializeToString(),
        cut.SerializeToString(),
    ]
    with opened(route.directory, route.city.clock) as department:
        parts = parts_of(route, department)
        open_forwarded(payload, **parts)
        for mutant in mutants:
            with pytest.raises(UntrustedEnvelopeError):
                open_forwarded(mutant, **parts)
        for name, value in (
            ("carrier", CITY),
            ("recipient", "yixin://330000/department/other"),
            ("keyring", Keyring([department.membership.anchor])),
        ):
            with pytest.raises(UntrustedEnvelopeError):
                open_forwarded(payload, **parts | {name: value})


async def test_an_auditor_finds_the_citys_side_and_the_provinces_side_valid(
    route: Route, tmp_path: Path
) -> None:
    await sent(route)
    await route.collect()
    anchors: dict[str, identity_pb2.TrustAnchor] = {
        one.parts.identity.hub: one.parts.identity.anchor for one in (route.city, route.province)
    }
    for hub in (route.city, route.province):
        path = tmp_path / f"{hub.parts.settings.hub.level}.zip"
        export_audit(
            hub.parts.engine,
            hub.parts.identity,
            path,
            AuditRange(),
            now=hub.clock(),
            progress=no_progress,
        )
        report = verify_bundle(path, Trust(anchors=anchors))
        bad = [one for one in report.exchanges if one.failures]
        assert (report.failures, bad) == ((), [])
    alone = verify_bundle(tmp_path / "city.zip", Trust.of(route.city.parts.identity.anchor))
    (open_question,) = [one for one in alone.exchanges if one.failures]
    assert (alone.verdict, open_question.kind) == (Verdict.INDETERMINATE, "delivery")
    assert PROVINCE in open_question.failures[0].detail
