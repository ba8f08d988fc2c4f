"""Answers of one process in the official envelope, numbered in the order they are made."""

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from node.domain.official_answers import FAILED, RECEIVED, reference_id, respond

__all__ = ["CONTENT_TYPE", "Answering"]

CONTENT_TYPE: Final = "application/json;charset=UTF-8"
_DIVISION: Final = slice(1, 7)
"""Where an institution code, and so a msgid, holds the division."""


class Answering:
    """Makes answers; safe to share between threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = itertools.count(1)

    def now(self) -> datetime:
        """The time, aware."""
        return self._now()

    def made(
        self,
        infcode: int,
        message: str,
        *,
        received_at: datetime,
        msgid: str = "",
        output: Mapping[str, object] | None = None,
    ) -> bytes:
        """Make an answer.

        Args:
            infcode: ``RECEIVED`` or ``FAILED``.
            message: Words for ``err_msg``.
            received_at: When the request came.
            msgid: Its message id; names the division, empty where it could not be read.
            output: What is put out.
        """
        now = self._now()
        return respond(
            infcode,
            message,
            reference=reference_id(msgid[_DIVISION], now, next(self._numbers)),
            received_at=received_at,
            answered_at=now,
            output=output,
        )

    def failed(
        self, message: str, *, received_at: datetime | None = None, msgid: str = ""
    ) -> bytes:
        """Make an answer that says what went wrong."""
        return self.made(FAILED, message, received_at=received_at or self._now(), msgid=msgid)

    def received(
        self, message: str, output: Mapping[str, object], *, received_at: datetime, msgid: str
    ) -> bytes:
        """Make an answer of the node's own."""
        return self.made(RECEIVED, message, received_at=received_at, msgid=msgid, output=output)
