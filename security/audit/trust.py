"""Trust files: the anchor of a hub, as a security officer hands it to an auditor.

Rules: text, so that it can be printed and compared by eye; lines that begin with ``#`` are for
people; the rest is the serialised anchor in base64. An auditor gets this file from the hub's
officer, never together with the bundle it is to judge.
"""

from __future__ import annotations

import base64
import binascii
import textwrap
from typing import TYPE_CHECKING, Final

from security.certificates import MAX_ANCHOR_BYTES, anchor_bytes, anchor_digest, parse_anchor
from security.errors import AuditInputError, UntrustedCertificateError

if TYPE_CHECKING:
    from pathlib import Path

    from protos.yixin.v1 import identity_pb2

MAX_FILE_BYTES: Final = 2 * MAX_ANCHOR_BYTES
_LINE_CHARS: Final = 76


def save_anchor(path: Path, anchor: identity_pb2.TrustAnchor) -> None:
    """Write a trust file; it holds nothing secret.

    Raises:
        AuditInputError: The file cannot be written.
    """
    data = anchor_bytes(anchor)
    lines = [
        f"# yixin trust anchor of {anchor.hub}",
        f"# SHA-256 {anchor_digest(data).hex()}",
        *textwrap.wrap(base64.b64encode(data).decode(), _LINE_CHARS),
        "",
    ]
    try:
        path.write_text("\n".join(lines), encoding="ascii")
    except OSError as error:
        raise AuditInputError(f"{path} cannot be written: {error.strerror}") from error


def load_anchor(path: Path) -> identity_pb2.TrustAnchor:
    """Read a trust file.

    Raises:
        AuditInputError: The file is missing, too long or holds no valid anchor.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise AuditInputError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise AuditInputError(f"{path} is longer than {MAX_FILE_BYTES} bytes: no trust file")
    lines = (line.strip() for line in content.split(b"\n") if not line.startswith(b"#"))
    try:
        return parse_anchor(base64.b64decode(b"".join(lines), validate=True))
    except (binascii.Error, ValueError, UntrustedCertificateError) as error:
        raise AuditInputError(
            f"{path} is not a trust file; the hub writes one with: yixin hub export-trust FILE"
        ) from error
