"""What a test hub answers who asks for files of model packs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from protos.yixin.v1 import exchange_pb2, exchange_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class PackFiles(exchange_pb2_grpc.ExchangeServicer):
    """Serves no packs."""

    async def FetchPack(  # noqa: N802  # named by the service definition
        self,
        request: exchange_pb2.PackFileRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[exchange_pb2.PackFileChunk]:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, request.name)
        yield exchange_pb2.PackFileChunk()
