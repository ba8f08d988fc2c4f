"""Fetch a model's file over HTTPS, within bounds of size and time.

Rules:
- HTTPS alone, at every redirect too; at most five of them. The digest decides what is accepted,
  the line does not; HTTPS keeps others from learning what a hospital installs.
- Bytes are counted and hashed as they come, and stop at the bound.
- Proxies and authorities are those of the environment (``HTTPS_PROXY``, ``SSL_CERT_FILE``).
- Messages name host and path; never what stands before an ``@`` or behind a ``?``.
"""

import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final

import httpx

from edge_devices.errors import DeviceConfigurationError
from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.manifest import MAX_MODEL_BYTES
from security.progress import ProgressReporter, no_progress

__all__ = ["Bounds", "download"]

_HTTPS: Final = "https"
_HEADERS: Final = {"Accept-Encoding": "identity"}
"""The bytes that are hashed are those that come."""
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a download may take."""

    max_bytes: int = MAX_MODEL_BYTES
    """Largest file."""
    timeout_s: float = 600.0
    """Longest time in all, seconds."""
    silence_s: float = 30.0
    """Longest time without a byte, seconds."""
    redirects: int = 5
    """Most redirects."""


def download(
    url: str,
    into: IO[bytes],
    *,
    clock: Callable[[], float],
    bounds: Bounds | None = None,
    progress: ProgressReporter = no_progress,
) -> str:
    """Fetch a file.

    Args:
        url: Where it lies, https.
        into: Where it goes.
        clock: Seconds that only grow.
        bounds: What it may take; None for the usual.
        progress: Told of the bytes.

    Returns:
        SHA-256 of what came, hexadecimal.

    Raises:
        DeviceConfigurationError: Not an address with https.
        FaceModelError: The server refuses, fails, redirects elsewhere, or a bound is reached.
    """
    limits = bounds or Bounds()
    address = _parse(url)
    ends = clock() + limits.timeout_s

    def verify_time() -> None:
        if clock() > ends:
            raise _failed(address, f"nothing whole within {limits.timeout_s:.0f} s")

    try:
        with httpx.Client(
            timeout=limits.silence_s,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
        ) as client:
            for _ in range(limits.redirects + 1):
                verify_time()
                with client.stream("GET", address) as response:
                    if response.next_request is None:
                        _verify_announced(response, limits)
                        return _take(response, into, limits, verify_time, progress)
                    address = response.next_request.url
                if address.scheme != _HTTPS:
                    raise _failed(address, f"a redirect to {address.scheme}:, expected https:")
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        trusted = "CERTIFICATE_VERIFY_FAILED" not in str(error)
        raise _failed(
            address,
            f"no answer ({type(error).__name__})"
            if trusted
            else "its certificate is not trusted here; SSL_CERT_FILE names further authorities",
        ) from error
    raise _failed(address, f"more than {limits.redirects} redirects")


def _parse(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise DeviceConfigurationError("found no address, expected https://HOST/FILE") from error
    if address.scheme != _HTTPS or not address.host:
        raise DeviceConfigurationError(
            f"found {_shown(address)}, expected an address that begins with https://"
        )
    return address


def _verify_announced(response: httpx.Response, limits: Bounds) -> None:
    if response.status_code != httpx.codes.OK:
        raise _failed(response.url, f"status {response.status_code}, expected 200")
    if _announced(response) > limits.max_bytes:
        raise _failed(response.url, f"{_announced(response)} bytes: this is no model")


def _announced(response: httpx.Response) -> int:
    """Bytes that the server says will come; 0 where it says nothing."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _take(
    response: httpx.Response,
    into: IO[bytes],
    limits: Bounds,
    verify_time: Callable[[], None],
    progress: ProgressReporter,
) -> str:
    digest, taken = hashlib.sha256(), 0
    for chunk in response.iter_raw(_CHUNK_BYTES):
        taken += len(chunk)
        if taken > limits.max_bytes:
            raise _failed(response.url, f"more than {limits.max_bytes} bytes: this is no model")
        verify_time()
        digest.update(chunk)
        into.write(chunk)
        progress("fetching", taken, _announced(response), "bytes")
    return digest.hexdigest()


def _failed(address: httpx.URL, found: str) -> FaceModelError:
    return FaceModelError(
        f"{_shown(address)}: {found}. Try again, or fetch the file elsewhere and install the FILE"
    )


def _shown(address: httpx.URL) -> str:
    port = "" if address.port is None else f":{address.port}"
    return f"{address.scheme}://{address.host}{port}{address.path}"
