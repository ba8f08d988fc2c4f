"""Roll-out: one group after the other, each order logged, and one failure stops it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hub.errors import StatementError
from hub.intake.pack_reports import decode_pack_report
from hub.packs.rollout import assign, order
from hub.packs.serving import (
    open_file,
    place_of,
    refresh_packs,
    root_digest,
    served_root,
    sign_timestamp,
)
from hub.packs.showing import rollout_status
from hub.packs.stopping import withdraw
from hub.store import log, packs
from hub.store.engine import reading, writing
from hub.store.quarantine import count
from protos.yixin.v1 import envelope_pb2, exchange_pb2, transparency_pb2
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.packs import feature_schema
from security.errors import PackAbsentError, PackError
from security.packs.archive import write_archive
from security.packs.layout import TIMESTAMP
from tests.support.hub_city import NODE, NOW, OTHER
from tests.support.pack_repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from hub.parts import HubParts
    from tests.support.hub_city import City, Sender

DAY = date(2026, 12, 1)
CONTROL: dict[str, Any] = {
    "payload_type": "pack_report",
    "lane": envelope_pb2.LANE_CONTROL,
    "period": "",
}


def made(version: str, schema: bytes | None = None) -> bytes:
    """A pack as far as a hub reads it: its card."""
    stated = (schema or feature_schema(load_catalog())).hex()
    card = {"version": version, "catalog": "0" * 64, "feature_schema": stated}
    return write_archive({"pack.json": json.dumps(card).encode()})


ONE = made("2026.12.1")
DIGEST = hashlib.sha256(ONE).digest()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "packs", NOW)
    found.publish("2026.12.1", ONE)
    return found


@pytest.fixture
def parts(city: City, node: Sender, other: Sender, repository: Repository) -> HubParts:
    assert node.city is other.city
    packs = replace(city.parts.settings.packs, repository=str(repository.directory))
    opened = replace(city.parts, settings=replace(city.parts.settings, packs=packs))
    refresh_packs(opened, city.clock())
    assign(opened, ["pilot", "rest"], {NODE: "pilot", OTHER: "rest"})
    return opened


def report(city: City, **changes: Any) -> bytes:  # noqa: ANN401 - parts of any type
    parts: dict[str, Any] = {
        "format": 1,
        "digest": DIGEST,
        "version": 1,
        "passed": True,
        "vectors": 34,
        "state": "in_force",
        "at_ms": city.clock.ms,
    }
    return exchange_pb2.PackReport(**(parts | changes)).SerializeToString(deterministic=True)


def say(city: City, sender: Sender, **changes: Any) -> None:  # noqa: ANN401 - the same
    city.submit(sender.seal(report(city, **changes), **CONTROL), peer=sender.member)


def orders_for(parts: HubParts, member: str) -> int:
    with reading(parts.engine) as connection:
        return parts.outbox.pending(connection, member).total


def test_the_next_group_waits_until_the_one_before_has_passed(
    city: City, node: Sender, parts: HubParts
) -> None:
    with pytest.raises(PackError, match="group pilot comes first: 0 of its 1 members"):
        order(parts, "rest", DAY)
    with pytest.raises(PackError, match="there is no group 'none'"):
        order(parts, "none", DAY)
    given = order(parts, "pilot", DAY)
    assert (given["target"], given["members"]) == ("packs/2026.12.1.zip", 1)
    assert (orders_for(parts, NODE), orders_for(parts, OTHER)) == (1, 0)
    with pytest.raises(PackError, match="comes first"):
        order(parts, "rest", DAY)
    say(city, node, state="waiting")
    given = order(parts, "rest", DAY)
    assert orders_for(parts, OTHER) == 1
    with reading(parts.engine) as connection:
        leaves = [
            transparency_pb2.LogLeaf.FromString(one.leaf)
            for one in log.leaves(connection, 0, log.size(connection))
            if one.kind == transparency_pb2.LOG_KIND_PACK_RELEASE
        ]
    assert [leaf.envelope_hash for leaf in leaves] == [DIGEST]


def test_a_failed_group_stops_the_roll_out(
    city: City, node: Sender, parts: HubParts, repository: Repository
) -> None:
    order(parts, "pilot", DAY)
    say(city, node, passed=False, state="refused", failures=["scores-employer onnx"])
    with pytest.raises(PackError, match=f"its roll-out stopped at {NODE}: mend the pack"):
        order(parts, "rest", DAY)
    with pytest.raises(PackError, match="stopped"):
        order(parts, "pilot", DAY)
    shown: Any = rollout_status(parts)["orders"]
    assert shown[0]["stopped"] == f"{NODE}: scores-employer onnx"
    assert (shown[0]["refused"], shown[0]["passed"]) == (1, 0)
    say(city, node)
    with pytest.raises(PackError, match="stopped"):
        order(parts, "rest", DAY)
    repository.publish("2026.12.2", made("2026.12.2"))
    refresh_packs(parts, city.clock())
    assert order(parts, "pilot", DAY)["target"] == "packs/2026.12.2.zip"


def test_after_a_stop_the_former_version_brings_members_back(
    city: City, node: Sender, parts: HubParts, repository: Repository
) -> None:
    order(parts, "pilot", DAY)
    say(city, node)
    repository.publish("2026.12.2", made("2026.12.2"))
    refresh_packs(parts, city.clock())
    broken = order(parts, "pilot", DAY)
    digest = bytes.fromhex(str(broken["digest"]))
    refused: dict[str, Any] = {"passed": False, "state": "refused", "failures": ["x"]}
    say(city, node, digest=digest, version=2, **refused)
    with pytest.raises(PackError, match="stopped"):
        order(parts, "pilot", DAY)
    back = order(parts, "pilot", DAY, "2026.12.1")
    assert (back["digest"], back["version"], back["members"]) == (DIGEST.hex(), 3, 1)
    assert orders_for(parts, NODE) == 3


@pytest.fixture
def second(parts: HubParts, city: City, node: Sender, repository: Repository) -> bytes:
    """A second pack after the first went well at both groups; digest of its file."""
    order(parts, "pilot", DAY)
    say(city, node)
    order(parts, "rest", DAY)
    content = made("2026.12.2")
    repository.publish("2026.12.2", content)
    refresh_packs(parts, city.clock())
    return hashlib.sha256(content).digest()


def stops(parts: HubParts) -> list[dict[str, Any]]:
    found: Any = rollout_status(parts)["stops"]
    assert isinstance(found, list)
    return found


def test_a_stop_is_told_with_group_and_reason_and_who_still_has_the_pack(
    city: City, node: Sender, other: Sender, parts: HubParts, second: bytes
) -> None:
    assert stops(parts) == []
    order(parts, "pilot", DAY)
    say(city, node, digest=second, version=3, state="waiting")
    order(parts, "rest", DAY)
    say(city, other, digest=second, version=4, passed=False, state="refused", failures=["x"])

    (found,) = stops(parts)

    assert found["pack"] == "packs/2026.12.2.zip"
    assert (found["group"], found["member"], found["reason"]) == ("rest", OTHER, "x")
    assert (found["in_force"], found["waiting"], found["ordered_back"]) == ([], [NODE], [])
    say(city, node, digest=second, version=3)
    assert stops(parts)[0]["in_force"] == [NODE]


def test_who_withdraws_brings_members_back_to_the_pack_before(
    city: City, node: Sender, parts: HubParts, second: bytes
) -> None:
    order(parts, "pilot", DAY)
    say(city, node, digest=second, version=3)
    waiting = {one: orders_for(parts, one) for one in (NODE, OTHER)}

    found = withdraw(parts, None, "fees counted twice")

    assert (found["target"], found["without"]) == ("packs/2026.12.2.zip", [])
    assert found["back"] == [{"group": "pilot", "pack": "packs/2026.12.1.zip", "members": 1}]
    # Who was not given it is left alone.
    assert orders_for(parts, NODE) == waiting[NODE] + 1
    assert orders_for(parts, OTHER) == waiting[OTHER]
    (told,) = stops(parts)
    assert (told["group"], told["member"]) == (None, parts.identity.hub)
    assert told["reason"] == "fees counted twice"
    assert (told["in_force"], told["ordered_back"]) == ([NODE], [NODE])
    with pytest.raises(PackError, match="its roll-out stopped at"):
        order(parts, "rest", DAY)
    say(city, node, digest=DIGEST, version=4)
    assert stops(parts)[0]["in_force"] == []
    # Again, and it orders nothing more.
    assert withdraw(parts, "2026.12.2", "again")["back"] == []
    assert stops(parts)[0]["reason"] == "fees counted twice"


def test_after_a_failure_the_officer_withdraws_and_the_cause_stays(
    city: City, node: Sender, parts: HubParts, second: bytes
) -> None:
    order(parts, "pilot", DAY)
    say(city, node, digest=second, version=3, passed=False, state="refused", failures=["x"])
    found: Any = withdraw(parts, "2026.12.2", "tidied up")
    assert len(found["back"]) == 1
    assert (stops(parts)[0]["member"], stops(parts)[0]["reason"]) == (NODE, "x")
    # Who comes into the group is given what holds there now.
    assign(parts, [], {OTHER: "pilot"})
    given: Any = rollout_status(parts)["orders"]
    assert [one["pack"] for one in given if one["group"] == "pilot" and one["members"] == 2] == [
        "packs/2026.12.1.zip"
    ]


def test_a_roll_out_stops_also_where_the_pack_before_measures_other_things(
    city: City, parts: HubParts, repository: Repository
) -> None:
    former = made("2026.11.1", schema=bytes(32))
    repository.publish("2026.11.1", former)
    refresh_packs(parts, city.clock())
    given = packs.Order(
        version=1,
        digest=hashlib.sha256(former).digest(),
        target="packs/2026.11.1.zip",
        group="pilot",
        from_day=20261101,
        at_ms=0,
    )
    with writing(parts.engine) as connection:
        # Ordered while the hub graded with it.
        packs.add_release(connection, given.digest, given.target, 0, 0)
        packs.add_order(connection, given, [NODE])
    order(parts, "pilot", DAY, "2026.12.1")

    found: Any = withdraw(parts, None, "wrong")

    assert (found["back"], stops(parts)[0]["reason"]) == ([], "wrong")
    assert found["without"][0]["members"] == [NODE]
    assert "measures other things" in found["without"][0]["why"]


def test_who_had_no_pack_before_is_named(city: City, node: Sender, parts: HubParts) -> None:
    order(parts, "pilot", DAY)
    say(city, node)
    found: Any = withdraw(parts, "2026.12.1", "wrong")
    (left,) = found["without"]
    assert (found["back"], left["members"]) == ([], [NODE])
    assert "was ordered no other pack" in left["why"]
    with pytest.raises(PackError, match=r"2027\.1\.1\.zip was not ordered here"):
        withdraw(parts, "2027.1.1", "wrong")
    for reason in ("", " ", "x" * 401, "a\nb"):
        with pytest.raises(PackError, match="why the pack is withdrawn"):
            withdraw(parts, "2026.12.1", reason)


def test_a_pack_that_measures_other_things_than_the_hub_is_not_ordered(
    city: City, parts: HubParts, repository: Repository
) -> None:
    repository.publish("2026.12.2", made("2026.12.2", schema=bytes(32)))
    repository.publish("2026.12.3", write_archive({"other.json": b"{}"}))
    refresh_packs(parts, city.clock())
    with pytest.raises(PackError, match="measures other things than the catalogue this hub"):
        order(parts, "pilot", DAY, "2026.12.2")
    with pytest.raises(PackError, match="no card that can be read"):
        order(parts, "pilot", DAY)
    assert order(parts, "pilot", DAY, "2026.12.1")["target"] == "packs/2026.12.1.zip"


def test_a_member_that_comes_later_is_given_the_order_of_its_group(parts: HubParts) -> None:
    order(parts, "pilot", DAY)
    assign(parts, [], {OTHER: "pilot"})
    assign(parts, [], {OTHER: "pilot"})
    assert orders_for(parts, OTHER) == 1


def test_a_report_of_no_order_of_the_member_is_quarantined(
    city: City, other: Sender, parts: HubParts
) -> None:
    order(parts, "pilot", DAY)
    say(city, other, passed=False, state="refused", failures=["x"])
    with reading(parts.engine) as connection:
        assert count(connection) == 1
    shown: Any = rollout_status(parts)["orders"]
    assert shown[0]["stopped"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format 2"),
        ({"digest": bytes(31)}, "32 bytes"),
        ({"state": "fine"}, "malformed"),
        ({"version": 0}, "out of bounds"),
        ({"vectors": 10_001}, "too many"),
        ({"failures": ["x"] * 21, "passed": False}, "too many"),
        ({"failures": ["\x1b[2J"], "passed": False}, "printable"),
        ({"failures": ["x"]}, "passed and failed"),
        ({"state": "refused"}, "passed and failed"),
    ],
)
def test_a_malformed_report_is_refused(city: City, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StatementError, match=words):
        decode_pack_report(report(city, **changes))
    with pytest.raises(StatementError, match="malformed"):
        decode_pack_report(report(city)[:-1])


@pytest.mark.parametrize(
    ("names", "placed", "words"),
    [
        (["a", "a"], {}, "each once"),
        (["a b"], {}, "letters, digits"),
        ([], {NODE: "none"}, "there is no group"),
        ([], {"yixin://330300/node/nobody": "pilot"}, "is no node of this hub"),
    ],
)
def test_groups_that_cannot_be_are_refused(
    parts: HubParts, names: list[str], placed: dict[str, str], words: str
) -> None:
    with pytest.raises(PackError, match=words):
        assign(parts, names, placed)


def test_only_what_was_verified_is_served(
    city: City, parts: HubParts, repository: Repository
) -> None:
    assert served_root(parts) == repository.root
    assert root_digest(parts) == hashlib.sha256(repository.root).digest()
    served = place_of(parts).served
    whole = b"".join(open_file(served, TIMESTAMP, 0).pieces)
    assert b"".join(open_file(served, TIMESTAMP, 10).pieces) == whole[10:]
    with pytest.raises(PackError, match="asked for from"):
        open_file(served, TIMESTAMP, len(whole) + 1)
    with pytest.raises(PackAbsentError):
        open_file(served, "metadata/9.root.json", 0)
    with pytest.raises(PackError, match="no name of"):
        open_file(served, "../keys/hub.key", 0)
    (repository.directory / TIMESTAMP).write_bytes(whole[:-1])
    with pytest.raises(PackError):
        refresh_packs(parts, city.clock())
    assert b"".join(open_file(served, TIMESTAMP, 0).pieces) == whole


def test_expired_metadata_orders_nothing(city: City, parts: HubParts) -> None:
    city.clock.advance(days=8)
    with pytest.raises(PackError, match="expired"):
        order(parts, "pilot", DAY)
    shown: Any = rollout_status(parts)["repository"]
    assert shown["is_expired"]


def test_the_timestamp_is_signed_anew_where_the_key_is(
    city: City, parts: HubParts, repository: Repository
) -> None:
    later = city.clock() + timedelta(days=4)
    assert not sign_timestamp(parts, later)
    key = parts.directory / "keys" / "packs-online.key"
    key.write_bytes((repository.keys / "desk").read_bytes())
    key.chmod(0o600)
    assert not sign_timestamp(parts, city.clock())
    assert sign_timestamp(parts, later)
    found: Any = refresh_packs(parts, later)
    assert found["versions"]["timestamp"] == 2
