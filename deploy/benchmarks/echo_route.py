"""An empty FastAPI route that gives back what it was sent, in a process of its own: for P6."""

import asyncio
import socket
import sys
from typing import Final

import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response

PATH: Final = "/echo"


async def _echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


class _Server(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()


async def serve() -> None:
    """Serve on a free port, print it, and end when the standard input closes."""
    app = FastAPI(openapi_url=None)
    app.add_api_route(PATH, _echo, methods=["POST"], response_class=Response)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="httptools", access_log=False, log_level="error"
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.should_exit = True
    await task


if __name__ == "__main__":
    uvloop.run(serve())
