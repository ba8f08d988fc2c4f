"""Paths of the interface: each takes a call, the desk answers it.

Every answer has HTTP status 200 and the official envelope, also to what is no call at all: a
vendor's system reads ``err_msg``, not HTTP.
"""

import logging
from collections.abc import Iterable
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from node.api.his import UNIFORM_PATH
from node.api.his.answering import CONTENT_TYPE, Answering
from node.api.his.bodies import BodyError, InflightBudget, read_body
from node.api.his.desk import InterfaceDesk
from node.api.his.own_faults import place_of
from node.api.his.screening import Call
from node.intake.lines import MAX_LINE_BYTES

__all__ = ["interface_app"]

_NO_PATH: Final = f"无此服务路径，请POST到{UNIFORM_PATH} / no such path or method"
_OUR_FAULT: Final = (
    "未收存：节点程序错误，请联系运维 / not kept: a fault of this program; report it"
)
_LOG: Final = logging.getLogger(__name__)


def interface_app(
    desk: InterfaceDesk,
    answering: Answering,
    paths: Iterable[str],
    *,
    message_timeout_s: float,
    max_inflight_bytes: int,
) -> FastAPI:
    """Make the application.

    Args:
        desk: Answers calls.
        answering: Makes answers to what is no call.
        paths: Paths of single transactions, beside the uniform one.
        message_timeout_s: Longest time for a body to arrive, seconds.
        max_inflight_bytes: Most bytes of bodies in memory at a time.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    budget = InflightBudget(max_inflight_bytes)

    async def take(request: Request) -> Response:
        received_at = answering.now()
        try:
            with budget.share() as share:
                body = await read_body(
                    request.receive,
                    max_bytes=MAX_LINE_BYTES,
                    timeout_s=message_timeout_s,
                    take=share,
                )
                call = Call(
                    path=request.url.path,
                    body=body,
                    content_type=request.headers.get("content-type", ""),
                    received_at=received_at,
                )
                answer = await desk.answer(call)
        except BodyError as error:
            answer = answering.failed(str(error), received_at=received_at)
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            _LOG.error("a call failed: %s", place_of(error))
            answer = answering.failed(_OUR_FAULT, received_at=received_at)
        return Response(answer, headers={"Content-Type": CONTENT_TYPE})

    async def refuse(_request: Request, _error: Exception) -> Response:
        return Response(answering.failed(_NO_PATH), headers={"Content-Type": CONTENT_TYPE})

    for path in sorted({UNIFORM_PATH, *paths}):
        app.add_api_route(path, take, methods=["POST"], response_class=Response)
    app.add_exception_handler(HTTPException, refuse)
    return app
