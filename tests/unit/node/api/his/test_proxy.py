"""Calls pass to the platform and back, byte for byte; copies stay behind."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
import orjson
import pytest

from node.api.his import UNIFORM_PATH
from node.api.his.closed_identity import ClosedIdentity
from node.api.his.own_calls import OwnCalls, Request, Result
from node.gateway.upstream import Upstream
from scoring_kernel import load_catalog
from scoring_kernel.rules import load_rules
from tests.support.interface_server import official, raw_call
from tests.support.node_messages import envelope, settlement
from tests.support.upstream_server import Platform, answering, nobody, platform, proxied, response

ANSWER: Final = b'{"infcode":0,"output":{}}'
REQUEST: Final = orjson.dumps(settlement(1)["request"])


def sent_headers(seen: Platform) -> dict[str, str]:
    lines = seen.heads[-1].decode("latin-1").split("\r\n")[1:-2]
    return dict(line.split(": ", 1) for line in lines)


async def test_method_target_headers_and_bodies_pass_unchanged() -> None:
    answer = response(
        ANSWER, "X-Tif-Trace: a b", "Set-Cookie: a=1", "Set-Cookie: b=2", "Server: old",
        "Date: yesterday", "Content-Type: text/json; charset=GBK", status="203 Odd",
    )  # fmt: skip
    target = "/fsi/%E5%8C%BB/../a//b;c?x=1%202&x=%zz&y"
    head = (
        f"POST {target} HTTP/1.1\r\nHost: his.example\r\n"
        "X-Signature: a=b, c \xff\r\nx-signature: 2\r\n"
        f"Accept-Encoding: gzip\r\nUser-Agent: HIS/1\r\nContent-Type: application/json\r\n"
        f"Connection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nContent-Length: {len(REQUEST)}"
        "\r\n\r\n"
    )
    async with platform(answering(answer)) as seen, proxied(seen.url) as gateway:
        got = await raw_call(gateway.url, head.encode("latin-1") + REQUEST)
    assert seen.bodies == [REQUEST]
    first, *lines = seen.heads[0].decode("latin-1").split("\r\n")
    assert first == f"POST {target} HTTP/1.1"
    assert lines == [
        f"host: 127.0.0.1:{seen.port}", "x-signature: a=b, c \xff", "x-signature: 2",
        "accept-encoding: gzip", "user-agent: HIS/1", "content-type: application/json",
        f"content-length: {len(REQUEST)}", "", "",
    ]  # fmt: skip
    got_head, _, got_body = got.partition(b"\r\n\r\n")
    assert got_body == ANSWER
    assert got_head.decode().split("\r\n")[1:] == [
        "x-tif-trace: a b", "set-cookie: a=1", "set-cookie: b=2", "server: old", "date: yesterday",
        "content-type: text/json; charset=GBK", f"content-length: {len(ANSWER)}",
        "connection: close",
    ]  # fmt: skip
    assert got_head.startswith(b"HTTP/1.1 203 ")
    (copy,) = gateway.kept.exchanges
    assert (copy.request, copy.response, copy.status) == (REQUEST, ANSWER, 203)
    assert copy.response_type == "text/json; charset=GBK"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_what_is_no_message_passes_without_a_copy(method: str) -> None:
    answer = response(b"" if method == "HEAD" else b"page")
    async with platform(answering(answer)) as seen, proxied(seen.url) as gateway:
        got = await gateway.client.request(method, "/any?x=1")
    assert seen.heads[0].startswith(f"{method} /any?x=1 HTTP/1.1".encode())
    assert got.status_code == 200
    assert gateway.kept.exchanges == []


async def test_chunked_bodies_pass_both_ways() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield REQUEST

    answer = (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n'
    )
    async with platform(answering(answer)) as seen, proxied(seen.url) as gateway:
        got = await gateway.client.post("/", content=parts())
    assert seen.bodies == [REQUEST * 3]
    assert got.content == b'{"a":1}'
    assert gateway.kept.exchanges[0].response == b'{"a":1}'


async def test_a_compressed_answer_is_not_touched() -> None:
    packed = gzip.compress(ANSWER)
    answer = response(packed, "Content-Encoding: gzip")
    async with platform(answering(answer)) as seen, proxied(seen.url) as gateway:
        got = await gateway.client.post("/", content=REQUEST)
    assert got.content == ANSWER
    copy = gateway.kept.exchanges[0]
    assert (copy.response, copy.response_encoding) == (packed, "gzip")


async def test_what_is_too_long_for_a_copy_passes_all_the_same() -> None:
    long = b" " * (5 * 1024 * 1024)
    async with platform(answering(response(ANSWER))) as seen, proxied(seen.url) as gateway:
        got = await gateway.client.post("/", content=long)
        assert gateway.kept.notes == [(True, None)]
    assert seen.bodies == [long]
    assert got.content == ANSWER
    async with platform(answering(response(long))) as seen, proxied(seen.url) as gateway:
        got = await gateway.client.post("/", content=REQUEST)
        assert gateway.kept.notes == [(True, None)]
    assert got.content == long
    assert gateway.kept.exchanges == []


async def test_a_platform_that_is_not_there_was_not_reached() -> None:
    with nobody() as url:
        async with proxied(url) as gateway:
            got = await gateway.client.post(UNIFORM_PATH, content=REQUEST)
    assert got.status_code == 502
    assert "未送达" in official(got.content)["err_msg"]
    assert gateway.kept.notes == [(False, False)]
    assert gateway.kept.exchanges == []


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _gone(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize(
    "behave", [_silent, _gone, answering(b"nonsense\r\n\r\n")], ids=["silent", "gone", "nonsense"]
)
async def test_an_outcome_that_is_not_known_is_said_and_never_invented(behave: object) -> None:
    async with platform(behave) as seen, proxied(seen.url, answer_timeout_s=0.5) as gateway:  # type: ignore[arg-type]  # of the list above
        got = await gateway.client.post(UNIFORM_PATH, content=REQUEST)
    assert got.status_code == 504
    answer = official(got.content)
    assert (answer["infcode"], answer["output"]) == (-1, {})
    assert "2601" in answer["err_msg"]
    assert seen.bodies == [REQUEST], "a call is sent once"
    (copy,) = gateway.kept.exchanges
    assert (copy.request, copy.response) == (REQUEST, None)
    assert gateway.kept.notes == [(False, True)]


@pytest.mark.parametrize("ending", ["closes", "stalls"])
async def test_an_answer_that_breaks_off_is_broken_off(ending: str) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await (_gone if ending == "closes" else _silent)(reader, writer)

    async with platform(behave) as seen, proxied(seen.url, answer_timeout_s=0.5) as gateway:
        with pytest.raises(httpx.RemoteProtocolError):
            await gateway.client.post(UNIFORM_PATH, content=REQUEST)
    (copy,) = gateway.kept.exchanges
    assert copy.response is None
    assert gateway.kept.notes == [(False, True)]


async def test_an_answer_is_kept_when_the_till_has_gone() -> None:
    release = asyncio.Event()

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(response(ANSWER))

    async with platform(behave) as seen, proxied(seen.url) as gateway:
        target = httpx.URL(gateway.url)
        _, writer = await asyncio.open_connection(target.host, target.port)
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(REQUEST)}\r\n\r\n"
        writer.write(head.encode() + REQUEST)
        while not seen.bodies:  # noqa: ASYNC110 - until the platform has it
            await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
        release.set()
        while not gateway.kept.exchanges:  # noqa: ASYNC110 - until the copy is there
            await asyncio.sleep(0.01)
    assert gateway.kept.exchanges[0].response == ANSWER


async def test_half_a_call_does_not_reach_its_end() -> None:
    async with platform(answering(response(ANSWER))) as seen, proxied(seen.url) as gateway:
        target = httpx.URL(gateway.url)
        _, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        await writer.drain()
        writer.close()
        assert (await gateway.client.post("/", content=REQUEST)).content == ANSWER
    assert seen.bodies == [REQUEST]
    assert len(gateway.kept.exchanges) == 1


async def test_a_call_that_trickles_is_given_up() -> None:
    async with (
        platform(answering(response(ANSWER))) as seen,
        proxied(seen.url, message_timeout_s=0.3) as gateway,
    ):
        target = httpx.URL(gateway.url)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        answer = await asyncio.wait_for(reader.readuntil(b'"output":{}}'), 10)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert seen.bodies == []


@asynccontextmanager
async def own_calls(
    daemon_url: str, *, timeout_s: float = 10, is_closed: bool = False
) -> AsyncIterator[OwnCalls]:
    daemon = Upstream(
        daemon_url,
        trust=httpx.create_ssl_context(),
        connect_timeout_s=2,
        answer_timeout_s=10,
    )
    blocking = asyncio.to_thread(_blocking) if is_closed else None
    yield OwnCalls(daemon, timeout_s=timeout_s, blocking=blocking)
    await daemon.close()


def _blocking() -> Callable[[Request], Result]:
    return ClosedIdentity(load_rules(), load_catalog().legal_basis).result


def own_request(infno: str, scene: str = "1") -> bytes:
    return orjson.dumps(envelope(infno, 1, {"data": {"trig_scen": scene}}))


@pytest.mark.parametrize("infno", ["3101", "3102", "3103"])
async def test_own_transactions_are_answered_by_the_daemon(infno: str) -> None:
    request = own_request(infno)
    async with (
        platform(answering(response(ANSWER))) as seen,
        platform(answering(response(b'{"infcode":0,"own":1}'))) as daemon,
        own_calls(daemon.url) as own,
        proxied(seen.url, own=own) as gateway,
    ):
        got = await gateway.client.post("/isp/audit?x=1", content=request)
    assert (got.content, got.status_code) == (b'{"infcode":0,"own":1}', 200)
    assert daemon.bodies == [request]
    assert daemon.heads[0].startswith(f"POST {UNIFORM_PATH} HTTP/1.1".encode())
    assert seen.heads == []
    assert (gateway.kept.exchanges, gateway.kept.unjudged) == ([], 0)


@pytest.mark.parametrize("infno", ["3101", "3102", "3103"])
@pytest.mark.parametrize(
    "behave",
    [_silent, _gone, answering(response(ANSWER, status="500 Odd"))],
    ids=["silent", "gone", "failed"],
)
async def test_a_daemon_that_gives_no_answer_lets_the_visit_pass(
    infno: str, behave: object
) -> None:
    request = own_request(infno)
    async with (
        platform(answering(response(ANSWER))) as seen,
        platform(behave) as daemon,  # type: ignore[arg-type]  # of the list above
        own_calls(daemon.url, timeout_s=0.3) as own,
        proxied(seen.url, own=own) as gateway,
    ):
        got = await gateway.client.post(UNIFORM_PATH, content=request)
    answer = official(got.content)
    assert answer["infcode"] == 0
    assert answer["output"] == ({} if infno == "3103" else {"result": []})
    assert ("未判定" in answer["err_msg"]) == (infno != "3103")
    assert seen.heads == []
    assert gateway.kept.unjudged == 1
    copies = [(one.is_own, one.request) for one in gateway.kept.exchanges]
    assert copies == ([(True, request)] if infno == "3103" else []), "the daemon may keep another"


@pytest.mark.parametrize(
    ("infno", "scene", "blocked"),
    [("3101", "1", True), ("3102", "6", True), ("3101", "2", False), ("3103", "1", False)],
)
async def test_identity_that_is_closed_blocks_where_it_is_asked(
    infno: str,
    scene: str,
    blocked: bool,  # noqa: FBT001 - of the list above
) -> None:
    with nobody() as url:
        async with (
            platform(answering(response(ANSWER))) as seen,
            own_calls(url, is_closed=True) as own,
            proxied(seen.url, own=own) as gateway,
        ):
            got = await gateway.client.post(UNIFORM_PATH, content=own_request(infno, scene))
    answer = official(got.content)
    assert answer["infcode"] == 0
    told = [(one["rule_id"], one["answer"]) for one in answer["output"].get("result", [])]
    assert told == ([("W04", "block")] if blocked else [])
    assert ("急诊抢救先行救治" in got.text) == blocked
    (copy,) = gateway.kept.exchanges
    assert orjson.loads(copy.response or b"")["output"] == answer["output"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
async def test_own_transactions_are_known_in_every_encoding(encoding: str) -> None:
    request = own_request("3101").decode().encode(encoding)
    with nobody() as url:
        async with (
            platform(answering(response(ANSWER))) as seen,
            own_calls(url) as own,
            proxied(seen.url, own=own) as gateway,
        ):
            got = await gateway.client.post(UNIFORM_PATH, content=request)
    assert "未判定" in official(got.content)["err_msg"]
    assert seen.heads == []


@pytest.mark.parametrize(
    "sent",
    [REQUEST, b"", b"{", b"[]", b'{"infno":["3101"]}', b'"infno":"3101"', b" " * (5 * 1024 * 1024)],
    ids=["settlement", "empty", "broken", "list", "odd", "half", "long"],
)
async def test_any_other_call_passes_whole_after_it_was_looked_at(sent: bytes) -> None:
    with nobody() as url:
        async with (
            platform(answering(response(ANSWER))) as seen,
            own_calls(url) as own,
            proxied(seen.url, own=own) as gateway,
        ):
            got = await gateway.client.post(UNIFORM_PATH, content=sent)
    assert got.content == ANSWER
    assert seen.bodies == [sent]


async def test_own_transactions_pass_where_it_is_not_asked_for() -> None:
    request = orjson.dumps(envelope("3101", 1, {"data": {}}))
    async with platform(answering(response(ANSWER))) as seen, proxied(seen.url) as gateway:
        got = await gateway.client.post(UNIFORM_PATH, content=request)
    assert got.content == ANSWER
    assert sent_headers(seen)["content-length"] == str(len(request))


async def test_a_keeper_that_fails_does_not_touch_the_traffic(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with platform(answering(response(ANSWER))) as seen, proxied(seen.url) as gateway:
        gateway.kept.error = RuntimeError("张示例")
        for _ in range(3):
            assert (await gateway.client.post("/", content=REQUEST)).content == ANSWER
    assert "RuntimeError at upstream_server.py" in caplog.text
    assert "张示例" not in caplog.text


async def test_a_till_that_does_not_read_is_given_up_and_the_answer_read_to_its_end() -> None:
    long = response(b"x" * (64 * 1024 * 1024))
    async with (
        platform(answering(long)) as seen,
        proxied(seen.url, message_timeout_s=0.5) as gateway,
    ):
        target = httpx.URL(gateway.url)
        reader, writer = await asyncio.open_connection(target.host, target.port, limit=1024)
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(REQUEST)}\r\n\r\n"
        writer.write(head.encode() + REQUEST)
        while not gateway.kept.notes:  # noqa: ASYNC110 - until all of it has come
            await asyncio.sleep(0.01)
        del reader
        writer.transport.abort()
    assert gateway.kept.notes == [(True, None)]


async def test_a_call_that_asks_for_http_2_passes_whole() -> None:
    head = (
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade, HTTP2-Settings\r\n"
        f"Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\nContent-Length: {len(REQUEST)}\r\n\r\n"
    )
    async with platform(answering(response(ANSWER))) as seen, proxied(seen.url) as gateway:
        got = await raw_call(gateway.url, head.encode() + REQUEST)
    assert got.endswith(ANSWER)
    assert seen.bodies == [REQUEST]
    assert b"pgrade" not in seen.heads[0]
    assert b"http2-settings" not in seen.heads[0]
