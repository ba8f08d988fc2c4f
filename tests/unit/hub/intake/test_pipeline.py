from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.config import IntakeSettings
from hub.errors import HubStoreError, IntakeBusyError
from hub.intake.checking import EnvelopeChecker, Submitted
from hub.intake.committing import Committer, Refused
from hub.intake.pipeline import IntakePipeline, StreamGuard
from hub.store import refusals
from hub.store.engine import reading
from protos.yixin.v1 import exchange_pb2
from security.errors import UntrustedCertificateError, UntrustedEnvelopeError
from tests.support.hub_city import NODE, City, Sender, Slot, batch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.intake.checking import Checked
    from hub.intake.committing import Result
    from protos.yixin.v1 import envelope_pb2


def pipeline(
    city: City, settings: IntakeSettings | None = None, committer: Committer | None = None
) -> IntakePipeline:
    return IntakePipeline(
        checker=city.checker(),
        committer=committer or city.committer(),
        settings=settings or IntakeSettings(),
        now=city.clock,
    )


def trusted(_now: datetime) -> None:
    """A certificate that is always valid."""


def submitted(envelope: envelope_pb2.SealedEnvelope, stream: int = 1) -> Submitted:
    return Submitted(peer=NODE, stream=stream, envelope=envelope, issued={})


async def run(
    intake: IntakePipeline, *streams: tuple[StreamGuard, Sequence[envelope_pb2.SealedEnvelope]]
) -> list[Result | None]:
    """Submit everything, work it off, and give the results in order."""
    futures = [
        await intake.submit(guard, submitted(envelope, number))
        for number, (guard, envelopes) in enumerate(streams)
        for envelope in envelopes
    ]
    intake.close()
    await intake.run()
    return [await future for future in futures]


async def test_what_waits_together_is_committed_together(city: City, node: Sender) -> None:
    intake = pipeline(city)
    sealed = [node.seal(batch(Slot(version=version))) for version in (1, 2, 3)]

    results = await run(intake, (StreamGuard(trusted), sealed))

    assert all(isinstance(result, exchange_pb2.Receipt) for result in results)
    assert (intake.counters.groups, intake.counters.largest_group) == (1, 3)


async def test_groups_are_bounded(city: City, node: Sender) -> None:
    intake = pipeline(city, IntakeSettings(group_max=2))
    sealed = [node.seal(batch(Slot(version=version))) for version in range(1, 6)]

    results = await run(intake, (StreamGuard(trusted), sealed))

    assert all(isinstance(result, exchange_pb2.Receipt) for result in results)
    assert (intake.counters.groups, intake.counters.largest_group) == (3, 2)


async def test_a_refusal_drops_the_rest_of_its_stream_and_of_no_other(
    city: City, node: Sender, other: Sender
) -> None:
    first, second, third = (node.seal(batch(Slot(version=one))) for one in (1, 2, 3))
    broken = replace_signature(second)
    intake = pipeline(city, IntakeSettings(group_max=2))

    results = await run(
        intake,
        (StreamGuard(trusted), [first, broken, third]),
        (StreamGuard(trusted), [first, second]),
    )

    assert isinstance(results[0], exchange_pb2.Receipt)
    assert isinstance(results[1], Refused)
    assert isinstance(results[1].error, UntrustedEnvelopeError)
    assert results[2] is None
    assert all(isinstance(result, exchange_pb2.Receipt) for result in results[3:])
    assert other.member != NODE
    with reading(city.parts.engine) as connection:
        assert [one.code for one in refusals.recent(connection)] == ["UntrustedEnvelopeError"]


def replace_signature(envelope: envelope_pb2.SealedEnvelope) -> envelope_pb2.SealedEnvelope:
    changed = type(envelope).FromString(envelope.SerializeToString())
    changed.signature = bytes(64)
    return changed


async def test_a_certificate_that_expires_is_noticed_at_the_next_group(
    city: City, node: Sender
) -> None:
    def expired(now: datetime) -> None:
        raise UntrustedCertificateError(f"expired before {now}")

    sealed = [node.seal(batch(Slot(version=version))) for version in (1, 2)]
    results = await run(pipeline(city), (StreamGuard(expired), sealed))

    assert isinstance(results[0], Refused)
    assert results[1] is None
    assert city.monthly(202601)["values"] == []


class BrokenCommitter(Committer):
    """A committer whose database is gone, or that has a defect."""

    error: Exception

    def commit(self, checked: Sequence[Checked], now_ms: int) -> list[Result | None]:
        del checked, now_ms
        raise self.error


@pytest.mark.parametrize("error", [HubStoreError("the disk is full"), ZeroDivisionError()])
async def test_a_commit_that_fails_is_told_to_try_again_and_the_intake_goes_on(
    city: City, node: Sender, error: Exception
) -> None:
    parts = city.parts
    committer = BrokenCommitter(
        parts.engine, parts.identity, parts.statements, parts.catalog.joining
    )
    committer.error = error
    intake = pipeline(city, IntakeSettings(group_max=1), committer)
    sealed = [node.seal(batch(Slot(version=version))) for version in (1, 2)]
    futures = [
        await intake.submit(StreamGuard(trusted), submitted(envelope)) for envelope in sealed
    ]
    intake.close()

    await intake.run()

    for future in futures:
        with pytest.raises(HubStoreError):
            await future


async def test_a_checker_with_a_defect_fails_its_group_only(city: City, node: Sender) -> None:
    class BrokenChecker(EnvelopeChecker):
        def check_all(self, submitted: Sequence[Submitted], now_ms: int) -> list[Checked]:
            del submitted, now_ms
            raise ZeroDivisionError

    checker = city.checker()
    broken = BrokenChecker(
        hub=checker.hub,
        decryption_keys=checker.decryption_keys,
        keyring=checker.keyring,
        measure_sets=checker.measure_sets,
        joining=checker.joining,
    )
    intake = IntakePipeline(
        checker=broken, committer=city.committer(), settings=IntakeSettings(), now=city.clock
    )
    future = await intake.submit(StreamGuard(trusted), submitted(node.seal(batch(Slot()))))
    intake.close()

    await intake.run()

    with pytest.raises(HubStoreError):
        await future


async def test_the_queue_is_bounded_in_bytes_and_waiting_ends_with_room(
    city: City, node: Sender
) -> None:
    intake = pipeline(city, replace(IntakeSettings(), queue_mib=4))
    large = [node.seal(batch(Slot()) + bytes(900_000)) for _ in range(5)]
    guard = StreamGuard(trusted)
    for envelope in large[:4]:
        await intake.submit(guard, submitted(envelope))

    fifth = asyncio.ensure_future(intake.submit(guard, submitted(large[4])))
    await asyncio.sleep(0)
    assert not fifth.done()
    work = asyncio.ensure_future(intake.run())
    result = await (await fifth)
    intake.close()
    await work

    assert isinstance(result, exchange_pb2.Receipt)


async def test_a_closed_intake_takes_nothing_more(city: City, node: Sender) -> None:
    intake = pipeline(city)
    intake.close()

    with pytest.raises(IntakeBusyError):
        await intake.submit(StreamGuard(trusted), submitted(node.seal(batch(Slot()))))
