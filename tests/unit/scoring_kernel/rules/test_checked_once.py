"""SQL that the change list names was checked before; every other is checked when it is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scoring_kernel.catalog_loader import read_catalog_files
from scoring_kernel.errors import CatalogError, RuleError
from scoring_kernel.rules import load_rules, loader, verify_rules
from scoring_kernel.supervision import loading

RULE = "rules/M01.yaml"
RELATION = "supervision/relations/"
REPOSITORY = Path(__file__).resolve().parents[4]
LOADS = """
import json, sys
from scoring_kernel.rules import load_rules
from scoring_kernel.supervision.loading import load_supervision
found = [len(load_rules().runnable), len(load_supervision().topics), "sqlglot" in sys.modules]
sys.stdout.write(json.dumps(found))
"""


def unruly(start: str) -> dict[str, bytes]:
    """The packaged catalogue, one SQL of which reads a file."""
    found = read_catalog_files()
    name = min(one for one in found if one.startswith(start))
    before = found[name].decode()
    after = before.replace("FROM ", "FROM read_text('/etc/passwd') AS x, ", 1)
    assert after != before
    return found | {name: after.encode()}


def test_the_packaged_sql_is_sound_and_loads_as_the_same_book() -> None:
    assert verify_rules() == load_rules()
    assert loading.verify_supervision() == loading.load_supervision()


def test_a_packaged_rule_that_was_changed_by_hand_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = unruly(RULE)
    monkeypatch.setattr(loader, "read_catalog_files", lambda: changed)
    with pytest.raises(RuleError, match="sql") as refused:
        loader._packaged.__wrapped__()  # noqa: SLF001  # the other tests' book stays
    assert refused.value.file == RULE


def test_a_packaged_relation_of_supervision_that_was_changed_by_hand_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = unruly(RELATION)
    monkeypatch.setattr(loading, "read_catalog_files", lambda: changed)
    with pytest.raises(CatalogError, match="sql") as refused:
        loading._packaged.__wrapped__()  # noqa: SLF001  # the other tests' object stays
    assert refused.value.file.startswith(RELATION)


def test_an_unreadable_change_list_vouches_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = unruly(RULE)
    monkeypatch.setattr(loader, "read_catalog_files", lambda: changed)
    monkeypatch.setattr(loader, "read_changes", lambda: "# 目录变更记录\n")
    with pytest.raises(RuleError):
        loader._packaged.__wrapped__()  # noqa: SLF001  # the other tests' book stays


def test_a_checked_catalogue_loads_without_the_parser_of_sql() -> None:
    done = subprocess.run(  # noqa: S603  # This interpreter, a fixed program.
        [sys.executable, "-c", LOADS], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    rules, topics, parsed = json.loads(done.stdout)
    assert rules > 0 < topics
    assert not parsed
