"""Every row of the attack table names a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "deploy" / "decisions" / "0030-attacks-at-every-border.md"
ROW = re.compile(
    r"^\| (?P<stride>[STRIDE, ]+) \| (?P<attack>.+) \| (?P<held>.+) \| (?P<tests>.+) \|$"
)
TEST = re.compile(r"`([^`]+)`")
BORDERS = (
    "node and hub",
    "hub and parent",
    "hub and department",
    "enrolment",
    "model packs",
    "the log and its witnesses",
    "the command socket and its people",
    "the disk",
    "the auditor's desk",
    "the inspector",
    "link desks",
    "node and devices",
    "files and messages",
)


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def sections() -> dict[str, list[re.Match[str]]]:
    found: dict[str, list[re.Match[str]]] = {}
    name = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| STRIDE", "|---")):
            row = ROW.fullmatch(line)
            assert row is not None, line
            found.setdefault(name, []).append(row)
    return found


def test_every_border_has_rows() -> None:
    assert tuple(sections()) == BORDERS


def test_every_row_names_tests_that_exist() -> None:
    lacking = []
    for rows in sections().values():
        for row in rows:
            names = TEST.findall(row["tests"])
            assert names, row.group()
            for name in names:
                file, _, function = name.partition("::")
                path = ROOT / "tests" / file
                if not path.is_file() or function not in functions(path):
                    lacking.append(name)
    assert lacking == []


def test_every_kind_of_attack_is_met() -> None:
    letters = {
        letter.strip()
        for rows in sections().values()
        for row in rows
        for letter in row["stride"].split(",")
    }
    assert letters == set("STRIDE")
