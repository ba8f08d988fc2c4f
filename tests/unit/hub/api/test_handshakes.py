"""A line that dies in the TLS handshake leaves a refusal, and nothing else on standard error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.api.handshakes import HandshakeWatch, handshake_failure

EXPIRED = (
    b"I1122 04:17:43.153744 25678 ssl_transport_security.cc:2563] Handshake failed with error "
    b"SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:"
    b"CERTIFICATE_VERIFY_FAILED: certificate has expired\n"
)
SCRIPT = """
import asyncio, os, sys
from datetime import UTC, datetime, timedelta
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from hub.api.handshakes import HandshakeWatch
from security import tls

NOW = datetime.now(tz=UTC)
LONG_AGO = NOW - timedelta(days=60)


async def call(days_ago):
    ca_key, ca = tls.create_ca("yixin://330300/hub/city", LONG_AGO)
    pems = []
    for member, at, hosts in (
        ("yixin://330300/hub/city", NOW, ("127.0.0.1",)),
        ("yixin://330302/node/a", NOW - timedelta(days=days_ago), ()),
    ):
        key = tls.new_tls_key()
        der = tls.issue_member_certificate(
            ca_key, ca, tls.csr_der(key), member, at, hosts=hosts
        )
        pems.append((key, tls.certificate_pem(der)))
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([pems[0]], ca, require_client_auth=True)
    )
    await server.start()
    credentials = grpc.ssl_channel_credentials(ca, *pems[1])
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        try:
            await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=10
            )
        except grpc.aio.AioRpcError as error:
            print(error.code().name)
        else:
            print("served")
    await server.stop(0)


reasons = []
with HandshakeWatch(reasons.append):
    asyncio.run(call(int(sys.argv[1])))
    os.write(2, b"a word of the program\\n")
print(sorted(set(reasons)))
"""


def run(days_ago: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-c", SCRIPT, str(days_ago)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[4],
    )


def test_an_expired_certificate_on_a_new_line_is_reported() -> None:
    done = run(days_ago=45)
    assert done.stdout.splitlines() == [
        "UNAVAILABLE",
        "['CERTIFICATE_VERIFY_FAILED: certificate has expired']",
    ]
    assert done.stderr == "a word of the program\n"


def test_a_valid_certificate_is_served_without_a_report() -> None:
    assert run(days_ago=1).stdout.splitlines() == ["served", "[]"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (EXPIRED, "CERTIFICATE_VERIFY_FAILED: certificate has expired"),
        (b"Handshake failed with error x: a:b:PEER_DID_NOT_RETURN_A_CERTIFICATE\n",
         "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        (b"I1122 x.cc:1] Connected\n", None),
        (b"", None),
    ],
)  # fmt: skip
def test_the_reason_is_read_out_of_the_line(line: bytes, reason: str | None) -> None:
    assert handshake_failure(line) == reason


def test_the_programs_own_words_go_on(capfd: pytest.CaptureFixture[str]) -> None:
    reasons: list[str] = []
    with HandshakeWatch(reasons.append):
        os.write(2, b"W1122 x.cc:1] a warning of the library\n")
        os.write(2, b"I1122 04:17:43.1 x.cc:1] chatter\n")
        os.write(2, EXPIRED)
    assert capfd.readouterr().err == "W1122 x.cc:1] a warning of the library\n"
    assert reasons == ["CERTIFICATE_VERIFY_FAILED: certificate has expired"]
