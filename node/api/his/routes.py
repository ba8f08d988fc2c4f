"""Paths of the interface as an ASGI application: each takes a call, the desk answers it.

Every answer has HTTP status 200 and the official envelope, also to what is no call at all: a
vendor's system reads ``err_msg``, not HTTP. Paths are looked up, not matched one by one: there are
as many as transactions, and a till waits.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

from node.api.authorisation import routes
from node.api.his import UNIFORM_PATH
from node.api.his.answering import CONTENT_TYPE, Answering
from node.api.his.bodies import BodyError, InflightBudget, Receive, read_body
from node.api.his.desk import InterfaceDesk
from node.api.his.own_faults import place_of
from node.api.his.screening import Call
from node.intake.lines import MAX_LINE_BYTES

__all__ = ["InterfaceApp"]

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NO_PATH: Final = f"无此服务路径，请POST到{UNIFORM_PATH} / no such path or method"
_OUR_FAULT: Final = (
    "未收存：节点程序错误，请联系运维 / not kept: a fault of this program; report it"
)
_TYPE: Final = (b"content-type", CONTENT_TYPE.encode())
_LOG: Final = logging.getLogger(__name__)


class InterfaceApp:
    """Answers calls at the paths of the interface."""

    def __init__(
        self,
        desk: InterfaceDesk,
        answering: Answering,
        paths: Iterable[str],
        *,
        message_timeout_s: float,
        max_inflight_bytes: int,
    ) -> None:
        """Take the parts.

        Args:
            desk: Answers calls.
            answering: Makes answers to what is no call.
            paths: Paths of single transactions, beside the uniform one.
            message_timeout_s: Longest time for a body to arrive, seconds.
            max_inflight_bytes: Most bytes of bodies in memory at a time.
        """
        self._desk = desk
        self._answering = answering
        self.routes = routes(paths)
        self._message_timeout_s = message_timeout_s
        self._budget = InflightBudget(max_inflight_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            return
        if (scope["method"], scope["path"]) not in self.routes:
            await _say(send, self._answering.failed(_NO_PATH))
            return
        try:
            answer = await self._answer(scope, receive)
        except BodyError as error:
            if error.is_gone:
                return
            answer = self._answering.failed(str(error))
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            _LOG.error("a call failed: %s", place_of(error))
            answer = self._answering.failed(_OUR_FAULT)
        await _say(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        received_at = self._answering.now()
        with self._budget.share() as share:
            body = await read_body(
                receive,
                max_bytes=MAX_LINE_BYTES,
                timeout_s=self._message_timeout_s,
                take=share,
            )
            call = Call(
                path=scope["path"],
                body=body,
                content_type=_content_type(scope),
                received_at=received_at,
            )
            return await self._desk.answer(call)


def _content_type(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            found: str = value.decode("latin-1")
            return found
    return ""


async def _say(send: Send, body: bytes) -> None:
    headers = [_TYPE, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
