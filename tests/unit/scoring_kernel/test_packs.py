"""Packs: what is opened is what the pack names, whole and of this kernel."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from scoring_kernel.catalog_loader import load_catalog, read_changes
from scoring_kernel.errors import CatalogError, PackFileError
from scoring_kernel.packs import CARD, KERNEL_VERSION, feature_schema, open_pack
from tests.support.packs import FIRST_DAY, changed, pack, pack_contents, spelled

UNITS = "catalog/units.yaml"


def test_a_pack_is_the_catalogue_it_was_made_of() -> None:
    opened = pack()
    assert opened.catalog.digest == load_catalog().digest
    assert opened.feature_schema == feature_schema(load_catalog())
    assert opened.contents["CHANGES.md"].decode() == read_changes()
    assert len(opened.models) == len(load_catalog().models)
    assert opened.holds_on(FIRST_DAY)
    assert not opened.holds_on(FIRST_DAY.replace(year=2025))


@pytest.mark.parametrize("name", [CARD, UNITS, "golden/measures-settlement.json"])
def test_a_file_that_is_changed_or_missing_is_refused(name: str) -> None:
    contents = dict(pack_contents())
    contents[name] += b" "
    with pytest.raises(PackFileError):
        open_pack(contents)
    del contents[name]
    with pytest.raises(PackFileError):
        open_pack(contents)


def test_a_file_that_is_not_named_is_refused() -> None:
    with pytest.raises(PackFileError, match="not in both"):
        open_pack({**pack_contents(), "catalog/models/more.yaml": b"a: 1\n"})
    with pytest.raises(PackFileError, match="of no part"):
        open_pack(changed({"notes.txt": b"x"}))


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"format": 2}, "update yixin"),
        ({"least_kernel": KERNEL_VERSION + 1}, "needs kernel 2, this is 1: update yixin"),
        ({"least_kernel": 0}, "least kernel"),
        ({"least_kernel": True}, "another type"),
        ({"version": "new"}, "not as 2026.12.1"),
        ({"catalog": "0" * 64}, "its catalogue has another digest"),
        ({"catalog": "0" * 63}, "a digest is none"),
        ({"feature_schema": "0" * 64}, "its feature schema has another digest"),
        ({"effective_from": "2026-13-01"}, "expected yyyy-mm-dd"),
        ({"effective_to": "2025-01-01"}, "its last day is before its first"),
        ({"grace_days": 401}, "0 to 400 days"),
        ({"grace_days": "30"}, "another type"),
        ({"more": 1}, "other keys"),
    ],
)
def test_a_card_that_says_what_cannot_be_is_refused(card: dict[str, object], words: str) -> None:
    with pytest.raises(PackFileError, match=words):
        open_pack(changed({}, **card))


@pytest.mark.parametrize("card", [b"", b"{", b"[]", b"[" * 100_000, b"\xff", b"{}" * 200_000])
def test_a_card_that_is_none_is_refused(card: bytes) -> None:
    with pytest.raises(PackFileError):
        open_pack({**pack_contents(), CARD: card})


def test_a_card_spelled_otherwise_is_refused() -> None:
    document = json.loads(pack_contents()[CARD])
    with pytest.raises(PackFileError, match="another spelling"):
        open_pack({**pack_contents(), CARD: json.dumps(document).encode()})
    assert spelled(document) == pack_contents()[CARD]


def test_an_unsound_catalogue_is_refused_with_file_and_line() -> None:
    broken = changed({UNITS: b"no: such unit\n"})
    with pytest.raises((CatalogError, PackFileError)):
        open_pack(broken)


_CHILD = """
import sys
from pathlib import Path
from scoring_kernel.catalog_loader import *
from scoring_kernel.catalog_loader import CHANGES, install_catalog, is_catalog_used
from scoring_kernel.errors import CatalogInstalledError
from scoring_kernel.rules import load_rules
from scoring_kernel.supervision.stated import stated_sets
packaged = read_catalog_files()
edited = dict(packaged)
name = "models/supplier.yaml"
edited[name] = edited[name] + b"# edited\\n"
if sys.argv[1] == "late":
    load_catalog()
try:
    install_catalog({**edited, CHANGES: b"none"})
    assert is_catalog_used()
    assert load_catalog().digest == catalog_digest(edited) != catalog_digest(packaged)
    assert read_catalog_files() == dict(sorted(edited.items()))
    assert read_changes() == "none"
    assert stated_sets()
    install_catalog(edited)
except CatalogInstalledError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("when", ["twice", "late"])
def test_a_process_has_one_catalogue(when: str) -> None:
    run = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", _CHILD, when], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("refused: a catalogue is in use in this process already")
