"""A hub takes a pack into use as a node does, and says who works with another one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.daemon import Daemon
from hub.domain.heartbeats import DecodedHeartbeat
from hub.jobs import HubJobs
from hub.packs.checking import check_apart
from hub.packs.repository import catalogs
from hub.packs.serving import place_of, refresh_packs
from hub.packs.showing import rollout_status
from hub.packs.using import grading_status, is_other_in_force, use, verify_graded
from hub.store.engine import reading, writing
from hub.store.heartbeats import keep_heartbeat
from hub.store.packs import find_release
from scoring_kernel.catalog_loader import load_catalog
from security.errors import PackError
from security.packs.archive import write_archive
from security.packs.in_force import CURRENT, Current, find_current, switch
from security.progress import no_progress
from tests.support.hub_city import NODE, OTHER
from tests.support.pack_nodes import BROKEN, SOUND
from tests.support.pack_repository import Repository
from tests.support.packs import edited_pack

if TYPE_CHECKING:
    from pathlib import Path

    from hub.parts import HubParts
    from security.packs.checking import Checked
    from tests.support.hub_city import City, Sender

SAME = replace(SOUND, catalog=load_catalog().digest.hex())
FILE = write_archive({"other.json": b"{}"})
"""A file that both signed and that is no pack: what is checked here is injected, or fails."""
DIGEST = hashlib.sha256(FILE).digest()


@pytest.fixture
def repository(tmp_path: Path, city: City) -> Repository:
    found = Repository(tmp_path / "packs", city.clock())
    found.publish("2026.12.1", FILE)
    return found


@pytest.fixture
def parts(city: City, repository: Repository) -> HubParts:
    packs = replace(city.parts.settings.packs, repository=str(repository.directory))
    opened = replace(city.parts, settings=replace(city.parts.settings, packs=packs))
    refresh_packs(opened, city.clock())
    return opened


def take(parts: HubParts, found: Checked, version: str | None = None) -> dict[str, Any]:
    return use(parts, version, lambda _path: found)


def test_a_hub_without_packs_grades_with_the_packaged_catalogue(city: City) -> None:
    found = grading_status(city.parts)
    assert (found["phase"], found["pack"]) == ("packaged", None)
    assert found["catalog"] == load_catalog().digest.hex()
    assert not is_other_in_force(city.parts)
    verify_graded(city.parts)


def test_a_pack_is_taken_into_use_and_is_a_leaf_once(parts: HubParts) -> None:
    taken = take(parts, SOUND)
    assert (taken["target"], taken["vectors"], taken["restart"]) == (
        "packs/2026.12.1.zip",
        34,
        True,
    )
    current = find_current(place_of(parts).directory)
    assert current is not None
    assert (current.digest, current.catalog, current.order) == (DIGEST.hex(), "c0", 0)
    with reading(parts.engine) as connection:
        assert find_release(connection, DIGEST) == taken["log_index"]
    again = take(parts, SAME, "2026.12.1")
    assert (again["log_index"], again["restart"]) == (taken["log_index"], False)
    assert rollout_status(parts)["grading"] == grading_status(parts)


def test_a_process_of_another_catalogue_does_not_grade(parts: HubParts) -> None:
    take(parts, SOUND)
    assert grading_status(parts)["restart"]
    with pytest.raises(PackError, match="began with another catalogue: it starts again"):
        HubJobs(parts=parts).table()["grade"]({"period": "2026H1"}, no_progress)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (BROKEN, "came out otherwise here: scores-employer onnx; publish"),
        (replace(SOUND, from_day=20261102), "holds from 20261102 to further notice, today is 2026"),
        (replace(SOUND, to_day=20261031), "holds from 20260101 to 20261031, today is 20261101"),
    ],
)
def test_a_pack_that_does_not_hold_here_is_not_used(
    parts: HubParts, found: Checked, words: str
) -> None:
    with pytest.raises(PackError, match=words):
        take(parts, found)
    assert not (place_of(parts).directory / CURRENT).exists()
    with reading(parts.engine) as connection:
        assert find_release(connection, DIGEST) is None


def test_what_is_no_pack_fails_in_its_own_process(parts: HubParts) -> None:
    with pytest.raises(PackError, match="came out otherwise here: open: pack:"):
        use(parts, None, check_apart)
    assert catalogs(parts) == {}


def test_only_what_both_signed_and_what_holds_is_used(city: City, parts: HubParts) -> None:
    with pytest.raises(PackError, match=r"2026\.12\.9\.zip is not in the packs' repository"):
        take(parts, SOUND, "2026.12.9")
    city.clock.advance(days=8)
    with pytest.raises(PackError, match="expired"):
        take(parts, SOUND)


def test_after_the_grace_of_the_pack_nothing_is_graded(city: City, parts: HubParts) -> None:
    take(parts, SAME)
    city.clock.advance(days=8)
    assert grading_status(parts)["phase"] == "last_known_good"
    verify_graded(parts)
    city.clock.advance(days=30)
    assert grading_status(parts)["phase"] == "expired"
    with pytest.raises(PackError, match=r"not graded: packs/2026\.12\.1\.zip ended"):
        verify_graded(parts)


def test_members_that_work_with_another_catalogue_are_named(
    parts: HubParts, node: Sender, other: Sender, city: City
) -> None:
    content, catalog = edited_pack("units.yaml", b"# edited\n", b"none")
    (place_of(parts).directory / "held" / f"{hashlib.sha256(content).hexdigest()}.zip").write_bytes(
        content
    )
    assert grading_status(parts)["untold"] == [node.member, other.member]
    for member, digest in ((NODE, bytes.fromhex(catalog)), (OTHER, load_catalog().digest)):
        with writing(parts.engine) as connection:
            keep_heartbeat(connection, member, said(city, digest), 1)
    found = grading_status(parts)
    assert found["others"] == [{"member": NODE, "catalog": catalog, "pack": "packs/2026.1.3.zip"}]
    assert found["untold"] == []


def said(city: City, digest: bytes) -> DecodedHeartbeat:
    return DecodedHeartbeat(
        at_ms=city.clock.ms,
        ledger_size=0,
        pack_digest=digest,
        program="1",
        operator_log_head=b"",
        operator_log_size=0,
    )


async def test_the_daemon_ends_to_begin_with_the_pack_in_use(parts: HubParts) -> None:
    told: list[str] = []
    take(parts, SOUND)
    daemon = Daemon(parts=parts, say=told.append)
    await daemon.run()
    assert daemon.restart
    assert "Another pack is in use; starting again with it." in told


_CHILD = """
import sys
from pathlib import Path
from hub.app import HubApp
from hub.packs.earlier import find_catalog
from security.errors import PackError
if sys.argv[2] != "early":
    from scoring_kernel import load_catalog
    load_catalog()
try:
    with HubApp(Path(sys.argv[1])).opened() as parts:
        earlier = find_catalog(parts, bytes.fromhex(sys.argv[3]))
        print(parts.catalog.digest.hex(), earlier and earlier.digest.hex())
        print(find_catalog(parts, bytes(32)))
except PackError as error:
    print("refused:", error)
"""


def begun(directory: Path, when: str) -> list[str]:
    digest = load_catalog().digest.hex()
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", _CHILD, str(directory), when, digest],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_process_of_a_hub_works_with_the_pack_in_use(tmp_path: Path, made_hub: Path) -> None:
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    content, catalog = edited_pack("models/supplier.yaml", b"# edited\n", b"edited")
    digest = hashlib.sha256(content).hexdigest()
    packs = directory / "packs"
    (packs / "held").mkdir(parents=True)
    (packs / "held" / f"{digest}.zip").write_bytes(content)
    switch(
        packs,
        Current(
            order=0,
            target="packs/2026.1.3.zip",
            digest=digest,
            catalog=catalog,
            to_day=0,
            grace_days=30,
            since="",
        ),
    )
    assert begun(directory, "early") == [catalog, load_catalog().digest.hex(), "None"]
    assert begun(directory, "late")[0] == "refused:"
    (packs / "held" / f"{digest}.zip").write_bytes(content[:-1] + b"x")
    assert "was changed after it was verified" in " ".join(begun(directory, "early"))
