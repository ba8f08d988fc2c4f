"""What a member keeps beside its membership: old certificates, and where the hub enrols.

Rules: ``certificates.pb`` holds every certificate this member had and loses only the oldest; it
is written before the membership that uses a new one; everything in it is verified when it is
used, never trusted because it lies here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2
from security.encoding import parse_exactly
from security.errors import MembershipError
from security.private_files import read_private, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CERTIFICATES_FILE: Final = "certificates.pb"
ADDRESS_FILE: Final = "enrolment-address"
MAX_CERTIFICATES: Final = 1_024
"""Certificates of half a thousand epochs."""
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
MAX_ADDRESS_BYTES: Final = 300


def keep_certificates(
    directory: Path, hub: str, certificates: Iterable[identity_pb2.KeyCertificate]
) -> None:
    """Keep certificates of this member beside those of earlier epochs.

    Raises:
        MembershipError: The file that holds them is damaged.
        KeyFileError: It cannot be read or written.
    """
    held = own_certificates(directory)
    known = {bytes(one.body) for one in held}
    held += [one for one in certificates if bytes(one.body) not in known]
    if len(held) == len(known):
        return
    kept = identity_pb2.MemberDirectory(hub=hub, version=1, keys=held[-MAX_CERTIFICATES:])
    write_private(
        directory / CERTIFICATES_FILE, kept.SerializeToString(deterministic=True), replace=True
    )


def own_certificates(directory: Path) -> list[identity_pb2.KeyCertificate]:
    """Certificates of this member's earlier and present epochs, oldest first.

    Raises:
        MembershipError: The file that holds them is damaged.
        KeyFileError: It cannot be read.
    """
    path = directory / CERTIFICATES_FILE
    if not path.exists():
        return []
    try:
        found = parse_exactly(
            identity_pb2.MemberDirectory,
            read_private(path, MAX_FILE_BYTES),
            MAX_FILE_BYTES,
        )
    except ValueError as error:
        raise MembershipError(
            f"{path} is damaged: {error}. Restore it from a backup; without it old deliveries "
            "cannot be proved, so do not simply delete it"
        ) from error
    return list(found.keys)


def save_address(directory: Path, address: str) -> None:
    """Keep host:port of the hub's enrolment: renewals go there.

    Raises:
        KeyFileError: The file cannot be written.
    """
    write_private(directory / ADDRESS_FILE, address.encode("ascii"), replace=True)


def find_address(directory: Path) -> str | None:
    """host:port of the hub's enrolment; None when this member joined by an earlier release."""
    if not (directory / ADDRESS_FILE).exists():
        return None
    return read_private(directory / ADDRESS_FILE, MAX_ADDRESS_BYTES).decode("ascii", "replace")
