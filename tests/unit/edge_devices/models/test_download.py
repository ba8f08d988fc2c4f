"""Downloads over real TLS on the loopback, by an authority of their own."""

from __future__ import annotations

import hashlib
import io
import itertools
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_devices.errors import DeviceConfigurationError
from edge_devices.models.download import Bounds, download
from edge_devices.models.installing import install
from scoring_kernel.errors import FaceModelError
from security.progress import no_progress
from tests.support.faces import embedding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = embedding()
SMALL = Bounds(max_bytes=len(MODEL.content), timeout_s=60, silence_s=10)


class _Answers(BaseHTTPRequestHandler):
    """Paths: what a server may do with a request."""

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name == "/model.onnx":
            self._send(200, MODEL.content)
        elif name.startswith("/moved"):
            self._send(302, b"", Location=f"{name[len('/moved') :] or '/model.onnx'}")
        elif name == "/plain":
            self._send(302, b"", Location="http://127.0.0.1/model.onnx")
        elif name == "/round":
            self._send(302, b"", Location="/round")
        elif name == "/endless":
            self._stream(MODEL.content, times=3)
        elif name == "/huge":
            self.send_response(200)
            self.send_header("Content-Length", str(10**12))
            self.end_headers()
        elif name == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(MODEL.content)))
            self.end_headers()
            self.wfile.write(MODEL.content[:1000])
        elif name == "/odd":
            self.send_response(200)
            self.send_header("Content-Length", "a lot")
            self.end_headers()
        else:
            self._send(404, b"no such file")

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, body: bytes, times: int) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(times):
                self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_parts: object) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_parts: object) -> None:
        """A client that hangs up is what some tests are about."""


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "files of tests")])
    today = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today)
        .not_valid_after(today + timedelta(days=36_500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    own, secret = folder / "server.pem", folder / "server.key"
    own.write_bytes(certificate.public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return own, secret


@contextmanager
def served(context: ssl.SSLContext | None) -> Iterator[int]:
    """Serve on a free port, which is given."""
    with _Quiet(("127.0.0.1", 0), _Answers) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def site(certified: tuple[Path, Path]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certified)
    with served(context) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def _trusted(certified: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certified[0]))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def fetched(url: str, bounds: Bounds = SMALL) -> tuple[str, bytes]:
    into = io.BytesIO()
    return download(url, into, clock=lambda: 0.0, bounds=bounds), into.getvalue()


@pytest.mark.parametrize("path", ["/model.onnx", "/moved", "/moved/moved/moved/model.onnx"])
def test_a_file_comes_whole_with_its_digest(site: str, path: str) -> None:
    digest, content = fetched(site + path)
    assert content == MODEL.content
    assert digest == hashlib.sha256(content).hexdigest()


def test_progress_tells_the_bytes(site: str) -> None:
    told: list[tuple[int, int]] = []

    def tell(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        assert (stage, unit) == ("fetching", "bytes")
        told.append((done, total))

    download(f"{site}/model.onnx", io.BytesIO(), clock=lambda: 0.0, bounds=SMALL, progress=tell)
    assert told[-1] == (len(MODEL.content), len(MODEL.content))
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/absent?token=secret", "status 404, expected 200"),
        ("/plain", "a redirect to http:, expected https:"),
        ("/round", "more than 5 redirects"),
        ("/endless", f"more than {len(MODEL.content)} bytes"),
        ("/huge", "1000000000000 bytes: this is no model"),
        ("/cut", "no answer"),
        ("/odd", "no answer"),
    ],
)
def test_what_a_server_may_do_wrong(site: str, path: str, words: str) -> None:
    with pytest.raises(FaceModelError, match=words) as caught:
        fetched(site + path)
    assert "secret" not in str(caught.value)
    assert "install the FILE" in str(caught.value)


def test_a_slow_server_ends_at_the_bound_of_time(site: str) -> None:
    seconds = itertools.count()
    bounds = Bounds(max_bytes=SMALL.max_bytes, timeout_s=2)
    with pytest.raises(FaceModelError, match="nothing whole within 2 s"):
        download(
            f"{site}/model.onnx", io.BytesIO(), clock=lambda: float(next(seconds)), bounds=bounds
        )


def test_an_authority_that_is_not_trusted_is_told(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(FaceModelError, match="its certificate is not trusted here; SSL_CERT_FILE"):
        fetched(f"{site}/model.onnx")


def test_a_server_without_tls_is_no_server() -> None:
    with served(None) as port, pytest.raises(FaceModelError, match="no answer"):
        fetched(f"https://127.0.0.1:{port}/model.onnx")


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1/model.onnx?secret",
        "ftp://127.0.0.1/model.onnx",
        "file:///etc/passwd",
        "https://",
        "https://[::1",
    ],
)
def test_only_https_is_asked(url: str) -> None:
    with pytest.raises(DeviceConfigurationError, match="https://") as caught:
        fetched(url)
    assert "secret" not in str(caught.value)


def test_a_fetched_model_is_installed_by_its_own_manifest(site: str, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(MODEL.text)
    made = install(
        tmp_path / "models",
        f"{site}/model.onnx",
        manifest=own,
        clock=lambda: 0.0,
        progress=no_progress,
    )
    assert made.manifest == MODEL.manifest
    assert made.path.read_bytes() == MODEL.content


def test_a_fetched_file_that_no_manifest_names_is_not_kept(site: str, tmp_path: Path) -> None:
    with pytest.raises(FaceModelError, match=f"found SHA-256 {MODEL.manifest.sha256}"):
        install(
            tmp_path,
            f"{site}/model.onnx",
            manifest=None,
            clock=lambda: 0.0,
            progress=no_progress,
        )
    assert not list(tmp_path.iterdir())


def test_a_file_is_installed_from_its_path(tmp_path: Path) -> None:
    own, file = tmp_path / "own.yaml", tmp_path / "model.onnx"
    own.write_text(MODEL.text)
    file.write_bytes(MODEL.content)
    made = install(
        tmp_path / "models", str(file), manifest=own, clock=lambda: 0.0, progress=no_progress
    )
    assert made.path.parent == tmp_path / "models"


def test_a_store_that_is_a_file_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "models"
    place.write_text("x")
    with pytest.raises(DeviceConfigurationError, match="is not a directory"):
        install(place, "x", manifest=None, clock=lambda: 0.0, progress=no_progress)
