"""One row for every method of every service and for every job; what has none is refused."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest

import protos.yixin.v1 as services
from hub.api.authorisation import AUTHORISED, JOB_ROLES, LOCAL, OPEN, authorise, roles_of
from hub.domain.members import MemberKind
from hub.domain.roles import Role
from hub.errors import NotPermittedError, RoleError
from hub.intake.checking import SENDERS
from hub.job_gate import guarded
from hub.jobs import READERS, HubJobs
from hub.operators.four_eyes import FOUR_EYES
from security.progress import no_progress

if TYPE_CHECKING:
    from tests.support.hub_city import City


EDGE = "edge_pb2"
"""Services of a node; its own table has their rows."""


def described() -> set[str]:
    """Every method of every service that any proto file but the node's describes."""
    found = set()
    for module in pkgutil.iter_modules(services.__path__):
        if module.name.endswith("_pb2") and module.name != EDGE:
            described = importlib.import_module(f"{services.__name__}.{module.name}").DESCRIPTOR
            found |= {
                f"/{service.full_name}/{method.name}"
                for service in described.services_by_name.values()
                for method in service.methods
            }
    return found


def test_every_rpc_of_every_proto_has_exactly_one_row() -> None:
    assert len(described()) >= 10
    assert AUTHORISED.keys() | OPEN | LOCAL == described()
    assert len(AUTHORISED) + len(OPEN) + len(LOCAL) == len(described())


def test_every_job_has_exactly_one_row(city: City) -> None:
    assert HubJobs(parts=city.parts).table().keys() == JOB_ROLES.keys()


def test_every_row_names_somebody_and_only_reading_is_public() -> None:
    assert all(JOB_ROLES.values())
    public = {job for job, roles in JOB_ROLES.items() if Role.PUBLIC in roles}
    assert public <= READERS
    auditors = {job for job, roles in JOB_ROLES.items() if Role.AUDITOR in roles}
    assert auditors <= READERS


def test_what_needs_four_eyes_is_a_job_that_writes() -> None:
    assert FOUR_EYES.keys() <= JOB_ROLES.keys() - READERS


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("/yixin.v1.Exchange/FetchPack", MemberKind.DEPARTMENT),
        ("/yixin.v1.Exchange/Unheard", MemberKind.NODE),
        ("/yixin.v1.Enrolment/Join", MemberKind.NODE),
        ("/yixin.v1.Control/Run", MemberKind.HUB),
        ("/yixin.v1.LinkDesk/Evaluate", MemberKind.HUB),
        ("/yixin.v1.LinkDesk/Evaluate", MemberKind.DEPARTMENT),
        ("/yixin.v1.LinkDesk/Describe", MemberKind.HUB),
    ],
)
def test_what_the_table_does_not_name_is_refused(method: str, kind: MemberKind) -> None:
    with pytest.raises(NotPermittedError, match=method):
        authorise(method, kind)


def test_every_member_may_submit_but_a_department_only_asks_for_products() -> None:
    for kind in MemberKind:
        authorise("/yixin.v1.Exchange/Submit", kind)
    types = {name for name, kinds in SENDERS.items() if MemberKind.DEPARTMENT in kinds}
    assert types == {"product_request"}


def test_a_job_without_a_row_never_runs(city: City) -> None:
    def unheard(_arguments: object, _progress: object) -> dict[str, object]:
        pytest.fail("it ran")

    table = guarded({"unheard": unheard}, city.parts, readers=())
    with pytest.raises(RoleError, match="no row for the job 'unheard'"):
        table["unheard"]({}, no_progress)
    with pytest.raises(RoleError, match="no row"):
        roles_of("unheard")
