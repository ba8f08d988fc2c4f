"""A node is bound to the national suite while it runs under another, and follows by renewing."""

from pathlib import Path

import pytest

from deploy.demo.processes import Crew
from tests.e2e.conftest import ask, yixin

pytestmark = pytest.mark.e2e

MEMBER = "yixin://330302/node/H33030200001"
OUTSIDE = 38
"""Exit code of a suite outside the policy."""


async def test_a_required_suite_is_learned_renewed_under_and_used(tmp_path: Path) -> None:
    hub, node = ("--dir", str(tmp_path / "hub")), ("--dir", str(tmp_path / "node"))
    named = ("--level", "city", "--division", "330300", "--name", "温州市")
    yixin("hub", "init", *named, *hub)
    with (tmp_path / "hub" / "hub.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[suites]\nallowed = "INTL-PQ,GM"\n')
    async with Crew(tmp_path / "logs") as crew:
        await crew.daemon("hub", "hub", "serve", *hub, ready=tmp_path / "hub" / "serve.json")
        invited = ("--kind", "node", "--division", "330302", "--code", "H33030200001")
        rows = ("--institutions", "H33030200001")
        token = ask("hub", "token", "--approved", *invited, *rows, *hub)["token"]
        yixin("node", "init", *node)
        # INTL is not among the hub's suites.
        yixin("node", "join", "--token", token, "--suite", "INTL", *node, accepted=(11,))
        yixin("node", "join", "--token", token, "--suite", "INTL-PQ", *node)
        yixin("node", "sync", *node)

        yixin("hub", "suites", "--member", MEMBER, "--require", "GM", *hub)
        yixin("node", "sync", *node, accepted=(OUTSIDE,))
        yixin("node", "renew", *node)
        yixin("node", "sync", *node)

        # The opening was answered by heads that SM2 signed too: a node of GM takes no others.
        assert [one.name for one in (tmp_path / "hub" / "keys").glob("hub-signing-GM-*")] == [
            "hub-signing-GM-0001.key"
        ]

        (others, own) = ask("hub", "suites", *hub)["rows"]
        assert (others["suites"], own["suites"]) == ("INTL-PQ, GM", "GM")
        assert others["version"] < own["version"]
