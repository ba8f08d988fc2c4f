"""The Unix socket of a daemon: who may listen there, and who does."""

from __future__ import annotations

import os
import socket
import stat
import sys
from typing import TYPE_CHECKING, Final

from security.errors import DaemonAbsentError, LocalChannelError

if TYPE_CHECKING:
    from pathlib import Path

MAX_SOCKET_PATH_BYTES: Final = 100
PROBE_TIMEOUT_S: Final = 5.0


def prepare_socket(path: Path) -> None:
    """Make the directory private, and remove the socket of a daemon that died.

    Raises:
        LocalChannelError: The directory belongs to somebody else, the path is too long, or
            another daemon listens already.
    """
    if len(os.fsencode(path.resolve())) > MAX_SOCKET_PATH_BYTES:
        raise LocalChannelError(
            f"{path.resolve()} is longer than {MAX_SOCKET_PATH_BYTES} bytes, which no Unix "
            "socket can be named; use a shorter directory"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.parent.stat().st_uid
    if owner != os.geteuid():
        raise LocalChannelError(
            f"{path.parent} belongs to user {owner}, not to this process's user {os.geteuid()}; "
            "a socket there could be replaced. Use a directory of your own"
        )
    path.parent.chmod(0o700)
    if not path.exists():
        return
    try:
        probe_socket(path)
    except DaemonAbsentError:
        path.unlink(missing_ok=True)
    else:
        raise LocalChannelError(f"another daemon listens on {path}; stop it first")


def probe_socket(path: Path) -> None:
    """Ask the kernel who listens.

    Raises:
        DaemonAbsentError: Nobody does.
        LocalChannelError: It is not a process of this user.
    """
    absent = f"no daemon listens on {path}"
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise LocalChannelError(f"{path} is not a socket; move it away")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_TIMEOUT_S)
            probe.connect(os.fspath(path))
            listener = _peer_uid(probe)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise DaemonAbsentError(absent) from error
    except OSError as error:
        raise LocalChannelError(f"{path} cannot be reached: {error.strerror or error}") from error
    if listener not in {os.geteuid(), 0}:
        raise LocalChannelError(
            f"user {listener} listens on {path}, expected user {os.geteuid()}: nothing was sent"
        )


def _peer_uid(connected: socket.socket) -> int:
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder, signed=False)
