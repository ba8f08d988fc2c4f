"""A city pushes to its province over the wire; both exchanges stand before an auditor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.agreement_jobs import sign_push
from hub.domain.members import MemberId
from hub.errors import AuditExportError, ConfigurationError, NotJoinedError
from hub.exchange.audit_export import AuditRange, export_audit
from hub.exchange.parent import Pusher, join_parent, load_parent
from hub.identity_jobs import IdentityJobs
from hub.store import log, pushed
from hub.store.engine import reading, writing
from protos.yixin.v1 import statement_pb2
from security.audit import Trust, verify_bundle
from security.errors import AuditInputError
from security.progress import no_progress
from tests.support.hub_city import (
    CITY,
    City,
    Clock,
    Sender,
    Slot,
    batch,
    open_city,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection


@pytest.fixture
def province(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "province", Clock(), level="province", division="330000") as opened:
        yield opened


def pushes(*grades: str) -> Iterable[bytes]:
    for number, grade in enumerate(grades):
        push = statement_pb2.GradePush(
            period="2026H1",
            publication_root=bytes(32),
            grades=[
                statement_pb2.PushedGrade(
                    subject=f"H3303020000{number}",
                    subject_class="designated_medical_institution",
                    period="2026H1",
                    version=1,
                    total_centi=80_000,
                    grade=grade,
                    basis="proposal",
                    model_digest=bytes(32),
                    statement_digest=bytes(32),
                )
            ],
        )
        yield push.SerializeToString(deterministic=True)


def parent_token(province: City, member: str = CITY) -> str:
    address = province.parts.address(province.parts.addresses().enrolment_port)
    return replace(province.token(member), enrolment_address=address).encode()


async def test_a_hub_whose_log_waits_for_its_parent_as_a_witness_joins_it(
    city: City, province: City
) -> None:
    async with serving(province.parts):
        city.parts.log.mode.freeze("0 of 1 witnesses confirmed it")
        jobs = IdentityJobs(parts=city.parts)
        found = await jobs.join({"token": parent_token(province)}, no_progress)
    assert found["hub"] == load_parent(city.parts.parent_directory).hub_id
    assert "0 of 1 witnesses" in found["unsigned"]


async def test_a_push_arrives_once_however_often_it_is_repeated(city: City, province: City) -> None:
    async with serving(province.parts):
        membership = await join_parent(
            city.parts.parent_directory,
            parent_token(province),
            own=MemberId(CITY),
            now=city.clock(),
        )
        assert load_parent(city.parts.parent_directory).hub_id == province.parts.identity.hub
        grades = ["excellent", "bad"]

        with writing(city.parts.engine) as connection:
            sign_push(connection, city.parts, membership.hub_id)

        def payloads(_connection: Connection) -> Iterable[bytes]:
            return pushes(*grades)

        pusher = Pusher(
            engine=city.parts.engine,
            outbox=city.parts.outbox,
            membership=membership,
            payloads=payloads,
            pack_digest=city.parts.catalog.digest,
            agreement="provincial_push@1",
            now=city.clock,
        )
        first = await pusher.push("2026H1", no_progress)
        again = await pusher.push("2026H1", no_progress)
        grades[1] = "good"
        corrected = await pusher.push("2026H1", no_progress)

    assert (first.parts, first.appended, first.receipts, first.quarantined) == (2, 2, 2, 0)
    assert (again.appended, again.sent, again.receipts) == (0, 0, 0)
    assert (corrected.appended, corrected.receipts) == (1, 1)
    with reading(province.parts.engine) as connection:
        found = pushed.distribution(connection, "2026H1")
        assert list(found.values()) == [{"excellent": 1, "good": 1}]


async def test_a_hub_joins_no_parent_that_calls_it_otherwise(city: City, province: City) -> None:
    async with serving(province.parts):
        with pytest.raises(ConfigurationError, match="names this hub"):
            await join_parent(
                city.parts.parent_directory,
                parent_token(province, "yixin://330100/hub/city"),
                own=MemberId(CITY),
                now=city.clock(),
            )
        with pytest.raises(ConfigurationError, match="itself"):
            await join_parent(
                city.parts.parent_directory,
                parent_token(province),
                own=province.parts.identity.hub,
                now=city.clock(),
            )


def test_a_hub_without_a_parent_says_what_to_do(city: City) -> None:
    with pytest.raises(NotJoinedError, match="hub join"):
        load_parent(city.parts.parent_directory)


def filled(city: City, node: Sender) -> int:
    """Log four envelopes; the index of the first."""
    with reading(city.parts.engine) as connection:
        first = log.size(connection)
    city.submit(*(node.seal(batch(Slot(month=month))) for month in (202601, 202602)))
    city.submit(node.seal(batch(Slot(month=202507)), period="2025H2"))
    city.submit(node.seal(b"poison"))
    return first


def test_an_exported_bundle_is_valid_before_an_auditor(
    city: City, node: Sender, tmp_path: Path
) -> None:
    first = filled(city, node)

    report = export_audit(
        city.parts.engine,
        city.parts.identity,
        tmp_path / "bundle.zip",
        AuditRange(),
        now=city.clock(),
        progress=no_progress,
    )

    assert (report.from_index, report.to_index) == (0, first + 4)
    assert (report.envelopes, report.receipts) == (4, 4)
    audit = verify_bundle(tmp_path / "bundle.zip", Trust.of(city.parts.identity.anchor))
    assert (audit.verdict, audit.failures) == ("valid", ())
    assert audit.counts["quarantined"] == 1


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        (AuditRange(period="2025H2"), (2, 3, 1)),
        (AuditRange(period="2026H1"), (0, 4, 3)),
        (AuditRange(from_index=1, to_index=3), (1, 3, 2)),
        (AuditRange(from_index=4), (4, 4, 0)),
    ],
)
def test_a_part_of_the_log_is_valid_by_itself(
    city: City, node: Sender, tmp_path: Path, wanted: AuditRange, held: tuple[int, int, int]
) -> None:
    first = filled(city, node)
    # The indexes above count from the first envelope; certificates were logged before it.
    low, high = wanted.from_index, wanted.to_index
    wanted = replace(
        wanted,
        from_index=None if low is None else first + low,
        to_index=None if high is None else first + high,
    )

    report = export_audit(
        city.parts.engine,
        city.parts.identity,
        tmp_path / "bundle",
        wanted,
        now=city.clock(),
        progress=no_progress,
    )

    found = (report.from_index - first, report.to_index - first, report.envelopes)
    assert found == held
    audit = verify_bundle(tmp_path / "bundle", Trust.of(city.parts.identity.anchor))
    assert audit.failures == ()


@pytest.mark.parametrize(
    "wanted",
    [
        AuditRange(period="2019H1"),
        AuditRange(to_index=99),
        AuditRange(from_index=3, to_index=1),
        AuditRange(from_index=-1),
    ],
)
def test_a_range_outside_the_log_is_refused(
    city: City, node: Sender, tmp_path: Path, wanted: AuditRange
) -> None:
    filled(city, node)

    with pytest.raises(AuditExportError):
        export_audit(
            city.parts.engine,
            city.parts.identity,
            tmp_path / "bundle",
            wanted,
            now=city.clock(),
            progress=no_progress,
        )


def test_a_bundle_never_overwrites(city: City, tmp_path: Path) -> None:
    with pytest.raises(AuditInputError):
        export_audit(
            city.parts.engine,
            city.parts.identity,
            tmp_path,
            AuditRange(),
            now=city.clock(),
            progress=no_progress,
        )
