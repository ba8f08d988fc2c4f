"""Failed TLS handshakes: the one refusal that happens below every servicer.

A certificate that has expired, or is of another authority, ends inside gRPC: no call begins, the
caller sees a dead line, and gRPC says why on the process's standard error alone, at its level
INFO. So that a hub's officer sees it among the refusals, this watch reads standard error through a
pipe:

1. A failed handshake is reported, with the reason gRPC gives and nothing of the peer.
2. gRPC's other messages below a warning are dropped: nobody asked for that level.
3. Everything else goes on to the real standard error, line by line.
"""

import os
import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

VERBOSITY_VARIABLE: Final = "GRPC_VERBOSITY"
"""Environment variable of gRPC's level; read when its first server or channel is made."""
_STANDARD_ERROR: Final = 2
_LAST_LINES_S: Final = 5.0
_MAX_LINE: Final = 64 * 1024
_FAILED: Final = re.compile(rb"Handshake failed with error .*:([A-Z_]{4,}(?:: [a-z ]+)?)\s*$")
_CHATTER: Final = re.compile(rb"(I\d{4} [\d:.]+ .*\.cc:\d+\]|.*Log level INFO is not suitable)")


def handshake_failure(line: bytes) -> str | None:
    """Reason of a failed handshake, or None when the line is about something else.

    >>> handshake_failure(b"I1 x.cc:1] Handshake failed with error SSL_ERROR_SSL: error:1000007d:"
    ...     b"SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: certificate has expired")
    'CERTIFICATE_VERIFY_FAILED: certificate has expired'
    """
    found = _FAILED.search(line)
    return found.group(1).decode("ascii") if found else None


class HandshakeWatch:
    """Reports failed handshakes of this process's servers while it is entered.

    Args:
        report: Called with the reason, on the watch's own thread.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._saved = -1
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Put the pipe in the place of standard error, before gRPC makes its first server."""
        os.environ.setdefault(VERBOSITY_VARIABLE, "info")
        self._saved = os.dup(_STANDARD_ERROR)
        reader, writer = os.pipe()
        os.dup2(writer, _STANDARD_ERROR)
        os.close(writer)
        self._thread = threading.Thread(target=self._read, args=(reader,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give standard error back; the pipe ends with its last line passed on."""
        os.dup2(self._saved, _STANDARD_ERROR)
        if self._thread is not None:
            self._thread.join(_LAST_LINES_S)
        os.close(self._saved)

    def _read(self, reader: int) -> None:
        with os.fdopen(reader, "rb", buffering=_MAX_LINE) as lines:
            while line := lines.readline(_MAX_LINE):
                self._sort(line)

    def _sort(self, line: bytes) -> None:
        reason = handshake_failure(line)
        if reason is not None:
            self._report(reason)
        elif not _CHATTER.match(line):
            os.write(self._saved, line)
