"""`yixin hub members`, `approve`, `reject`, `revoke` and `ca`, as an officer runs them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.clock import utc_now
from security.exchange.key_files import create_keys
from tests.support.bureau import answer, make_root
from tests.support.hub_city import CITY, FIRST, NODE, Clock, join_request, open_city

if TYPE_CHECKING:
    from pathlib import Path


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    return result.output


def as_json(*arguments: object, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(call(*arguments, "--json", code=code)))


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    """A hub at which one node's join waits."""
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    ask(directory, tmp_path)
    return directory


def ask(directory: Path, tmp_path: Path) -> str:
    """Join with a token that nobody approved; the id of the request that waits."""
    keys = create_keys(tmp_path / "keys", post_quantum=False)
    with open_city(directory, Clock(utc_now())) as city:
        token = city.token(NODE, FIRST, approved=False)
        return city.join(join_request(token, keys, city.clock.ms)).pending.request


def status(hub: Path) -> dict[str, Any]:
    (row,) = as_json("members", "--dir", hub)["rows"]
    return dict(row)


def test_what_waits_is_shown_with_its_fingerprint_and_approved_once(hub: Path) -> None:
    (row,) = as_json("members", "--pending", "--dir", hub)["rows"]
    assert (row["wants"], row["member"], len(row["fingerprint"].split())) == ("join", NODE, 8)
    shown = call("members", "--pending", "--dir", hub)
    assert row["request"] in shown
    assert status(hub)["due"] == "approve or reject"

    assert row["fingerprint"] in call("approve", row["request"], "--dir", hub)

    assert as_json("members", "--pending", "--dir", hub) == {"rows": []}
    assert status(hub)["due"] == ""
    assert "members --pending" in call("approve", row["request"], "--dir", hub, code=3)
    assert "members --pending" in call("approve", NODE, "--dir", hub, code=3)


def test_a_member_is_named_by_its_id_as_well(hub: Path) -> None:
    assert as_json("approve", NODE, "--dir", hub)["found"] is True


def test_a_rejected_request_waits_no_longer(hub: Path) -> None:
    told = call("reject", NODE, "--reason", "another voice", "--dir", hub)

    assert NODE in told
    assert as_json("members", "--pending", "--dir", hub) == {"rows": []}
    assert as_json("reject", NODE, "--dir", hub, code=3)["error"] == "configuration"


def test_the_id_of_a_job_that_waits_goes_to_the_gate(hub: Path) -> None:
    found = as_json("approve", "0123456789abcdef", "--dir", hub, code=49)

    assert found["error"] == "approval_needed"


def test_the_hubs_own_keys_are_replaced(hub: Path) -> None:
    told = call("revoke", CITY, "--reason", "the disk was stolen", "--dir", hub)

    assert "has new keys" in told
    assert len(list((hub / "keys").glob("hub-signing-*.key"))) == 2


def test_a_hub_gets_its_chain_from_the_bureau(hub: Path, tmp_path: Path) -> None:
    request = tmp_path / "csr.pem"
    call("ca", "request", "--out", request, "--dir", hub)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(answer(make_root(utc_now()), request.read_bytes(), utc_now()))

    assert "CN=bureau" in call("ca", "import", chain, "--dir", hub)

    assert as_json("ca", "import", chain, "--dir", hub)["certificates"] == 2
    call("ca", "request", "--out", request, "--dir", hub, code=3)
    call("ca", "import", tmp_path / "missing", "--dir", hub, code=3)
    (tmp_path / "large.pem").write_bytes(bytes(70_000))
    call("ca", "import", tmp_path / "large.pem", "--dir", hub, code=3)
    call("ca", "import", request, "--dir", hub, code=3)
