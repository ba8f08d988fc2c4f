"""Every file of ``tests/cases/malformed`` holds one mistake; the loader names file, line and mend.

A case replaces (or adds) one file of the packaged catalogue. Its first three lines say which
file, in which line the mistake is, and a part of the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from scoring_kernel import catalog_loader
from scoring_kernel.catalog_loader import parse_catalog, read_catalog_files
from scoring_kernel.errors import CatalogError
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parents[2] / "cases" / "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    id: str
    replaces: str
    line: int
    expect: str
    content: bytes


def read_case(path: Path) -> Case:
    content = path.read_bytes()
    head = content.decode("utf-8").splitlines()[:3]
    said = dict(line.removeprefix("# ").split(": ", 1) for line in head)
    return Case(
        id=path.stem,
        replaces=said["replaces"],
        line=int(said["line"]),
        expect=said["expect"],
        content=content,
    )


CASES = [read_case(path) for path in sorted(FOLDER.glob("*.yaml"))]


READ_ONCE = cache(load_strict)
"""The files beside the broken one are the same in every case."""


@cache
def small_catalogue() -> Mapping[str, bytes]:
    """The packaged catalogue without most descriptions of transactions, which take longest."""
    kept = ("envelope.yaml", "transactions.yaml", "2202.yaml", "3505A.yaml")
    contents = {
        name: content
        for name, content in read_catalog_files().items()
        if not name.startswith("interface/") or name.endswith(kept)
    }
    return MappingProxyType(contents | {"record_layouts.yaml": b"layouts: {}\n"})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_broken_file_is_refused_with_file_and_line(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_loader, "load_strict", READ_ONCE)
    contents = {**small_catalogue(), case.replaces: case.content}
    with pytest.raises(CatalogError) as caught:
        parse_catalog(contents)
    assert caught.value.file == case.replaces
    assert caught.value.line == case.line
    assert case.expect in caught.value.problem


def test_the_packaged_catalogue_itself_is_sound() -> None:
    assert len(CASES) > 80
    assert parse_catalog(read_catalog_files()).digest
