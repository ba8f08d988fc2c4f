"""What a refused device reads, and what the daemon's log says."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import grpc
import pytest

from node.api.edge.admission import MAX_OF_ONE, MAX_WAITING, Worker
from node.api.edge.refusals import JOIN_REFUSED, RefusalLog, told
from node.errors import DeviceRefusedError, PresenceError, StoreError, TemplateError
from security.errors import BadSignatureError, CertificateEndedError, UntrustedCertificateError

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
REFUSALS = [
    DeviceRefusedError("w3 is revoked"),
    UntrustedCertificateError("the device's certificate is of another node"),
    CertificateEndedError("ended"),
    BadSignatureError("key 12: the signature does not fit"),
]


def test_whoever_is_refused_reads_one_wording() -> None:
    assert len({told(error) for error in REFUSALS}) == 1
    assert {told(error, JOIN_REFUSED).wording for error in REFUSALS} == {JOIN_REFUSED}
    assert told(REFUSALS[0]).status is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("error", [TemplateError("no consent"), PresenceError("17 events")])
def test_what_is_wrong_with_a_request_is_told(error: Exception) -> None:
    assert told(error).status is grpc.StatusCode.FAILED_PRECONDITION
    assert told(error).wording == str(error)


def test_a_store_that_fails_is_worth_another_try() -> None:
    assert told(StoreError("disk full at /var")).status is grpc.StatusCode.UNAVAILABLE
    assert "/var" not in told(StoreError("disk full at /var")).wording


@pytest.mark.parametrize("error", [RuntimeError("of 990001195803121016"), ValueError("secret")])
def test_a_fault_of_ours_says_nothing_of_itself(error: Exception) -> None:
    assert told(error).status is grpc.StatusCode.INTERNAL
    assert str(error) not in told(error).wording


def test_the_log_says_who_and_why_and_never_a_foreign_text() -> None:
    said: list[str] = []
    log = RefusalLog(said.append)
    log.note("w3", "Hello", REFUSALS[1], START)
    log.note("w3", "Enrol", RuntimeError("of 990001195803121016"), START)
    assert said[0].endswith("w3 Hello: the device's certificate is of another node")
    assert "RuntimeError" in said[1]
    assert "990001195803121016" not in said[1]


def test_who_repeats_is_counted() -> None:
    said: list[str] = []
    log = RefusalLog(said.append)
    for second in range(600):
        log.note("w3", "Hello", REFUSALS[0], START + timedelta(seconds=second))
    assert len(said) == 1
    log.note("w3", "Hello", REFUSALS[0], START + timedelta(seconds=600))
    assert said[1].endswith("(599 times more since 02:00 UTC)")


def test_causes_without_number_are_lines_in_number() -> None:
    said: list[str] = []
    log = RefusalLog(said.append)
    for number in range(5_000):
        log.note("10.0.0.7", "Join", DeviceRefusedError(f"cause {number}"), START)
    assert len(said) == 100
    log.note("10.0.0.7", "Join", DeviceRefusedError("later"), START + timedelta(minutes=10))
    assert said[100] == "Devices refused: 4900 more that were not said."
    assert len(said) == 102


async def test_no_device_takes_the_room_of_others() -> None:
    gate = Event()
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(thread)
        held = [asyncio.ensure_future(worker.run("w3", gate.wait)) for _ in range(MAX_OF_ONE)]
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="8 of this one"):
            await worker.run("w3", gate.wait)
        other = asyncio.ensure_future(worker.run("w4", gate.wait))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*held, other)
        assert await worker.run("w3", lambda: 5) == 5


async def test_so_many_calls_wait_and_no_more() -> None:
    gate = Event()
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(thread)
        held = [
            asyncio.ensure_future(worker.run(f"w{number}", gate.wait))
            for number in range(MAX_WAITING)
        ]
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="128 calls of devices wait"):
            await worker.run("one more", gate.wait)
        gate.set()
        await asyncio.gather(*held)
