"""Tokens are fetched once, over both desks, and kept; what cannot be had is said."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from hub.desk import register
from hub.store.engine import reading, writing
from node.store.links import LinkStore
from node.sync.tokens import FetchReport, TokenFetcher
from security.errors import DeskRefusedError, DeskUnreachableError, LinkAnswerError
from security.progress import no_progress
from tests.support import p256_oracle
from tests.support.hub_city import CITY, FIRST, NODE, open_city
from tests.support.link_desks import HEALTH, PROVINCE, HeldDesk, caller_of, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping
    from pathlib import Path

    from security.linking import DeskCard
    from tests.support.hub_city import City, Sender

PERIOD, PEOPLE = "2026H1", ["330302199001011234", "330302199001011235"]


@dataclass(slots=True, kw_only=True)
class Asking:
    """A node's shelf and both desks."""

    node: Sender
    shelf: LinkStore
    held: list[HeldDesk]
    cards: list[DeskCard]

    async def fetch(self, wanted: Mapping[str, Collection[str]]) -> FetchReport:
        fetcher = TokenFetcher(
            shelf=self.shelf,
            cards=self.cards,
            membership=self.node.membership,
            now=self.node.city.clock(),
            progress=no_progress,
        )
        return await asyncio.to_thread(fetcher.fetch, wanted)

    def used(self, desk: int) -> int:
        with reading(self.held[desk].engine) as connection:
            return register.points_used(connection, self.node.member, PERIOD)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "hub") as opened:
        yield opened


@asynccontextmanager
async def asking(city: City, tmp_path: Path, quota: int = 100) -> AsyncIterator[Asking]:
    node = city.enrol(tmp_path / "node", NODE, FIRST)
    root = city.parts.identity.ca_certificate_pem
    (tmp_path / "store").mkdir()
    shelf = LinkStore(tmp_path / "store", lambda: bytes(32))
    async with AsyncExitStack() as stack:
        stack.callback(shelf.close)
        made = Asking(node=node, shelf=shelf, held=[], cards=[])
        for member in (PROVINCE, HEALTH):
            desk = HeldDesk(directory=tmp_path / member[-8:], member=member, clock=city.clock)
            desk.allow(caller_of(node), quota)
            made.held.append(desk)
            made.cards.append(await stack.enter_async_context(served(desk, {CITY: root})))
        yield made


async def test_a_token_is_asked_for_once(city: City, tmp_path: Path) -> None:
    async with asking(city, tmp_path) as made:
        report = await made.fetch({PERIOD: PEOPLE})
        assert (report.open, report.asked, report.closed) == ([PERIOD], 2, {})
        halves = [int.from_bytes(desk.keys.load(PERIOD).to_bytes(), "big") for desk in made.held]
        assert made.shelf.tokens(PERIOD, PEOPLE) == {
            person: p256_oracle.token(PERIOD, person, halves[0] * halves[1]) for person in PEOPLE
        }
        again = await made.fetch({PERIOD: PEOPLE})
        assert (again.open, again.asked) == ([PERIOD], 0)
        more = await made.fetch({PERIOD: [*PEOPLE, "330302199001011236"]})
        assert more.asked == 1
        assert made.used(0) == made.used(1) == (2 + 1) + (1 + 1)
        assert made.shelf.count() == {PERIOD: 3}


async def test_the_shelf_alone_names_nobody(city: City, tmp_path: Path) -> None:
    async with asking(city, tmp_path) as made:
        await made.fetch({PERIOD: PEOPLE})
        files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
        content = b"".join(path.read_bytes() for path in files)
        assert [person for person in PEOPLE if person.encode() in content] == []


async def test_a_closed_period_is_told_and_stops_no_other(city: City, tmp_path: Path) -> None:
    async with asking(city, tmp_path) as made:
        report = await made.fetch({"2024H1": PEOPLE, PERIOD: PEOPLE, "2027H1": PEOPLE})
        assert report.open == [PERIOD]
        assert "its key is destroyed" in report.closed["2024H1"]
        assert "begins on 2027-01-01" in report.closed["2027H1"]


async def test_tokens_that_are_held_outlive_a_desk(city: City, tmp_path: Path) -> None:
    async with asking(city, tmp_path) as made:
        await made.fetch({PERIOD: PEOPLE})
        made.held[0].desk.destroy(PERIOD)
        assert (await made.fetch({PERIOD: PEOPLE})).open == [PERIOD]


async def test_a_dead_desk_leaves_what_was_made(city: City, tmp_path: Path) -> None:
    async with asking(city, tmp_path) as made:
        await made.fetch({PERIOD: PEOPLE[:1]})
    made.shelf = LinkStore(tmp_path / "store", lambda: bytes(32))
    with pytest.raises(DeskUnreachableError, match="did not answer"):
        await made.fetch({PERIOD: PEOPLE})
    assert made.shelf.count() == {PERIOD: 1}
    made.shelf.close()


async def test_a_spent_quota_keeps_the_batches_before(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.linking.client.BATCH", 2)
    async with asking(city, tmp_path, quota=5) as made:
        with pytest.raises(DeskRefusedError, match="has used 3 of 5"):
            await made.fetch({PERIOD: [f"{number}" for number in range(4)]})
        assert made.shelf.count() == {PERIOD: 2}


async def test_a_desk_that_lost_its_key_is_not_believed(city: City, tmp_path: Path) -> None:
    from hub.desk import tables  # noqa: PLC0415 - what a wrong restore would do

    async with asking(city, tmp_path) as made:
        await made.fetch({PERIOD: PEOPLE[:1]})
        desk = made.held[1]
        with writing(desk.engine) as connection:
            connection.execute(tables.period.delete())
        desk.keys.destroy(PERIOD)
        with pytest.raises(LinkAnswerError, match=f"at {HEALTH} is another than the one"):
            await made.fetch({PERIOD: PEOPLE})
        assert made.shelf.count() == {PERIOD: 1}


async def test_what_is_no_longer_sent_is_forgotten(city: City, tmp_path: Path) -> None:
    async with asking(city, tmp_path) as made:
        await made.fetch({PERIOD: PEOPLE, "2026H2": PEOPLE})
        made.shelf.forget_others({"2026H2"})
        assert made.shelf.count() == {"2026H2": 2}
        assert made.shelf.checks(PERIOD) == {}
