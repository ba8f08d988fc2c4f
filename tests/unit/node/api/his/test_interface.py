"""Calls over HTTP, answered after their commit, in the official envelope whatever they are."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.api.his import UNIFORM_PATH, connections, desk
from node.api.his.live_intake import LiveIntake
from node.errors import ConfigurationError, StoreError
from node.intake.lines import Line
from node.interface_settings import InterfaceMode, InterfaceSettings
from node.store import NodeStore
from security.errors import KeyFileError
from tests.support.interface_server import CATALOG, CountingIntake, official, raw_call, served
from tests.support.node_messages import NOW, envelope, open_store, registration, settlement

MIRROR: Final = InterfaceSettings(port=0, mode=InterfaceMode.MIRROR)
HUGE: Final = 4 * 1024 * 1024 + 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


def body(document: object) -> bytes:
    return orjson.dumps(document)


async def test_a_settlement_is_kept_but_never_invented(store: NodeStore) -> None:
    request = settlement(1)["request"]
    async with served(store) as interface:
        first = await interface.post(body(request))
        second = await interface.post(body(request))
    assert first["infcode"] == second["infcode"] == -1
    assert "本节点不代替医保平台结算" in first["err_msg"]
    assert first["output"] == {}
    assert first["inf_refmsgid"][:6] == "330302"
    assert store.counts().pending == store.counts().messages == 1


async def test_copies_are_received_and_completed_by_their_response(store: NodeStore) -> None:
    copy = settlement(1)
    async with served(store, settings=MIRROR) as interface:
        bare = await interface.post(body(copy["request"]))
        whole = await interface.post(body(copy))
        again = await interface.post(body(copy))
    assert [one["infcode"] for one in (bare, whole, again)] == [0, 0, 0]
    assert "waiting for its response" in bare["err_msg"]
    assert whole["err_msg"] == again["err_msg"] == ""
    assert store.counts().records == {"settlement": 1}
    assert store.counts().pending == 0


@pytest.mark.parametrize(
    ("infno", "output"), [("3101", {"result": []}), ("3102", {"result": []}), ("3103", {})]
)
async def test_what_the_node_answers_itself(
    store: NodeStore, infno: str, output: dict[str, Any]
) -> None:
    request = body(envelope(infno, 1, {"data": {}}))
    async with served(store) as interface:
        answers = [await interface.post(request) for _ in range(2)]
    for answer in answers:
        if answer["infcode"] == 0:
            assert answer["output"] == output
            assert ("未判定" in answer["err_msg"]) is (infno != "3103")
        else:
            assert "[field_missing]" in answer["err_msg"]
    assert store.counts().pending == 0


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "[json_broken]"),
        (b"{", "[json_broken]"),
        (b"\xff\xfe\x00", "["),
        (b"[]", "[message_shape]"),
        (b"null", "[message_shape]"),
        (b"{}", "[message_shape]"),
        (b'{"infno":[],"input":{}}', "["),
        (b"[" * 100_000 + b"]" * 100_000, "[json_broken]"),
        (b'{"input":' * 2_000 + b"1" + b"}" * 2_000, "["),
        (b"x" * HUGE, "[line_too_long]"),
        (body({**envelope("2207", 1, {"data": {}}), "msgid": 1}), "[msgid_format]"),
        (body({**envelope("9999", 1, {"data": {}})}), "[infno_unknown]"),
    ],
    ids=range(12),
)
async def test_whatever_is_sent_gets_the_official_envelope(
    store: NodeStore, sent: bytes, said: str
) -> None:
    async with served(store) as interface:
        answer = await interface.post(sent)
    assert answer["infcode"] == -1
    assert said in answer["err_msg"]
    assert store.quarantine_count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", UNIFORM_PATH), ("PUT", UNIFORM_PATH), ("POST", "/"), ("POST", UNIFORM_PATH + "/")],
)
async def test_no_such_path_or_method_is_said_in_the_envelope(
    store: NodeStore, method: str, path: str
) -> None:
    async with served(store) as interface:
        response = await interface.client.request(method, path, content=b"{}")
    assert response.status_code == 200
    assert UNIFORM_PATH in official(response.content)["err_msg"]


async def test_personal_values_do_not_come_back(store: NodeStore) -> None:
    document = settlement(1, request={"mdtrt_cert_no": "990001195803121019"})
    document["request"]["opter_type"] = "990001195803121019"
    async with served(store, settings=MIRROR) as interface:
        answer = await interface.post(body(document))
    assert answer["infcode"] == -1
    assert "195803" not in answer["err_msg"]


async def test_gb18030_is_read(store: NodeStore) -> None:
    sent = body(settlement(1)).decode().encode("gb18030")
    async with served(store, settings=MIRROR) as interface:
        answer = await interface.post(sent, content_type="application/json;charset=GBK")
    assert answer["infcode"] == 0
    assert store.counts().records == {"settlement": 1}


async def test_calls_that_come_together_share_commits(store: NodeStore) -> None:
    counted = CountingIntake(LiveIntake(store, CATALOG, lambda: NOW))
    async with served(store, settings=MIRROR, intake=counted) as interface:
        answers = await asyncio.gather(
            *(interface.post(body(settlement(number))) for number in range(1, 201)),
            *(interface.post(body(settlement(number))) for number in range(1, 21)),
            interface.post(b"{"),
        )
    assert [one["infcode"] for one in answers] == [0] * 220 + [-1]
    assert store.counts().records == {"settlement": 200}
    assert sum(counted.groups) == 221
    assert len(counted.groups) < 110
    assert len({one["inf_refmsgid"] for one in answers}) == 221


class _Failing:
    """An intake that fails as told."""

    def __init__(self, intake: LiveIntake, error: Exception) -> None:
        self._intake = intake
        self.error: Exception | None = error

    def take(self, source: str, lines: Sequence[Line]) -> Sequence[Any]:
        if self.error is not None:
            raise self.error
        return self._intake.take(source, lines)

    def settle(self) -> None:
        self._intake.settle()


async def test_a_store_that_fails_is_never_answered_as_kept(store: NodeStore) -> None:
    intake = _Failing(LiveIntake(store, CATALOG, lambda: NOW), StoreError("the disk is full"))
    async with served(store, settings=MIRROR, intake=intake) as interface:
        failed = await interface.post(body(settlement(1)))
        intake.error = None
        taken = await interface.post(body(settlement(1)))
    assert failed["infcode"] == -1
    assert "未收存" in failed["err_msg"]
    assert taken["infcode"] == 0


async def test_a_fault_of_ours_does_not_fall_on_neighbours(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    intake = LiveIntake(store, CATALOG, lambda: NOW)
    take = intake._take  # noqa: SLF001 - the fault lies below

    def poisoned(source: str, lines: Sequence[Line]) -> Sequence[Any]:
        if any(b"poison" in line.body for line in lines):
            raise KeyError("张示例")
        return take(source, lines)

    monkeypatch.setattr(intake, "_take", poisoned)
    async with served(store, settings=MIRROR, intake=intake) as interface:
        answers = await asyncio.gather(
            *(interface.post(body(settlement(number))) for number in range(1, 6)),
            interface.post(b'{"poison":1}'),
        )
    assert [one["infcode"] for one in answers] == [0] * 5 + [-1]
    assert "节点程序错误" in answers[-1]["err_msg"]
    assert "KeyError at test_interface.py" in caplog.text
    assert "张示例" not in caplog.text


async def test_a_slow_commit_is_told_and_the_message_is_kept(store: NodeStore) -> None:
    held = threading.Event()

    class Slow(_Failing):
        def take(self, source: str, lines: Sequence[Line]) -> Sequence[Any]:
            held.wait(20)
            return super().take(source, lines)

    intake = Slow(LiveIntake(store, CATALOG, lambda: NOW), StoreError(""))
    intake.error = None
    settings = InterfaceSettings(port=0, mode=InterfaceMode.MIRROR, answer_timeout_s=1)
    async with served(store, settings=settings, intake=intake) as interface:
        late = await interface.post(body(settlement(1)))
        held.set()
        again = await interface.post(body(settlement(1)))
    assert late["infcode"] == -1
    assert "同一msgid重发" in late["err_msg"]
    assert again["infcode"] == 0
    assert store.counts().messages == 1


async def test_calls_beyond_the_memory_are_told_to_come_again(store: NodeStore) -> None:
    async with served(store, max_inflight_bytes=2_000) as interface:
        refused = await interface.post(b" " * 3_000 + body(settlement(1)))
        taken = await interface.post(body(envelope("3101", 1, {"data": {}})))
    assert "busy" in refused["err_msg"]
    assert "busy" not in taken["err_msg"]
    assert store.counts().messages + store.quarantine_count() == 1


async def test_a_desk_that_has_stopped_says_so(store: NodeStore) -> None:
    async with served(store) as interface:
        await interface.desk.stop()
        answer = await interface.post(body(registration(1)))
    assert "正在停止" in answer["err_msg"]
    assert store.counts().messages == 0


async def test_more_than_a_group_is_taken_in_several(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "GROUP_CALLS", 3)
    counted = CountingIntake(LiveIntake(store, CATALOG, lambda: NOW))
    async with served(store, settings=MIRROR, intake=counted) as interface:
        await asyncio.gather(*(interface.post(body(settlement(number))) for number in range(1, 11)))
    assert max(counted.groups) <= 3
    assert sum(counted.groups) == 10


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 20_000 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST " + UNIFORM_PATH.encode() + b" HTTP/1.1\r\nHos", 408),
        (b"", 408),
    ],
    ids=["long", "many", "tls", "nonsense", "two-lengths", "negative", "slow-head", "silent"],
)
async def test_what_is_not_http_is_closed_with_an_envelope(
    store: NodeStore, sent: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.3)
    async with served(store) as interface:
        answer = await raw_call(interface.url, sent)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert official(rest)["infcode"] == -1


async def test_a_body_that_trickles_is_given_up(store: NodeStore) -> None:
    settings = InterfaceSettings(port=0, message_timeout_s=1)
    head = f"POST {UNIFORM_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"
    async with served(store, settings=settings) as interface:
        target = httpx.URL(interface.url)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(head.encode() + b"{")
        answer = await asyncio.wait_for(reader.readuntil(b'"output":{}}'), 10)
        writer.close()
    assert "did not arrive in time" in answer.decode()


async def test_a_second_head_that_trickles_is_given_up(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.3)
    first = f"POST {UNIFORM_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}"
    async with served(store) as interface:
        target = httpx.URL(interface.url)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(first.encode())
        answer = await asyncio.wait_for(reader.readuntil(b'"output":{}}'), 10)
        writer.write(b"POST / HT")
        second = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert second.startswith(b"HTTP/1.1 408 Request Timeout")


async def test_one_connection_too_many_is_told_so(store: NodeStore) -> None:
    settings = InterfaceSettings(port=0, max_connections=2)
    async with served(store, settings=settings) as interface:
        target = httpx.URL(interface.url)
        held = [await asyncio.open_connection(target.host, target.port) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await raw_call(interface.url, b"")
        for _, writer in held:
            writer.close()
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert "连接数已满".encode() in refused


async def test_half_a_body_leaves_nothing_behind(store: NodeStore) -> None:
    head = f"POST {UNIFORM_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
    async with served(store) as interface:
        target = httpx.URL(interface.url)
        _, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(head.encode() + body(registration(1))[:100])
        await writer.drain()
        writer.close()
        await interface.post(b"{}")
    assert store.counts().messages == 0
    assert store.quarantine_count() == 1


def certificate(directory: Path) -> ssl.SSLContext:
    """Write cert.pem and key.pem for 127.0.0.1; returns a client's trust in them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=9999))
        .not_valid_after(NOW + timedelta(days=9999))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (directory / "key.pem").touch(0o600)
    (directory / "key.pem").write_bytes(pem)
    return ssl.create_default_context(cafile=directory / "cert.pem")


TLS: Final = InterfaceSettings(
    host="localhost", port=0, certificate="cert.pem", key="key.pem", mode=InterfaceMode.MIRROR
)


async def test_tls_of_12_at_least(store: NodeStore, tmp_path: Path) -> None:
    trust = certificate(tmp_path)
    async with served(store, settings=TLS, directory=tmp_path, trust=trust) as interface:
        assert interface.url.startswith("https://localhost:")
        assert (await interface.post(body(settlement(1))))["infcode"] == 0
        plain = await raw_call(interface.url, b"POST / HTTP/1.1\r\n\r\n")
        assert plain == b""


@pytest.mark.parametrize("broken", ["open", "other", "absent"])
async def test_a_certificate_of_no_use_is_refused_at_start(
    store: NodeStore, tmp_path: Path, broken: str
) -> None:
    certificate(tmp_path)
    if broken == "open":
        (tmp_path / "key.pem").chmod(0o644)
    elif broken == "other":
        (tmp_path / "cert.pem").write_text("no certificate")
    else:
        (tmp_path / "cert.pem").unlink()
    with pytest.raises((ConfigurationError, KeyFileError), match=r"0600|belong together"):
        async with served(store, settings=TLS, directory=tmp_path):
            pass


async def test_a_port_that_is_taken_is_said(store: NodeStore) -> None:
    async with served(store) as interface:
        taken = InterfaceSettings(port=httpx.URL(interface.url).port or 0)
        with pytest.raises(ConfigurationError, match="cannot be listened on"):
            async with served(store, settings=taken):
                pass
