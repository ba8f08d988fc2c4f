"""Size and names of the modules, and words that have no place in them."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from deploy.protos import REPOSITORY

ROOMS: Final = ("scoring_kernel", "security", "node", "hub", "edge_devices", "deploy")
LONGEST_MODULE_LINES: Final = 400
NAMELESS_FOLDERS: Final = frozenset({"common", "utils", "helpers", "core"})
PURE: Final = ("scoring_kernel", "node/domain", "hub/domain")
IMPURE_MODULES: Final = frozenset({"time", "random", "socket", "threading", "sqlite3", "grpc"})


def modules(*roots: str) -> list[Path]:
    found = [
        path
        for root in roots
        for path in (REPOSITORY / root).rglob("*.py")
        if "__pycache__" not in path.parts
    ]
    return sorted(found)


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", modules(*ROOMS, "tests"), ids=name)
def test_no_module_passes_the_wall(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_MODULE_LINES, f"{name(path)} has {lines} lines: cut it along the data"


@pytest.mark.parametrize("path", modules(*ROOMS), ids=name)
def test_every_module_opens_with_the_rules_it_obeys(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name(path)


def test_no_folder_is_nameless() -> None:
    nameless = [
        name(path) for path in modules(*ROOMS) if NAMELESS_FOLDERS & {*path.parent.parts, path.stem}
    ]
    assert nameless == []


@pytest.mark.parametrize("path", modules(*ROOMS), ids=name)
def test_no_module_prints_or_leaves_unowned_work(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    calls = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "eval", "exec"}
    ]
    assert calls == [], f"{name(path)} calls print, eval or exec"
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text), f"{name(path)} leaves work unowned"
    assert not re.search(r"type: ignore(?!\[)", text), f"{name(path)} ignores without a code"
    assert not re.search(r"noqa(?!: [A-Z])", text), f"{name(path)} excuses without a code"


@pytest.mark.parametrize("path", modules(*PURE), ids=name)
def test_pure_rooms_touch_no_clock_socket_or_random_source(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found = (
            {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.Import)
            else {(node.module or "").partition(".")[0]}
            if isinstance(node, ast.ImportFrom)
            else set()
        )
        assert not found & IMPURE_MODULES, f"{name(path)} imports {found & IMPURE_MODULES}"


def test_composition_roots_stay_small() -> None:
    roots = [path for path in modules("node", "hub") if path.name == "app.py"]
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= 200 for path in roots)
