"""Every stable code with its exit code stands in the README's table, and nothing else does."""

import re
from pathlib import Path

from hub.api.errors import ERROR_TABLE as HUB_TABLE
from hub.api.errors import UNEXPECTED as HUB_UNEXPECTED
from node.api.errors import ERROR_TABLE as NODE_TABLE
from node.api.errors import UNEXPECTED as NODE_UNEXPECTED

README = Path(__file__).parents[2] / "README.md"
ROW = re.compile(r"^\| (\d+) \| ([a-z_, ]*) \| (.+) \|$", re.MULTILINE)


def documented() -> dict[str, int]:
    """Exit code by stable code, as the README tells it."""
    section = README.read_text(encoding="utf-8").split("## Exit codes")[1].split("\n## ")[0]
    return {
        code: int(number)
        for number, codes, _ in ROW.findall(section)
        for code in codes.split(", ")
        if code
    }


def test_every_code_of_node_and_hub_is_documented_with_its_exit_code() -> None:
    node = {row.code: row.exit_code for row in (*NODE_TABLE.values(), NODE_UNEXPECTED)}
    hub = {row.code: row.exit_code for row in (*HUB_TABLE.values(), HUB_UNEXPECTED)}
    assert documented() == node | hub


def test_node_and_hub_agree_on_the_codes_they_share() -> None:
    hub = {row.code: row.exit_code for row in HUB_TABLE.values()}
    for row in NODE_TABLE.values():
        assert hub.get(row.code, row.exit_code) == row.exit_code
