"""Connections to the interface: bounded, encrypted where asked for, closed with an envelope."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.api.his import UNIFORM_PATH, connections
from node.errors import ConfigurationError
from node.interface_settings import InterfaceMode, InterfaceSettings
from node.store import NodeStore
from security.errors import KeyFileError
from tests.support.interface_server import official, raw_call, served
from tests.support.node_messages import NOW, open_store, registration, settlement


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


def body(document: object) -> bytes:
    return orjson.dumps(document)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 20_000 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\n\n", 408),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST " + UNIFORM_PATH.encode() + b" HTTP/1.1\r\nHos", 408),
        (b"", 408),
    ],
    ids=[
        "long",
        "many",
        "tls",
        "nonsense",
        "bare-lf",
        "two-lengths",
        "negative",
        "slow-head",
        "silent",
    ],
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


async def test_a_body_that_goes_on_after_its_answer_is_cut(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.3)
    monkeypatch.setattr("node.api.his.bodies.SKIPPED_BYTES", 1024)
    head = f"POST {UNIFORM_PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    async with served(store) as interface:
        target = httpx.URL(interface.url)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(head.encode() + chunk * 70)
        answer = await asyncio.wait_for(reader.readuntil(b'"output":{}}'), 10)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_write_on(writer, chunk), 10)
        writer.close()
    assert "line_too_long" in answer.decode()


async def _write_on(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    while True:
        writer.write(chunk)
        await writer.drain()


async def test_a_call_after_a_whole_one_is_not_cut(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.1)
    first = f"POST {UNIFORM_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    async with served(store) as interface:
        target = httpx.URL(interface.url)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        for sent in (first.encode() + b"{}" + first.encode() + b"{", b"}"):
            writer.write(sent)
            await asyncio.wait_for(reader.readuntil(b'"output":{}}'), 10)
            await asyncio.sleep(0.3)
        writer.close()


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


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
async def test_an_upgrade_that_is_not_taken_leaves_the_call_as_it_is(
    store: NodeStore, upgrade: str
) -> None:
    """Clients that prefer HTTP/2 ask for it beside an ordinary call (RFC 9110, section 7.8)."""
    sent = body(settlement(1))
    head = (
        f"POST {UNIFORM_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        f"Upgrade: {upgrade}\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
        f"Content-Length: {len(sent)}\r\n\r\n"
    )
    settings = InterfaceSettings(port=0, mode=InterfaceMode.MIRROR, message_timeout_s=5)
    async with served(store, settings=settings) as interface:
        target = httpx.URL(interface.url)
        reader, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(head.encode() + sent)
        answer = await asyncio.wait_for(reader.readuntil(b'"output":{}}'), 10)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"infcode":0' in answer
    assert store.counts().messages == 1
