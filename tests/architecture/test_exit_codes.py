"""Every stable code with its exit code stands in the README's table, and nothing else does."""

import re
from pathlib import Path

from edge_devices.errors_table import ERROR_TABLE as EDGE_TABLE
from edge_devices.errors_table import UNEXPECTED as EDGE_UNEXPECTED
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


def test_every_code_is_documented_with_its_exit_code() -> None:
    node = {row.code: row.exit_code for row in (*NODE_TABLE.values(), NODE_UNEXPECTED)}
    hub = {row.code: row.exit_code for row in (*HUB_TABLE.values(), HUB_UNEXPECTED)}
    edge = {row.code: row.exit_code for row in (*EDGE_TABLE.values(), EDGE_UNEXPECTED)}
    assert documented() == node | hub | edge


def test_the_programs_agree_on_the_codes_they_share() -> None:
    tables = (HUB_TABLE, NODE_TABLE, EDGE_TABLE)
    numbers = {(row.code, row.exit_code) for table in tables for row in table.values()}
    assert len({code for code, _ in numbers}) == len(numbers)
