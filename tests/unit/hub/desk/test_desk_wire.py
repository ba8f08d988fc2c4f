"""Node and desks over mutual TLS on loopback, in one process."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio
import pytest

from hub.desk import register, revoked
from hub.exchange.revoking import revoke_member
from hub.store.engine import reading, writing
from hub.store.revocations import newest_list
from security.certificates import read_revocations
from security.errors import (
    DeskRefusedError,
    DeskUnreachableError,
    LinkAnswerError,
    MembershipError,
)
from security.linking import (
    DeskCard,
    DeskLine,
    PeriodKey,
    desk_line,
    fetch_tokens,
    keys_digest,
    read_card,
)
from security.linking import client as client_module
from security.linking.oprf import POINT_BYTES, blind
from tests.support import p256_oracle
from tests.support.hub_city import CITY
from tests.support.link_desks import HEALTH, PERIOD, PROVINCE, HeldDesk, caller_of, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from protos.yixin.v1 import linking_pb2
    from security.exchange.membership import Membership
    from tests.support.hub_city import City, Sender

_NO_METADATA = (grpc.aio.Metadata(), grpc.aio.Metadata())
PEOPLE = ["330302199001011234", "330302199001011235", "33030219900101123x"]


@dataclass(slots=True, kw_only=True)
class Desks:
    """Two desks and the lines of one node to them."""

    held: tuple[HeldDesk, HeldDesk]
    lines: tuple[DeskLine, DeskLine]
    cards: tuple[DeskCard, DeskCard]
    membership: Membership

    async def pinned(self, period: str = PERIOD) -> list[tuple[DeskLine, bytes]]:
        return [(line, (await line.describe(period)).check) for line in self.lines]

    async def tokens(self, people: list[str], period: str = PERIOD) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        async for batch, tokens in fetch_tokens(await self.pinned(period), period, people):
            found |= dict(zip(batch, tokens, strict=True))
        return found

    def key(self) -> int:
        halves = [desk.keys.load(PERIOD).to_bytes() for desk in self.held]
        return int.from_bytes(halves[0], "big") * int.from_bytes(halves[1], "big")


@asynccontextmanager
async def opened(
    node: Sender, tmp_path: Path, *, quota: int = 1_000, allowed: bool = True
) -> AsyncIterator[Desks]:
    city = node.city
    root = city.parts.identity.ca_certificate_pem
    async with AsyncExitStack() as stack:
        held, cards, lines = [], [], []
        for member in (PROVINCE, HEALTH):
            desk = HeldDesk(directory=tmp_path / member[-8:], member=member, clock=city.clock)
            if allowed:
                desk.allow(caller_of(node), quota)
            card = await stack.enter_async_context(served(desk, {CITY: root}))
            card = read_card(card.to_json().encode())
            line = await stack.enter_async_context(
                desk_line(card, node.membership, city.clock(), call_timeout_s=20.0)
            )
            held.append(desk)
            cards.append(card)
            lines.append(line)
        yield Desks(
            held=(held[0], held[1]),
            lines=(lines[0], lines[1]),
            cards=(cards[0], cards[1]),
            membership=node.membership,
        )


async def test_two_desks_make_the_token_of_their_whole_key(node: Sender, tmp_path: Path) -> None:
    async with opened(node, tmp_path) as desks:
        found = await desks.tokens(PEOPLE)
        expected = {
            person: p256_oracle.token(PERIOD, person.upper(), desks.key()) for person in PEOPLE
        }
        assert found == expected
        assert await desks.tokens(PEOPLE) == expected
        pinned = await desks.pinned()
        checks = [check for _, check in pinned]
        assert keys_digest(checks) == keys_digest(checks[::-1])
        for desk in desks.held:
            with reading(desk.engine) as connection:
                assert register.points_used(connection, node.member, PERIOD) == 2 * (3 + 1)


async def test_neither_desk_sees_the_same_point_twice(
    node: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    evaluate = PeriodKey.evaluate

    def listening(key: PeriodKey, points: bytes) -> bytes:
        seen.extend(points[at : at + POINT_BYTES] for at in range(0, len(points), POINT_BYTES))
        return evaluate(key, points)

    async with opened(node, tmp_path) as desks:
        pinned = await desks.pinned()
        monkeypatch.setattr(PeriodKey, "evaluate", listening)
        for _ in range(3):
            async for _ in fetch_tokens(pinned, PERIOD, [PEOPLE[0]]):
                pass
    assert len(seen) == len(set(seen)) == 3 * 2 * 2


async def test_persons_go_in_batches_and_all_come_back_in_order(
    node: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "BATCH", 4)
    people = [f"P{number}" for number in range(11)]
    reports: list[tuple[object, ...]] = []
    async with opened(node, tmp_path) as desks:
        pinned = await desks.pinned()
        batches = [
            (list(batch), tokens)
            async for batch, tokens in fetch_tokens(
                pinned, PERIOD, people, lambda *report: reports.append(report)
            )
        ]
        whole = {one: token for batch, tokens in batches for one, token in zip(batch, tokens)}  # noqa: B905 - checked below
        assert [len(batch) for batch, _ in batches] == [4, 4, 3]
        assert [*whole] == people
        assert whole == {one: p256_oracle.token(PERIOD, one, desks.key()) for one in people}
    assert reports[-1] == ("linking", 11, 11, "persons")


async def test_a_spent_quota_is_a_clear_answer(node: Sender, tmp_path: Path) -> None:
    async with opened(node, tmp_path, quota=6) as desks:
        await desks.tokens(PEOPLE)
        with pytest.raises(DeskRefusedError, match="has used 4 of 6 points") as caught:
            await desks.tokens(PEOPLE)
        assert caught.value.code == "quota"


async def test_a_node_that_nobody_entered_is_refused(node: Sender, tmp_path: Path) -> None:
    async with opened(node, tmp_path, allowed=False) as desks:
        with pytest.raises(DeskRefusedError, match="yixin node clues key") as caught:
            await desks.lines[0].describe(PERIOD)
        assert caught.value.code == "member"


async def test_a_second_certificate_for_the_same_name_gains_nothing(
    node: Sender, tmp_path: Path
) -> None:
    """The hub is the authority: it may certify another key for the node's name."""
    async with opened(node, tmp_path) as desks:
        impostor = node.city.enrol(tmp_path / "impostor", node.member)
        assert impostor.membership.member_id == node.member
        card, now = desks.cards[0], node.city.clock()
        async with desk_line(card, impostor.membership, now) as line:
            with pytest.raises(DeskRefusedError) as caught:
                await line.describe(PERIOD)
        assert caught.value.code == "member"
        terms = await desks.lines[0].describe(PERIOD)
        assert terms.left == 1_000, "the node that was entered still asks with its own key"


async def test_a_revoked_node_is_refused_from_its_next_request_on(
    node: Sender, tmp_path: Path
) -> None:
    parts, ms = node.city.parts, node.city.clock.ms
    async with opened(node, tmp_path) as desks:
        await desks.lines[0].describe(PERIOD)
        with writing(parts.engine) as connection:
            revoke_member(connection, parts.identity, node.member, "theft", ms)
            newest = newest_list(connection)
        assert newest is not None
        signed = read_revocations(newest.list, {CITY: parts.identity.anchor})
        with writing(desks.held[0].engine) as connection:
            revoked.take(connection, signed)

        with pytest.raises(DeskRefusedError, match="revoked the certificate") as caught:
            await desks.lines[0].describe(PERIOD)
        assert caught.value.code == "member"
        with pytest.raises(DeskRefusedError, match="revoked the certificate"):
            await desks.lines[0].evaluate(PERIOD, blind(PERIOD, PEOPLE).points, bytes(32))
        await desks.lines[1].describe(PERIOD)  # That desk was not given the list.


async def test_a_hub_may_not_ask_a_desk(city: City, node: Sender, tmp_path: Path) -> None:
    hub = city.enrol(tmp_path / "lower", "yixin://330301/hub/city")
    async with opened(node, tmp_path) as desks:
        async with desk_line(desks.cards[0], hub.membership, city.clock()) as line:
            with pytest.raises(DeskRefusedError) as caught:
                await line.describe(PERIOD)
        assert caught.value.code == "permission_denied"


async def test_a_wrong_period_and_garbage_are_clear_answers(node: Sender, tmp_path: Path) -> None:
    async with opened(node, tmp_path) as desks:
        line, check = (await desks.pinned())[0]
        with pytest.raises(DeskRefusedError, match="half-year") as caught:
            await line.describe("2026")
        assert caught.value.code == "period"
        with pytest.raises(DeskRefusedError, match="no point") as caught:
            await line.evaluate(PERIOD, b"\xff" * POINT_BYTES, check)
        assert caught.value.code == "points"


async def test_a_dead_desk_is_told_by_name_and_nothing_is_counted_twice(
    node: Sender, tmp_path: Path
) -> None:
    async with opened(node, tmp_path) as desks:
        first = await desks.pinned()
    with pytest.raises(DeskUnreachableError, match=PROVINCE) as caught:
        async with desk_line(desks.cards[0], node.membership, node.city.clock()) as line:
            await line.describe(PERIOD)
    assert "nothing is lost, try again" in str(caught.value)
    assert len(first) == 2


async def test_a_lost_answer_is_asked_for_again_and_counts_once(
    node: Sender, tmp_path: Path
) -> None:
    async with opened(node, tmp_path) as desks:
        pinned = await desks.pinned()
        stub = pinned[0][0]._stub  # noqa: SLF001 - the wire under the line
        lose = [True]

        class Losing:
            Describe = stub.Describe

            async def Evaluate(  # noqa: N802 - the wire's name
                self,
                request: linking_pb2.EvaluateRequest,
                timeout: float,  # noqa: ASYNC109 - the wire's name
            ) -> linking_pb2.EvaluateResponse:
                response = await stub.Evaluate(request, timeout=timeout)
                if lose.pop() if lose else False:
                    raise grpc.aio.AioRpcError(
                        grpc.StatusCode.UNAVAILABLE, *_NO_METADATA, None, None
                    )
                return response

        line = replace(pinned[0][0], _stub=cast("Any", Losing()))
        async for _, tokens in fetch_tokens([(line, pinned[0][1]), pinned[1]], PERIOD, PEOPLE):
            assert len(tokens) == 3
        with reading(desks.held[0].engine) as connection:
            assert register.points_used(connection, node.member, PERIOD) == 4
            outcomes = [one.outcome for one in register.lines(connection, 2)]
        assert outcomes == ["repeated", "evaluated"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _, points: PeriodKey(7).evaluate(points), "used another key"),
        (lambda _, points: points, "used another key"),
        (lambda key, points: key.real(points)[:-POINT_BYTES], "another number of points"),
        (lambda key, points: key.swapped(points), "used another key"),
        (lambda key, points: key.half_hearted(points), "returned a point as it came|another key"),
    ],
    ids=["another key", "an echo", "one too few", "out of order", "a point left out"],
)
async def test_a_desk_that_lies_is_not_believed(
    node: Sender,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[object, bytes], bytes],
    words: str,
) -> None:
    evaluate = PeriodKey.evaluate

    class Real:
        def __init__(self, key: PeriodKey) -> None:
            self.key = key

        def real(self, points: bytes) -> bytes:
            return evaluate(self.key, points)

        def half_hearted(self, points: bytes) -> bytes:
            return points[:POINT_BYTES] + self.real(points[POINT_BYTES:])

        def swapped(self, points: bytes) -> bytes:
            return self.real(points[POINT_BYTES:] + points[:POINT_BYTES])

    async with opened(node, tmp_path) as desks:
        pinned = await desks.pinned()
        desk = desks.held[0].desk
        half = desks.held[0].keys.load(PERIOD)

        class Lying:
            def evaluate(self, points: bytes) -> bytes:
                return answer(Real(half), points)

        monkeypatch.setattr(type(desk), "_half", lambda *_: Lying())
        with pytest.raises(LinkAnswerError, match=words):
            async for _ in fetch_tokens(pinned, PERIOD, PEOPLE):
                pass


async def test_a_desk_that_speaks_of_another_is_not_believed(node: Sender, tmp_path: Path) -> None:
    async with opened(node, tmp_path) as desks:
        desks.held[0].desk.member = HEALTH
        with pytest.raises(LinkAnswerError, match="another desk or period"):
            await desks.lines[0].describe(PERIOD)


async def test_a_check_value_that_is_no_point_is_not_believed(node: Sender, tmp_path: Path) -> None:
    from hub.desk import tables  # noqa: PLC0415 - what an attacker of the desk would change

    async with opened(node, tmp_path) as desks:
        await desks.pinned()
        with writing(desks.held[0].engine) as connection:
            connection.execute(tables.period.update().values(check_value=b"\xff" * 32))
        with pytest.raises(LinkAnswerError, match="no point"):
            await desks.lines[0].describe(PERIOD)


async def test_an_ended_certificate_is_said_before_anything_is_sent(
    node: Sender, tmp_path: Path
) -> None:
    async with opened(node, tmp_path) as desks:
        late = node.city.clock() + timedelta(days=400)
        with pytest.raises(MembershipError, match="certificate"):
            async with desk_line(desks.cards[0], node.membership, late):
                pass


async def test_another_server_at_the_desks_address_gets_nothing(
    node: Sender, tmp_path: Path
) -> None:
    async with opened(node, tmp_path) as desks:
        swapped = replace(desks.cards[0], certificate_pem=desks.cards[1].certificate_pem)
        async with desk_line(swapped, node.membership, node.city.clock()) as line:
            with pytest.raises(DeskUnreachableError):
                await line.describe(PERIOD)
