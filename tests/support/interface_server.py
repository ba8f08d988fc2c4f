"""The national interface in this process: a real server on the loopback over a real store."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from node.api.his import UNIFORM_PATH
from node.api.his.answering import Answering
from node.api.his.desk import InterfaceDesk, LineIntake
from node.api.his.live_intake import LiveIntake
from node.api.his.routes import InterfaceApp
from node.api.his.screening import Screening, paths_of
from node.api.his.server import HttpServer
from node.api.his.signatures import Signers, load_signers
from node.interface_settings import InterfaceMode, InterfaceSettings
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support.node_messages import NOW

CATALOG: Final = load_catalog()
PATHS: Final = paths_of(CATALOG.transactions.values())
ENVELOPE_KEYS: Final = frozenset(
    ("infcode", "inf_refmsgid", "refmsg_time", "respond_time", "err_msg", "output")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server, and a client that calls it."""

    url: str
    client: httpx.AsyncClient
    desk: InterfaceDesk

    async def post(
        self, body: bytes, path: str = UNIFORM_PATH, content_type: str = "application/json"
    ) -> dict[str, Any]:
        response = await self.client.post(
            path, content=body, headers={"Content-Type": content_type}
        )
        assert response.status_code == 200
        return official(response.content)


def official(body: bytes) -> dict[str, Any]:
    """The answer, which must be in the official envelope."""
    answer = httpx.Response(200, content=body).json()
    assert isinstance(answer, dict)
    assert set(answer) == ENVELOPE_KEYS
    assert answer["infcode"] in (0, -1)
    assert len(answer["inf_refmsgid"]) == 30
    assert answer["inf_refmsgid"].isdigit()
    assert len(answer["refmsg_time"]) == len(answer["respond_time"]) == 17
    assert len(answer["err_msg"]) <= 200
    assert isinstance(answer["output"], dict)
    return answer


@asynccontextmanager
async def served(
    store: NodeStore,
    *,
    intake: LineIntake | None = None,
    settings: InterfaceSettings | None = None,
    directory: Path = Path(),
    max_inflight_bytes: int = 64 * 1024 * 1024,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[Served]:
    """Serve a store."""
    chosen = settings or InterfaceSettings(port=0)
    is_mirror = chosen.mode is InterfaceMode.MIRROR
    answering = Answering(lambda: NOW)
    signers = load_signers(chosen.signatures, directory) if chosen.signatures else Signers({})
    with ThreadPoolExecutor(1) as writer:
        desk = InterfaceDesk(
            intake or LiveIntake(store, CATALOG, lambda: NOW),
            Screening(PATHS, signers, answers_own=not is_mirror),
            answering,
            writer,
            source="http/test",
            is_mirror=is_mirror,
            answer_timeout_s=chosen.answer_timeout_s,
        )
        app = InterfaceApp(
            desk,
            answering,
            PATHS,
            message_timeout_s=chosen.message_timeout_s,
            max_inflight_bytes=max_inflight_bytes,
        )
        server = HttpServer(app, chosen, directory, answering.failed)
        desk.start()
        await server.start()
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=server.url, trust_env=False, timeout=20, limits=limits, verify=trust or False
        ) as client:
            try:
                yield Served(url=server.url, client=client, desk=desk)
            finally:
                await client.aclose()
                await server.stop()
                await desk.stop()


async def raw_call(url: str, sent: bytes, *, timeout_s: float = 10) -> bytes:
    """Send bytes to a server and read until it closes."""
    target = httpx.URL(url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), timeout_s)
    finally:
        writer.close()


def signed(
    request: Mapping[str, Any], signtype: str, sign: Callable[[bytes], bytes], text: bytes
) -> dict[str, Any]:
    """A request with a signature in its head."""
    return {**request, "signtype": signtype, "cainfo": base64.b64encode(sign(text)).decode()}


class CountingIntake:
    """Counts the groups that a real intake takes."""

    def __init__(self, intake: LineIntake) -> None:
        self._intake = intake
        self.groups: list[int] = []

    def take(self, source: str, lines: Sequence[Any]) -> Sequence[Any]:
        self.groups.append(len(lines))
        return self._intake.take(source, lines)

    def settle(self) -> None:
        self._intake.settle()
