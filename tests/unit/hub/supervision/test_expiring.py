"""What a hub keeps of clues and join records ends on the day its term says: rows and envelopes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub import daemon as daemon_module
from hub.jobs import HubJobs
from hub.store import clues, envelopes, join_records
from hub.store.clues import ClueFilter
from hub.store.engine import reading
from hub.supervision.expiring import expire
from protos.yixin.v1 import clue_pb2
from security.progress import no_progress
from tests.support import join_payloads as made
from tests.support.hub_city import (
    FIRST,
    JOIN_LEAVES,
    OWN_LEAVES,
    SECOND,
    THIRD,
    City,
    Sender,
    serving,
)
from tests.support.join_payloads import Record, clue, clue_month, join_day

if TYPE_CHECKING:
    import pytest
    from sqlalchemy import Engine

    from hub.store.expiry import Expired
    from scoring_kernel.joining import Joining

STAFF = "D330302000001"
"""Whom every clue here names, until it is gone."""


def put_clues(city: City, node: Sender, *months: clue_pb2.ClueMonth) -> None:
    payload = clue_pb2.Clues(months=months).SerializeToString(deterministic=True)
    envelope = node.seal(payload, payload_type="clues", data_class="clue", period="")
    city.submit(envelope, peer=node.member)


def put_stay(city: City, node: Sender, institution: str, begins: str, ends: str) -> None:
    record = Record(who="ann", begins=begins, ends=ends)
    payload = made.join_records("stay", join_day(institution, [record])).SerializeToString()
    envelope = node.seal(payload, payload_type="join_records", data_class="join_record", period="")
    city.submit(envelope, peer=node.member)


def expire_at(city: City, moment: datetime) -> Expired:
    city.clock.at = moment
    return expire(city.parts.engine, city.parts.catalog.joining, city.clock())


def held_clues(city: City) -> list[int]:
    with reading(city.parts.engine) as connection:
        found = clues.list_clues(connection, ClueFilter(gone=True), 100)
    return sorted(one.month for one in found)


def raw(city: City) -> bytes:
    """The first envelope, as the hub still holds it."""
    index = OWN_LEAVES + JOIN_LEAVES * len(city.senders)
    with reading(city.parts.engine) as connection:
        return bytes(envelopes.load_raw(connection, [index])[index])


def on_disk(city: City) -> bytes:
    paths = [path for path in city.parts.directory.glob("hub.db*") if path.is_file()]
    assert paths
    return b"".join(path.read_bytes() for path in paths)


def test_a_record_is_kept_to_the_last_minute_of_its_last_day(city: City, node: Sender) -> None:
    put_stay(city, node, FIRST, "2026-10-01 09:00", "2026-10-08 09:00")
    # 184 days after the eighth of October: kept through the ninth of April in Shanghai.
    assert expire_at(city, datetime(2027, 4, 9, 15, 59, tzinfo=UTC)).is_empty
    assert raw(city)
    done = expire_at(city, datetime(2027, 4, 9, 16, 0, tzinfo=UTC))
    assert (done.records, done.envelopes) == (1, 1)
    assert raw(city) == b""
    with reading(city.parts.engine) as connection:
        assert join_records.figures(connection).parts == 0


def test_a_clue_is_kept_three_years_after_its_month(city: City, node: Sender) -> None:
    put_clues(city, node, clue_month(FIRST, clue(1), month=202609), clue_month(SECOND, clue(2)))
    assert expire_at(city, datetime(2029, 9, 30, 15, 59, tzinfo=UTC)).is_empty
    done = expire_at(city, datetime(2029, 9, 30, 16, 0, tzinfo=UTC))
    assert (done.clues, done.envelopes) == (1, 0)
    assert held_clues(city) == [202610]
    assert raw(city), "what it brought of October may still be kept"
    done = expire_at(city, datetime(2029, 10, 31, 16, 0, tzinfo=UTC))
    assert (done.clues, done.envelopes) == (1, 1)
    assert held_clues(city) == []
    assert raw(city) == b""


def test_what_is_expired_is_nowhere_in_the_database(city: City, node: Sender) -> None:
    named = clue(1, staff=[STAFF], person=made.mark("ann in a clue"))
    put_clues(city, node, clue_month(FIRST, named))
    envelope = raw(city)
    marks = [STAFF.encode(), made.mark("ann in a clue"), envelope[200:264]]
    assert all(one in on_disk(city) for one in marks)
    expire_at(city, datetime(2029, 11, 1, tzinfo=UTC))
    assert [one for one in marks if one in on_disk(city)] == []


def test_a_finding_outlives_its_records_and_ends_with_the_clues(
    city: City, node: Sender, other: Sender
) -> None:
    put_stay(city, node, FIRST, "2026-10-01 09:00", "2026-10-08 09:00")
    put_stay(city, other, THIRD, "2026-10-03 09:00", "2026-10-09 09:00")
    HubJobs(parts=city.parts).table()["clues-join"]({}, no_progress)
    done = expire_at(city, datetime(2027, 6, 1, tzinfo=UTC))
    assert (done.records, done.findings) == (2, 0)
    assert held_clues(city) == [202610]
    assert expire_at(city, datetime(2029, 11, 1, tzinfo=UTC)).findings == 1
    assert held_clues(city) == []


def test_a_clue_that_expired_is_stated_no_more(city: City, node: Sender) -> None:
    put_clues(city, node, clue_month(FIRST, clue(1)))
    expire_at(city, datetime(2029, 11, 1, tzinfo=UTC))
    put_clues(city, node, clue_month(FIRST, clue(1), version=2))
    assert held_clues(city) == []


async def test_the_daemon_deletes_by_the_clock_without_being_asked(
    city: City, node: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_stay(city, node, FIRST, "2026-10-01 09:00", "2026-10-08 09:00")
    loop = asyncio.get_running_loop()
    looked, deleted = asyncio.Event(), asyncio.Event()

    def watched(engine: Engine, joining: Joining, now: datetime) -> Expired:
        done = expire(engine, joining, now)
        loop.call_soon_threadsafe(looked.set if done.is_empty else deleted.set)
        return done

    monkeypatch.setattr(daemon_module, "EXPIRE_EVERY_S", 0.02)
    monkeypatch.setattr(daemon_module, "expire", watched)
    async with serving(city.parts):
        await looked.wait()
        assert raw(city), "its time is not over"
        city.clock.at = datetime(2027, 4, 9, 16, 0, tzinfo=UTC)
        await deleted.wait()
    assert raw(city) == b""
    with reading(city.parts.engine) as connection:
        assert join_records.figures(connection).records == 0
