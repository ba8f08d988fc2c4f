"""A server on the loopback that answers POST with what a function makes of the body."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@asynccontextmanager
async def answering(
    answer: Callable[[bytes], bytes],
) -> AsyncIterator[tuple[str, list[tuple[str, bytes]]]]:
    """Serve on a free port; gives the address, and what was asked: path and body."""
    asked: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, body))
            made = answer(body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(made)))
            self.end_headers()
            self.wfile.write(made)

        def log_message(self, *_parts: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            await asyncio.to_thread(server.shutdown)
            thread.join()
