from __future__ import annotations

import pytest

from security.members import MemberKind, is_member_id, parse_member_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yixin://33030/hub/city",
        "yixin://330300/bank/city",
        "yixin://330300/hub/",
        "yixin://330300/hub/a b",
        "yixin://330300/hub/" + "a" * 65,
        "yixin://330300/hub/city\n",
        "https://330300/hub/city",
        "yixin://\uff13\uff13\uff10\uff13\uff10\uff10/hub/city",
        "yixin://330300/hub/city/more",
    ],
)
def test_a_malformed_member_id_is_refused(text: str) -> None:
    assert not is_member_id(text)
    with pytest.raises(ValueError, match="is not a member id; expected yixin://"):
        parse_member_id(text)


def test_a_member_id_keeps_its_parts() -> None:
    name = parse_member_id("yixin://330302/department/market-regulation")
    assert (name.division, name.kind, name.code) == (
        "330302",
        MemberKind.DEPARTMENT,
        "market-regulation",
    )
    assert name.member_id == "yixin://330302/department/market-regulation"
