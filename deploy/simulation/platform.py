"""A simulated core platform: answers requests over HTTP with what a population's files hold.

Rules:
- A request is known by its ``msgid``; its answer is the response beside it in the files.
- What is not in the files gets ``infcode`` -1: nothing is made up.
- A request that comes again gets the same answer again, and both are counted: the counts tell
  whether a proxy ever sent one twice.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
import uvicorn

from deploy.errors import SimulationError

__all__ = ["CountedPlatform", "load_answers", "serve_platform"]

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

COUNTS_PATH: Final = "/simulation/counts"
"""GET here: how often each message came."""
_SUFFIX: Final = "*.jsonl"
_UNKNOWN: Final = "模拟平台没有这条报文 / not in the simulated population"


def load_answers(directory: Path) -> dict[str, bytes]:
    """Read the responses of a population.

    Args:
        directory: What `yixin simulate` wrote, or any directory of message files in it.

    Returns:
        Response as JSON text by msgid.

    Raises:
        SimulationError: There are no messages.
    """
    answers = {
        exchange["request"]["msgid"]: orjson.dumps(exchange["response"])
        for exchange in _exchanges(directory)
        if "response" in exchange
    }
    if not answers:
        raise SimulationError(
            f"{directory} holds no {_SUFFIX} with requests and responses; make one with: "
            "yixin simulate --out DIR"
        )
    return answers


def _exchanges(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(directory.rglob(_SUFFIX)):
        with path.open("rb") as file:
            for line in file:
                exchange = orjson.loads(line)
                if isinstance(exchange, dict) and isinstance(exchange.get("request"), dict):
                    yield exchange


@dataclass(slots=True, kw_only=True)
class CountedPlatform:
    """The platform as an ASGI application."""

    answers: dict[str, bytes] = field(repr=False)
    """Response by msgid."""
    delay_s: float = 0.0
    """How long it thinks before it answers."""
    seen: Counter[str] = field(default_factory=Counter)
    """How often each msgid came."""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one call, whatever its path."""
        body = await _whole_body(receive)
        if scope["path"] == COUNTS_PATH:
            await _say(send, orjson.dumps(self.seen))
            return
        msgid = _msgid(body)
        self.seen[msgid] += 1
        await asyncio.sleep(self.delay_s)
        await _say(send, self.answers.get(msgid) or _unknown())


async def _whole_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _msgid(body: bytes) -> str:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    msgid = request.get("msgid") if isinstance(request, dict) else None
    return msgid if isinstance(msgid, str) else ""


def _unknown() -> bytes:
    return orjson.dumps({"infcode": -1, "err_msg": _UNKNOWN, "output": {}})


async def _say(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json;charset=UTF-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def serve_platform(
    directory: Path, *, port: int, delay_s: float, say: Callable[[str], None]
) -> None:
    """Serve on the loopback until SIGTERM or SIGINT.

    Args:
        directory: Messages of the population.
        port: TCP port, 0 for any free one.
        delay_s: How long it thinks before it answers, seconds.
        say: Tells the address once it serves.

    Raises:
        SimulationError: There are no messages, or the port is taken.
    """
    platform = CountedPlatform(answers=load_answers(directory), delay_s=delay_s)
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise SimulationError(
            f"port {port} cannot be listened on ({error.strerror}); name another with --port"
        ) from error
    config = uvicorn.Config(platform, lifespan="off", log_config=None, access_log=False, ws="none")
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    say(f"Simulated platform with {len(platform.answers)} answers at {address}")
    uvicorn.Server(config).run(sockets=[listener])
