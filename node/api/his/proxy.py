"""The gateway as an ASGI application: calls pass to the core platform, copies stay behind.

0. The call goes on while it comes in, the answer goes back while it comes.
1. After the answer has left, the copy goes into the spool; nothing of ours can delay the till.
2. The platform unreachable: 502 and the official envelope, nothing was sent.
3. The outcome unknown: 504 and the official envelope; the sender asks or reverses (2601), as
   it would have to without us. A settlement is never invented, nor its failure.
4. An answer that breaks off is broken off: its sender sees what it would see without us.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol, TypeAlias

import orjson

from node.api.his.answering import CONTENT_TYPE, Answering
from node.api.his.bodies import BodyError, Receive
from node.api.his.own_calls import OwnCalls, find_own
from node.api.his.own_faults import place_of
from node.domain.official_answers import RECEIVED
from node.gateway import Capture, Exchange
from node.gateway.upstream import RequestHead, Upstream, UpstreamError

__all__ = ["CopyKeeper", "ProxyApp"]

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NOT_REACHED: Final = (
    "未能连接医保平台，报文未送达，可重发 / the platform was not reached; nothing was sent"
)
_UNKNOWN: Final = (
    "医保平台未返回结果，是否已受理未知，请先查询或冲正(2601) / the outcome is unknown: query or "
    "reverse before sending again"
)
_SLOW: Final = "报文未按时到齐 / the message did not arrive in time"
_LOG: Final = logging.getLogger(__name__)


class CopyKeeper(Protocol):
    """Keeps copies; never waits, never raises."""

    def put(self, exchange: Exchange) -> None:
        """Keep an exchange."""

    def note(
        self, *, too_long: bool = False, was_sent: bool | None = None, unjudged: bool = False
    ) -> None:
        """Count a call without a copy, without an answer, or without a judgement."""


class ProxyApp:
    """Passes calls on."""

    def __init__(
        self,
        upstream: Upstream,
        keeper: CopyKeeper,
        answering: Answering,
        *,
        message_timeout_s: float,
        own: OwnCalls | None = None,
    ) -> None:
        """Take the parts.

        Args:
            upstream: The way to the platform.
            keeper: Keeps copies.
            answering: Makes answers where the platform gives none.
            message_timeout_s: Longest time for a call to come in whole, seconds.
            own: Answers 3101 to 3103; None where they pass like all others.
        """
        self._upstream = upstream
        self._keeper = keeper
        self._answering = answering
        self._message_timeout_s = message_timeout_s
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            return
        call = _PassingCall(scope, receive, self._message_timeout_s)
        send = _patient(send, self._message_timeout_s)
        try:
            if self._own is not None and await self._answer_own(self._own, call, send):
                return
            await self._pass_on(call, send)
        except BodyError as error:
            if not error.is_gone:
                await _say(send, 408, self._answering.failed(_SLOW))
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            # The server closes the connection: its sender knows as little as after a broken line.
            _LOG.error("a call could not be passed on: %s", place_of(error))
            self._keeper.note(was_sent=True)

    async def _pass_on(self, call: "_PassingCall", send: Send) -> None:
        answer_body, status = Capture(), 0
        headers: Mapping[bytes, bytes] = {}
        try:
            async with self._upstream.ask(call.head, call.chunks()) as answer:
                status = answer.status
                headers = {name.lower(): value for name, value in answer.headers}
                await send(
                    {
                        "type": "http.response.start",
                        "status": status,
                        "headers": list(answer.headers),
                    }
                )
                async for chunk in answer.chunks:
                    answer_body.add(chunk)
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except UpstreamError as error:
            self._keeper.note(was_sent=error.was_sent)
            if error.was_sent:
                self._keep(call, Capture(), 0, {}, is_whole=False)
            if not status:
                words = _UNKNOWN if error.was_sent else _NOT_REACHED
                code = 504 if error.was_sent else 502
                await _say(send, code, self._answering.failed(words))
            # Else the answer ends in the middle, and the server closes the connection.
            return
        self._keep(call, answer_body, status, headers, is_whole=True)

    async def _answer_own(self, own: OwnCalls, call: "_PassingCall", send: Send) -> bool:
        """Answer one of 3101 to 3103; False for any other call, of which nothing is lost."""
        received_at = self._answering.now()
        body = await call.peek()
        request = find_own(body, call.content_type) if call.head.method == "POST" else None
        if body is None or request is None:
            return False
        judged, is_there = await own.find_answer(call.head, body)
        if judged is not None:
            # The daemon keeps what it told: a copy would say it a second time.
            await _say(send, 200, judged)
            return True
        self._keeper.note(unjudged=True)
        output, words = await own.unjudged(request)
        msgid = request.get("msgid")
        answer = self._answering.received(
            words,
            output,
            received_at=received_at,
            msgid=msgid if isinstance(msgid, str) else "",
        )
        await _say(send, 200, answer)
        if is_there and words:
            return True
        kept = orjson.dumps({"infcode": RECEIVED, "output": output})
        self._keeper.put(
            Exchange(
                path=call.path,
                request=body,
                response=kept,
                request_type=call.content_type,
                response_type=CONTENT_TYPE,
                status=200,
                is_own=True,
            )
        )
        return True

    def _keep(
        self,
        call: "_PassingCall",
        answer: Capture,
        status: int,
        headers: Mapping[bytes, bytes],
        *,
        is_whole: bool,
    ) -> None:
        """Keep a copy of what looks like a message: a POST with a body."""
        request, response = call.body, answer.body
        if call.head.method != "POST" or request == b"":
            return
        if request is None or response is None:
            self._keeper.note(too_long=True)
            return
        self._keeper.put(
            Exchange(
                path=call.path,
                request=request,
                response=response if is_whole else None,
                request_type=call.content_type,
                response_type=headers.get(b"content-type", b"").decode("latin-1"),
                response_encoding=headers.get(b"content-encoding", b"").decode("latin-1"),
                status=status,
            )
        )


class _PassingCall:
    """A call that passes by: its head, its body part by part, and a copy of it."""

    def __init__(self, scope: Scope, receive: Receive, timeout_s: float) -> None:
        query = scope["query_string"]
        self.head = RequestHead(
            method=scope["method"],
            target=scope["raw_path"] + (b"?" + query if query else b""),
            headers=scope["headers"],
        )
        self.path: str = scope["path"]
        self.content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        self._receive = receive
        self._deadline = asyncio.get_running_loop().time() + timeout_s
        self._capture = Capture()
        self._peeked: list[bytes] = []
        self._is_whole = False

    @property
    def body(self) -> bytes | None:
        """The copy; None when it is too long."""
        return self._capture.body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body: what was looked at already, then what comes."""
        for part in self._peeked:
            yield part
        while not self._is_whole:
            part = await self._next()
            if part:
                yield part

    async def peek(self) -> bytes | None:
        """Look at the whole body; None when it is too long. ``chunks`` gives it all the same."""
        while not self._is_whole and self._capture.body is not None:
            self._peeked.append(await self._next())
        return self._capture.body

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyError("a call did not come in whole in time") from error
        if message["type"] == "http.disconnect":
            raise BodyError("the sender went away", is_gone=True)
        part: bytes = message.get("body", b"")
        self._is_whole = not message.get("more_body", False)
        self._capture.add(part)
        return part


def _patient(send: Send, timeout_s: float) -> Send:
    """Give up a peer that does not read: the platform's answer is still read, and kept."""
    is_gone = False

    async def send_on(message: MutableMapping[str, Any]) -> None:
        nonlocal is_gone
        if is_gone:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await send(message)
        except TimeoutError:
            is_gone = True

    return send_on


async def _say(send: Send, status: int, body: bytes) -> None:
    """Send an answer of our own."""
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
