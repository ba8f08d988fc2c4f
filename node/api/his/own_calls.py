"""3101 to 3103 at the gateway: the daemon is asked, and where it is silent the visit passes.

0. The daemon judges within its budget, answers, and keeps what it told; its answer goes to the
   till as it is.
1. Where it gives none in time, the gateway answers: ``result`` empty, 未判定 in the words, counted.
   A copy of a call that the daemon never had, and of every feedback, goes into the spool: of a
   call that it judges too late, it keeps what it told.
2. Where identity is closed, a call that asks for the identity check is blocked then.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from node.api.his import UNIFORM_PATH
from node.domain.own_answers import NODE_SILENT, is_own, own_answer
from node.gateway.upstream import RequestHead, Upstream, UpstreamError

__all__ = ["OwnCalls", "Request", "Result", "find_own"]

_OWN: Final = re.compile(rb'"infno"\s*:\s*"310[123]"')
_OK: Final = 200

Request = Mapping[str, Any]
Result = list[dict[str, Any]]


def find_own(body: bytes | None, content_type: str) -> Request | None:
    """Read a bare request of 3101 to 3103; None for any other body.

    >>> find_own(b'{"infno": "3101"}', "")
    {'infno': '3101'}
    >>> find_own(b'{"infno": "2207"}', "") is find_own(None, "") is None
    True
    """
    if body is None or _OWN.search(body) is None:
        return None
    document = _loaded(body)
    if document is None:
        from node.api.his.screening import body_text  # noqa: PLC0415  # brings in the store

        document = _loaded(body_text(body, content_type))
    is_request = isinstance(document, dict) and is_own(document.get("infno"))
    return document if is_request else None


def _loaded(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


class OwnCalls:
    """Has the daemon answer, and answers where it does not."""

    def __init__(
        self,
        node: Upstream,
        *,
        timeout_s: float,
        blocking: Awaitable[Callable[[Request], Result]] | None,
    ) -> None:
        """Take the parts.

        Args:
            node: The way to the daemon.
            timeout_s: Longest wait for its answer, seconds.
            blocking: Makes ``result`` of what is blocked, once it is there; None where identity
                is open, and everything passes.
        """
        self._node = node
        self._timeout_s = timeout_s
        self._blocking = None if blocking is None else asyncio.ensure_future(blocking)

    async def find_answer(self, head: RequestHead, body: bytes) -> tuple[bytes | None, bool]:
        """Ask the daemon.

        It is asked at the uniform path: which paths a platform has besides is its own matter.

        Returns:
            Its answer, None where it gives no whole one in time; and whether it has the call.
        """
        uniform = replace(head, target=UNIFORM_PATH.encode())
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._node.ask(uniform, _once(body)) as answer,
            ):
                found = b"".join([chunk async for chunk in answer.chunks])
                return (found if answer.status == _OK else None), True
        except UpstreamError as error:
            return None, error.was_sent
        except TimeoutError:
            return None, True

    async def unjudged(self, request: Request) -> tuple[Mapping[str, Any], str]:
        """Give ``output`` and ``err_msg`` of a call that nobody judged."""
        output, words = own_answer(request["infno"])
        if not words:
            return output, words
        if self._blocking is None:
            return output, NODE_SILENT
        # Whoever goes away while it is made ready does not take it away from the others.
        block = await asyncio.shield(self._blocking)
        return {"result": block(request)}, NODE_SILENT


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
