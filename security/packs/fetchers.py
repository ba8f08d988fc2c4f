"""Where a member fetches files of the packs' repository: from a folder, or from its hub.

Who carries the files need not be trusted: every one of them is verified by ``client``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import grpc

from protos.yixin.v1 import exchange_pb2, exchange_pb2_grpc
from security.channels import CHANNEL_OPTIONS
from security.errors import HubUnreachableError, PackAbsentError, PackError
from security.packs.layout import CHUNK_BYTES, open_part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from security.exchange.membership import Membership

CALL_TIMEOUT_S: Final = 120.0


class PackFetcher(Protocol):
    """Gives files of a repository by name."""

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file from an offset on, piece by piece.

        Raises:
            PackAbsentError: There is no such file.
            HubUnreachableError: The line failed; what came so far may be gone on with.
        """


class FolderFetcher:
    """A repository in a folder: its own, or a copy on a USB stick.

    Args:
        directory: The folder.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """See ``PackFetcher``."""
        path = open_part(self._directory, name)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                while piece := file.read(CHUNK_BYTES):
                    yield piece
        except OSError as error:
            raise PackAbsentError(f"{path} cannot be read: {error.strerror}") from error


class HubFetcher:
    """The repository that the hub serves, over the member's own line.

    Args:
        membership: Who calls whom, with which certificate.
        timeout_s: Longest time for one file, seconds.
    """

    def __init__(self, membership: Membership, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._membership = membership
        self._timeout_s = timeout_s

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """See ``PackFetcher``."""
        held = self._membership
        credentials = grpc.ssl_channel_credentials(
            root_certificates=held.ca_certificate_pem,
            private_key=held.tls_key_pem,
            certificate_chain=held.tls_certificate_pem,
        )
        request = exchange_pb2.PackFileRequest(name=name, offset=offset)
        with grpc.secure_channel(held.exchange_address, credentials, CHANNEL_OPTIONS) as channel:
            call = exchange_pb2_grpc.ExchangeStub(channel).FetchPack(
                request, timeout=self._timeout_s
            )
            try:
                for chunk in call:
                    yield chunk.content
            except grpc.RpcError as error:
                raise _translated(call.code(), name, held.hub_id) from error


def _translated(code: grpc.StatusCode, name: str, hub: str) -> Exception:
    if code is grpc.StatusCode.NOT_FOUND:
        return PackAbsentError(f"{hub} has no {name} in its packs' repository")
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return HubUnreachableError(f"{hub} did not give {name} in time; it is tried again later")
    return PackError(f"{hub} refused to give {name} ({code.name}): ask its officer")
