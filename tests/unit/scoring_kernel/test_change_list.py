from __future__ import annotations

import pytest

from scoring_kernel.catalog_loader import load_catalog, read_changes
from scoring_kernel.change_list import (
    MAX_CHARS,
    digest_line,
    names_catalog,
    parse_changes,
    verify_changes,
)
from scoring_kernel.errors import CatalogError

DIGEST = bytes(range(32))
ENTRY = """# 目录变更记录

## 调整增长率目标

- 类别：规则
- 适用日期：2026-07-01 起
- 涉及指标：医保基金使用增长率
- 对等级的影响：约百分之一机构上调一等
- digest: 0001020304050607

## 首版
- 类别: 细节
- 适用日期: 2021-05-01 起
- 涉及指标: 无
- 对等级的影响: 无
- digest: ffffffffffffffff
"""


def test_entries_are_read_newest_first() -> None:
    titles = [entry.title for entry in parse_changes(ENTRY)]
    assert titles == ["调整增长率目标", "首版"]


def test_the_newest_entry_must_name_the_digest() -> None:
    assert verify_changes(ENTRY, DIGEST).title == "调整增长率目标"


def test_a_list_vouches_for_the_catalogue_of_its_newest_entry_and_for_no_other() -> None:
    assert names_catalog(ENTRY, DIGEST)
    assert not names_catalog(ENTRY, b"\xff" * 32)
    assert not names_catalog("", DIGEST)


def test_a_changed_catalogue_without_an_entry_is_refused_and_told_the_line_to_add() -> None:
    other = bytes(32)
    with pytest.raises(CatalogError) as caught:
        verify_changes(ENTRY, other)
    assert caught.value.line == 3
    assert f"'{digest_line(other)}'" in caught.value.problem


def test_an_older_entry_with_the_digest_does_not_count() -> None:
    with pytest.raises(CatalogError):
        verify_changes(ENTRY, bytes([255] * 32))


@pytest.mark.parametrize("point", ["类别", "适用日期", "涉及指标", "对等级的影响", "digest"])
def test_an_entry_without_a_point_is_refused(point: str) -> None:
    lines = [line for line in ENTRY.splitlines() if not line.startswith(f"- {point}：")]
    if point == "digest":
        lines.remove("- digest: 0001020304050607")
    with pytest.raises(CatalogError, match=f"CHANGES.md:3: the entry has no point '- {point}'"):
        parse_changes("\n".join(lines))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(CatalogError, match="found kind '大改'"):
        parse_changes(ENTRY.replace("类别：规则", "类别：大改"))


@pytest.mark.parametrize("text", ["", "# 标题\n\n- 类别：规则\n"])
def test_a_list_without_entries_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match="found no entry"):
        parse_changes(text)


def test_an_endless_list_is_refused() -> None:
    with pytest.raises(CatalogError, match="move old entries away"):
        parse_changes("a" * (MAX_CHARS + 1))


def test_the_packaged_list_describes_the_packaged_catalogue() -> None:
    verify_changes(read_changes(), load_catalog().digest)
