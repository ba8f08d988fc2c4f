"""A bare gRPC bidirectional echo on loopback, in a process of its own: the limit for P7."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Final

import grpc
import grpc.aio

SERVICE: Final = "yixin.benchmark.Echo"
METHOD: Final = "Submit"


async def _echo(
    requests: AsyncIterator[bytes], _context: grpc.aio.ServicerContext[bytes, bytes]
) -> AsyncIterator[bytes]:
    async for message in requests:
        yield message


async def serve() -> None:
    """Serve on a free port, print it, and end when the standard input closes."""
    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(serve())
