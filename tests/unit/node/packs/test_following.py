"""A node's turn at packs: nothing is in force that was not signed, whole, and right."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from node.packs.following import PackTurn
from security.errors import PackAbsentError, PackError, PackRolledBackError
from security.packs.in_force import Phase
from tests.support.hub_city import FIRST, NODE, NOW, City, open_city
from tests.support.pack_nodes import BROKEN, SOUND, PackNode
from tests.support.pack_repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE, TWO = hashlib.sha256(b"pack one").digest(), hashlib.sha256(b"pack two").digest()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    place = tmp_path_factory.mktemp("city")
    with open_city(place / "hub") as opened:
        opened.enrol(place / "node", NODE, FIRST)
        yield opened


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "packs", NOW)
    made.publish("2026.12.1", b"pack one")
    return made


@pytest.fixture
def node(city: City, repository: Repository, tmp_path: Path) -> PackNode:
    return PackNode(tmp_path / "state", city.senders[NODE], repository.root)


def in_force(node: PackNode) -> str | None:
    current = node.holding.find_current()
    return None if current is None else current.digest


def test_an_ordered_pack_is_fetched_checked_and_put_in_force(
    node: PackNode, repository: Repository
) -> None:
    assert node.holding.standing(NOW, "c0").phase is Phase.ABSENT
    node.order(ONE, 1)
    report = node.turn(NOW, repository.directory)
    assert (report.orders, report.switched, report.reports) == (1, "packs/2026.12.1.zip", 1)
    assert in_force(node) == ONE.hex()
    assert node.holding.standing(NOW, "c0").phase is Phase.IN_FORCE
    again = node.turn(NOW, repository.directory)
    assert (again.orders, again.switched, again.reports) == (0, None, 0)
    assert node.checked == [ONE.hex()]


def test_it_waits_for_its_day(node: PackNode, repository: Repository) -> None:
    node.order(ONE, 1, from_day=20261103)
    assert node.turn(NOW, repository.directory).switched is None
    assert node.reports() == [(1, "waiting", True)]
    assert node.holding.standing(NOW, "c0").phase is Phase.ABSENT
    # 2026-11-02 16:00 UTC is the third of November in Shanghai.
    eve = NOW.replace(day=2, hour=15, minute=59)
    assert node.turn(eve, repository.directory).switched is None
    assert node.turn(eve + timedelta(minutes=1), repository.directory).switched is not None
    assert node.reports() == [(1, "in_force", True)]


def test_a_pack_whose_golden_vectors_differ_is_never_switched_to(
    node: PackNode, repository: Repository
) -> None:
    node.order(ONE, 1)
    node.turn(NOW, repository.directory)
    repository.publish("2026.12.2", b"pack two")
    node.order(TWO, 2)
    report = node.turn(NOW, repository.directory, BROKEN)
    assert (report.switched, report.reports) == (None, 1)
    assert in_force(node) == ONE.hex()
    assert (2, "refused", False) in node.reports()
    assert node.turn(NOW, repository.directory, SOUND).switched is None
    assert node.checked == [ONE.hex(), TWO.hex()], "a failure is not tried again"


def test_a_newer_order_replaces_an_older_one_and_never_the_other_way(
    node: PackNode, repository: Repository
) -> None:
    repository.publish("2026.12.2", b"pack two")
    node.order(TWO, 2)
    node.order(ONE, 1)
    node.turn(NOW, repository.directory)
    assert in_force(node) == TWO.hex()
    assert [one.version for one in node.holding.load().orders] == [2]


def test_a_later_order_of_the_former_pack_brings_the_node_back(
    node: PackNode, repository: Repository
) -> None:
    repository.publish("2026.12.2", b"pack two")
    node.order(ONE, 1)
    node.turn(NOW, repository.directory)
    node.order(TWO, 2)
    node.turn(NOW, repository.directory)
    assert in_force(node) == TWO.hex()
    node.order(ONE, 3, target="packs/2026.12.1.zip")
    assert node.turn(NOW, repository.directory).switched == "packs/2026.12.1.zip"
    assert in_force(node) == ONE.hex()
    assert node.checked == [ONE.hex(), TWO.hex()], "what passed is not run again"
    assert (3, "in_force", True) in node.reports()


def test_a_pack_that_waits_for_its_day_is_replaced_by_an_order_back(
    node: PackNode, repository: Repository
) -> None:
    repository.publish("2026.12.2", b"pack two")
    node.order(ONE, 1)
    node.order(TWO, 2, from_day=20261201)
    node.turn(NOW, repository.directory)
    node.order(ONE, 3, target="packs/2026.12.1.zip")
    later = NOW.replace(month=12, day=2)
    repository.release(later)
    for now in (NOW, later):
        node.turn(now, repository.directory)
        assert in_force(node) == ONE.hex()


def test_an_order_of_what_was_not_signed_is_not_followed(
    node: PackNode, repository: Repository
) -> None:
    node.order(TWO, 1)
    with pytest.raises(PackError, match="does not hold; it is not followed"):
        node.turn(NOW, repository.directory)
    assert in_force(node) is None
    assert node.checked == []
    assert "not followed" in node.holding.standing(NOW, "c0").problem


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "../../node.db"},
        {"digest": bytes(31)},
        {"from_day": 20261301},
        {"format": 2},
        {"version": 2**63},
        {"group": "x" * 41},
    ],
)
def test_an_order_no_hub_gives_is_left_out(
    node: PackNode, repository: Repository, changes: dict[str, object]
) -> None:
    node.order(ONE, 1, **changes)
    assert node.turn(NOW, repository.directory).orders == 0
    assert node.holding.load().orders == []


def test_a_stick_older_than_what_was_seen_is_refused(
    node: PackNode, repository: Repository
) -> None:
    stick = repository.directory.parent / "stick"
    shutil.copytree(repository.directory, stick)
    repository.publish("2026.12.2", b"pack two")
    node.order(TWO, 1, target="packs/2026.12.2.zip")
    node.turn(NOW, repository.directory)
    with pytest.raises(PackRolledBackError):
        PackTurn(holding=node.holding, link=node.link, now=NOW).run(stick, forced=True)
    assert in_force(node) == TWO.hex()


def test_a_stick_without_the_file_is_tried_again(node: PackNode, repository: Repository) -> None:
    stick = repository.directory.parent / "stick"
    shutil.copytree(repository.directory, stick)
    shutil.rmtree(stick / "targets")
    node.order(ONE, 1)
    with pytest.raises(PackAbsentError):
        node.turn(NOW, stick)
    assert in_force(node) is None
    assert node.turn(NOW, repository.directory).switched is not None


def test_expired_metadata_allows_the_last_good_pack_for_a_bounded_visible_time(
    node: PackNode, repository: Repository
) -> None:
    node.order(ONE, 1)
    node.turn(NOW, repository.directory, replace(SOUND, grace_days=3))
    for days, phase, counted in (
        (6, Phase.IN_FORCE, 0),
        (8, Phase.LAST_GOOD, 1),
        (10, Phase.LAST_GOOD, 3),
        (11, Phase.EXPIRED, 4),
    ):
        standing = node.holding.standing(NOW + timedelta(days=days), "c0")
        assert (standing.phase, standing.days_expired) == (phase, counted)
    with pytest.raises(PackError, match=r"not scored: packs/2026\.12\.1\.zip ended"):
        node.holding.standing(NOW + timedelta(days=11), "c0").verify_scored()
    later = NOW + timedelta(days=11)
    repository.release(later)
    PackTurn(holding=node.holding, link=node.link, now=later).run(repository.directory)
    assert node.holding.standing(later, "c0").phase is Phase.IN_FORCE


def test_a_packs_last_day_ends_it(node: PackNode, repository: Repository) -> None:
    node.order(ONE, 1)
    node.turn(NOW, repository.directory, replace(SOUND, to_day=20261102))
    assert node.holding.standing(NOW + timedelta(days=1), "c0").is_scored
    assert not node.holding.standing(NOW + timedelta(days=2), "c0").is_scored


def test_without_a_pinned_root_nothing_changes_and_the_order_is_told(
    city: City, repository: Repository, tmp_path: Path
) -> None:
    node = PackNode(tmp_path / "other", city.senders[NODE], b"")
    assert node.holding.standing(NOW, "c0").phase is Phase.PACKAGED
    node.order(ONE, 1)
    report = node.turn(NOW, repository.directory)
    assert "no root of them is pinned" in report.problem
    assert in_force(node) is None
    assert node.holding.standing(NOW, "c0").is_scored


def test_a_pinned_root_is_not_replaced(node: PackNode, repository: Repository) -> None:
    node.holding.pin(repository.root)
    with pytest.raises(PackError, match="another root of packs is pinned"):
        node.holding.pin(b"{}")


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_pack_whose_file_is_lost_is_fetched_again(
    node: PackNode, repository: Repository, *, is_gone: bool
) -> None:
    node.order(ONE, 1)
    node.turn(NOW, repository.directory)
    path = node.holding.files / f"{ONE.hex()}.zip"
    path.unlink() if is_gone else path.write_bytes(b"pack onf")
    # Who works with it goes on, who begins without it is not scored; both are told.
    own, other = (node.holding.standing(NOW, catalog) for catalog in ("c0", "another"))
    assert (own.phase, other.phase) == (Phase.IN_FORCE, Phase.NOT_LOADED)
    assert own.problem == other.problem != ""
    with pytest.raises(PackError, match=r"not scored: .*2026\.12\.1\.zip.*Records are stored"):
        other.verify_scored()

    report = node.turn(NOW, repository.directory)

    assert (report.switched, report.reports, report.problem) == (None, 0, "")
    assert path.read_bytes() == b"pack one"
    assert node.checked == [ONE.hex()], "what passed is not run again"
    assert node.holding.standing(NOW, "c0").problem == ""


def test_a_stick_with_another_file_under_its_name_mends_nothing(
    node: PackNode, repository: Repository
) -> None:
    node.order(ONE, 1)
    node.turn(NOW, repository.directory)
    path = node.holding.files / f"{ONE.hex()}.zip"
    path.write_bytes(b"")
    (stored,) = (repository.directory / "targets").rglob("*.zip")
    stored.write_bytes(b"pack onf")
    with pytest.raises(PackError, match="is not the file that was signed"):
        node.turn(NOW, repository.directory)
    assert not path.exists()
    assert node.holding.standing(NOW, "another").phase is Phase.NOT_LOADED


def test_a_lost_pack_that_the_repository_lost_too_is_told(
    node: PackNode, repository: Repository
) -> None:
    node.order(ONE, 1)
    node.turn(NOW, repository.directory)
    path = node.holding.files / f"{ONE.hex()}.zip"
    path.unlink()
    (stored,) = (repository.directory / "targets").rglob("*.zip")
    stored.unlink()
    with pytest.raises(PackAbsentError):
        node.turn(NOW, repository.directory)
    assert node.holding.standing(NOW, "another").problem


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"orders": 1}', b'{"order": 1}'])
def test_damaged_files_are_told_and_made_anew(
    node: PackNode, repository: Repository, content: bytes
) -> None:
    node.order(ONE, 1)
    node.turn(NOW, repository.directory)
    for name in ("state.json", "current"):
        (node.holding.directory / name).write_bytes(content)
        standing = node.holding.standing(NOW, "c0")
        assert (standing.phase, standing.is_scored) == (Phase.NOT_LOADED, False)
        assert "is damaged" in standing.problem
        if name == "current":
            node.order(ONE, 2, target="packs/2026.12.1.zip")
        node.turn(NOW, repository.directory)
        assert node.holding.standing(NOW, "c0").phase is Phase.IN_FORCE
        assert in_force(node) == ONE.hex()


def test_an_order_older_than_the_pack_in_force_is_not_followed_when_the_others_are_lost(
    node: PackNode, repository: Repository
) -> None:
    repository.publish("2026.12.2", b"pack two")
    node.order(TWO, 2)
    node.turn(NOW, repository.directory)
    (node.holding.directory / "state.json").write_bytes(b"")
    node.order(ONE, 1)
    assert node.turn(NOW, repository.directory).orders == 0
    assert in_force(node) == TWO.hex()
