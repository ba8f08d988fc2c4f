from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.audit_jobs import AuditJobs
from hub.errors import ConfigurationError
from hub.identity_jobs import IdentityJobs
from hub.jobs import READERS, HubJobs
from security.audit import Trust, verify_bundle
from security.progress import no_progress
from tests.support.department_files import write_register
from tests.support.hub_city import (
    CITY,
    FIRST,
    City,
    Clock,
    Sender,
    Slot,
    batch,
    open_city,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PERIOD: dict[str, object] = {"period": "2026H1"}


@pytest.fixture
def province(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "province", Clock(), level="province", division="330000") as opened:
        yield opened


async def test_a_graded_city_publishes_and_pushes_to_its_province(
    city: City, province: City, tmp_path: Path
) -> None:
    jobs = HubJobs(parts=city.parts)
    jobs.import_items({"path": str(write_register(tmp_path))}, no_progress)
    jobs.grade(PERIOD | {"incomplete": True}, no_progress)
    jobs.publish(PERIOD, no_progress)
    async with serving(province.parts):
        address = province.parts.address(province.parts.addresses().enrolment_port)
        token = replace(province.token(CITY), enrolment_address=address).encode()
        joined = await IdentityJobs(parts=city.parts).join({"token": token}, no_progress)
        pushed = await jobs.push(PERIOD, no_progress)

    assert joined == {"member": CITY, "hub": province.parts.identity.hub, "unsigned": ""}
    assert (pushed["parts"], pushed["receipts"], pushed["quarantined"]) == (2, 2, 0)
    status = jobs.status({}, no_progress)
    assert (status["parent"], status["envelopes_sent"], status["receipts"]) == (
        province.parts.identity.hub,
        2,
        2,
    )
    assert (status["outbox"], status["certificate_days_left"]) == (0, 30)
    above = HubJobs(parts=province.parts).status({}, no_progress)
    assert (above["pushed_grades"], above["pushed"]) == (
        3,
        {
            "2026H1": {
                "designated_medical_institution": {"not_rated": 2},
                "designated_retail_pharmacy": {"not_rated": 1},
            }
        },
    )


def test_the_evidence_is_exported_by_a_job(city: City, node: Sender, tmp_path: Path) -> None:
    city.submit(node.seal(batch(Slot())))

    exported = AuditJobs(parts=city.parts).audit_export(
        {"out": str(tmp_path / "bundle")}, no_progress
    )

    assert (exported["envelopes"], exported["receipts"]) == (1, 1)
    assert verify_bundle(tmp_path / "bundle", Trust.of(city.parts.identity.anchor)).failures == ()


def test_only_nodes_get_custody_and_only_well_formed_names_get_a_token(city: City) -> None:
    jobs = IdentityJobs(parts=city.parts)
    arguments = {"division": "330302", "code": "x", "codes": FIRST, "from_month": 202501}

    with pytest.raises(ConfigurationError, match="no node"):
        jobs.token(arguments | {"kind": "department"}, no_progress)
    with pytest.raises(ConfigurationError, match="not a member id"):
        jobs.token(arguments | {"kind": "robot"}, no_progress)


def test_every_reader_is_a_job(city: City) -> None:
    assert HubJobs(parts=city.parts).table().keys() >= READERS
