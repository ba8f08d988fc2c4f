"""A city and its province witness each other over the wire; the city calls for both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc.aio
import pytest

from hub.errors import LogReadOnlyError
from hub.exchange.parent import join_parent
from hub.log.asking import MAX_ENTRIES, Round
from hub.log.calls import LogCalls
from hub.log.sequencer import publish
from hub.log_jobs import LogJobs
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading
from protos.yixin.v1 import transparency_pb2
from protos.yixin.v1.transparency_pb2_grpc import TransparencyStub
from security.channels import member_channel
from security.errors import HubRefusedError, LogRollbackError
from security.exchange.engine import open_exchange
from security.exchange.join import join
from security.exchange.seen_checkpoints import watch_log
from security.progress import no_progress
from security.tlog.cosigning import verify_cosignatures
from security.tlog.reader import TileReader
from security.transparency import Checkpoint, verify_checkpoint
from tests.support.hub_city import CITY, FIRST, NODE, serving
from tests.support.hub_logs import append, size, with_quorum
from tests.support.witnesses import befriend, peer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hub.log.hub_log import HubLog
    from protos.yixin.v1.transparency_pb2_grpc import TransparencyAsyncStub
    from security.merkle import Frontier
    from tests.support.hub_city import City

Request: TypeAlias = (
    "transparency_pb2.TileRequest | transparency_pb2.CosignRequest | transparency_pb2.OriginRequest"
)


@asynccontextmanager
async def lined(city: City, province: City) -> AsyncIterator[LogCalls]:
    """The province serves, the city has joined it; calls from the city."""
    async with serving(province.parts):
        address = province.parts.address(province.parts.addresses().enrolment_port)
        token = replace(province.token(CITY), enrolment_address=address).encode()
        membership = await join_parent(
            city.parts.parent_directory, token, own=city.parts.identity.hub, now=city.clock()
        )
        async with member_channel(membership, city.clock()) as channel:
            yield LogCalls(hub=membership.hub_id, stub=TransparencyStub(channel))


def round_of(log: HubLog, other: HubLog, calls: LogCalls) -> Round:
    return Round(log=log, peer=peer_of(other), calls=calls)


async def _call(stub: TransparencyAsyncStub, request: Request) -> None:
    if isinstance(request, transparency_pb2.TileRequest):
        await stub.GetTile(request)
    elif isinstance(request, transparency_pb2.CosignRequest):
        await stub.Cosign(request)
    else:
        await stub.GetCheckpoint(request)


def truncate(log: HubLog, to: int) -> None:
    """Put a database back to an earlier size, as a restored copy is."""
    with log.engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM log_leaf WHERE log_index >= {to}")  # noqa: S608
        connection.exec_driver_sql("DELETE FROM log_frontier")
        frontier = leaf_log.extend_frontier(connection, bytes(8), 0, to)
        leaf_log.save_state(connection, {"size": to, "frontier": frontier.to_bytes()})


async def test_both_logs_are_cosigned_and_mirrored(city: City, province: City) -> None:
    own, theirs = city.parts.log, province.parts.log
    befriend(own, theirs)
    async with lined(city, province) as calls:
        append(own, MAX_ENTRIES + 300)
        append(theirs, 400)
        publish(own)
        publish(theirs)
        await round_of(own, theirs, calls).run()
        append(own, 7)
        publish(own)
        await round_of(own, theirs, calls).run()
    for log, by in ((own, theirs), (theirs, own)):
        with reading(log.engine) as connection:
            note = log.cosigned_note(connection)
        assert verify_cosignatures(note, [by.witness()], now_s=None)
        checkpoint = verify_checkpoint(note, log.anchor)
        TileReader(by.mirror(checkpoint.origin), checkpoint).verify_all()
        assert by.hub in log.mode.confirmed
    assert verify_checkpoint(publish(own).note, own.anchor).size == size(own)


async def test_a_hub_reads_only_until_its_witness_confirms(city: City, province: City) -> None:
    own, theirs = with_quorum(city.parts.log, 1), province.parts.log
    befriend(own, theirs)
    with pytest.raises(LogReadOnlyError, match="0 of 1 witnesses"):
        append(own, 1)
    async with lined(city, province) as calls:
        await round_of(own, theirs, calls).run()
    append(own, 1)


async def test_a_hub_put_back_learns_it_from_its_witness_and_recovers(
    city: City, province: City
) -> None:
    own, theirs = city.parts.log, province.parts.log
    befriend(own, theirs)
    before = append(own, 5)
    async with lined(city, province) as calls:
        whole = append(own, 300)
        publish(own)
        await round_of(own, theirs, calls).run()
        # Database and tiles are put back together: nothing here contradicts itself.
        truncate(own, before)
        for path in sorted((city.parts.directory / "log").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        restarted = with_quorum(own, 1)

        with pytest.raises(LogRollbackError, match=f"with {whole} leaves.*holds {before} leaves"):
            await round_of(restarted, theirs, calls).run()
        with pytest.raises(LogReadOnlyError, match="log recover"):
            append(restarted, 1)

        jobs = LogJobs(parts=replace(city.parts, log=restarted, engine=restarted.engine))
        status = jobs.status({}, no_progress)
        assert status["mode"] == "read-only"
        assert len(status["evidence"]) == 1
        found = await jobs.recover({}, no_progress)
        assert (found["before"], found["size"]) == (before, whole)
        await round_of(restarted, theirs, calls).run()
        assert append(restarted, 1) == whole + 1
        assert jobs.status({}, no_progress)["mode"] == "read-write"


async def test_a_parent_put_back_learns_it_from_the_city(city: City, province: City) -> None:
    own, theirs = city.parts.log, province.parts.log
    befriend(own, theirs)
    async with lined(city, province) as calls:
        before = append(theirs, 3)
        append(theirs, 9)
        publish(theirs)
        await round_of(own, theirs, calls).run()
        truncate(theirs, before)
        with pytest.raises(LogRollbackError, match="it was told"):
            await round_of(own, theirs, calls).run()
        with pytest.raises(LogReadOnlyError, match="restored from an old copy"):
            append(theirs, 1)


async def test_a_hub_that_is_no_peer_gets_no_cosignature(city: City, province: City) -> None:
    own = city.parts.log
    append(own, 2)
    made = publish(own)
    async with lined(city, province) as calls:
        answer = await calls.cosign(transparency_pb2.CosignRequest(note=made.note))
    assert answer.refusal
    assert not answer.lines


async def test_members_are_shown_tiles_and_proofs_of_the_published_log_only(
    city: City, province: City
) -> None:
    theirs = province.parts.log
    async with lined(city, province) as calls:
        append(theirs, 600)
        made = publish(theirs)
        stub = calls.stub
        proof = await stub.Prove(transparency_pb2.ProofRequest(index=300))
        assert proof.checkpoint == made.note
        reader = TileReader(theirs.tiles(1), made.checkpoint)
        assert tuple(proof.path) == reader.inclusion(300)
        part = await stub.GetTile(transparency_pb2.TileRequest(index=1, width=7))
        assert len(part.content) == 7 * 32
        whole = await stub.GetTile(transparency_pb2.TileRequest(index=1, width=256))
        assert whole.content.startswith(part.content)
        total = made.checkpoint.size
        for request, status in (
            (transparency_pb2.ProofRequest(index=total), grpc.StatusCode.OUT_OF_RANGE),
            (transparency_pb2.ProofRequest(size=total + 1), grpc.StatusCode.OUT_OF_RANGE),
            (
                transparency_pb2.ProofRequest(consistency=True, old_size=total + 1),
                grpc.StatusCode.OUT_OF_RANGE,
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Prove(request)
            assert refused.value.code() is status


@pytest.mark.parametrize(
    "request_",
    [
        transparency_pb2.TileRequest(level=8, width=1),
        transparency_pb2.TileRequest(width=0),
        transparency_pb2.TileRequest(width=257),
        transparency_pb2.TileRequest(width=1, index=2**63),
        transparency_pb2.TileRequest(width=1, origin="x" * 129),
        transparency_pb2.TileRequest(width=1, origin="unknown/log1"),
        transparency_pb2.TileRequest(width=256, index=10**6),
        transparency_pb2.CosignRequest(path=[bytes(31)]),
        transparency_pb2.CosignRequest(path=[bytes(32)] * 65),
        transparency_pb2.CosignRequest(note="x" * 65_537),
        transparency_pb2.CosignRequest(entries=[b""] * 1_025),
        transparency_pb2.CosignRequest(entries=[bytes(2_049)]),
        transparency_pb2.OriginRequest(origin="x" * 129),
    ],
    ids=lambda request: f"{type(request).__name__}-{request.ByteSize()}",
)
async def test_requests_out_of_bounds_are_refused(
    city: City, province: City, request_: Request
) -> None:
    async with lined(city, province) as calls:
        stub = calls.stub
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _call(stub, request_)
    assert refused.value.code() in {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    }


async def test_a_node_that_saw_more_closes_the_log(city: City, province: City) -> None:
    theirs = province.parts.log
    async with lined(city, province) as calls:
        append(theirs, 3)
        seen = theirs.sign(
            Checkpoint(origin=theirs.origin(1), size=size(theirs) + 50, root=bytes(32))
        )
        answer = await calls.cosign(transparency_pb2.CosignRequest(note=seen))
        assert answer.refusal
        with pytest.raises(LogReadOnlyError, match="restored from an old copy"):
            append(theirs, 1)
        # What was published is still shown.
        assert await calls.note("")


async def test_a_node_that_saw_more_says_so_when_it_next_synchronises(
    city: City, tmp_path: Path
) -> None:
    log = city.parts.log
    async with serving(city.parts):
        address = city.parts.address(city.parts.addresses().enrolment_port)
        token = replace(city.token(NODE, FIRST), enrolment_address=address).encode()
        membership = await join(
            tmp_path / "node", token, kind="node", post_quantum=False, now=city.clock()
        )
        engine = open_exchange(tmp_path / "exchange.db")
        async with member_channel(membership, city.clock()) as channel:
            before = append(log, 2)
            old = log.sign(log.checkpoint(1, _frontier(log)))
            append(log, 4)
            assert await watch_log(channel, engine, membership, publish(log).note, city.clock())
            truncate(log, before)
            with pytest.raises(LogRollbackError, match="Nothing was sent"):
                await watch_log(channel, engine, membership, old, city.clock())
        engine.dispose()
        with pytest.raises(LogReadOnlyError, match="restored from an old copy"):
            append(log, 1)


def _frontier(log: HubLog) -> Frontier:
    with reading(log.engine) as connection:
        return leaf_log.frontier(connection)


async def test_a_caller_that_was_revoked_is_shown_nothing(city: City, province: City) -> None:
    async with lined(city, province) as calls:
        with province.parts.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE member SET status = 'revoked'")
        with pytest.raises(HubRefusedError):
            await calls.note("")


def test_a_peer_is_named_and_removed(city: City, province: City) -> None:
    befriend(city.parts.log, province.parts.log)
    jobs = LogJobs(parts=city.parts)
    (row,) = jobs.status({}, no_progress)["witnesses"]
    assert (row["hub"], row["answered"]) == (province.parts.log.hub, "never")
    jobs.remove_witness({"hub": row["hub"]}, no_progress)
    with reading(city.parts.engine) as connection:
        assert log_peers.peers(connection) == ()
    assert "No witness is named" in jobs.status({}, no_progress)["warnings"][0]
