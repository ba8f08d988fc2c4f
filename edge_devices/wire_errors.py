"""Foreign errors of the wire, translated once into errors of a device."""

from typing import Final

import grpc
import grpc.aio

from edge_devices.errors import NodeRefusedError, NodeUnreachableError
from security.exchange.wire_errors import BROKEN_LINE, DETAIL_CHARS

__all__ = ["rpc_error"]

_SAID: Final = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION)
"""Refusals in the node's own words, which say what to do."""


def rpc_error(error: grpc.aio.AioRpcError, address: str) -> NodeRefusedError | NodeUnreachableError:
    """Translate a failed call.

    Args:
        error: Error of the call.
        address: host:port that was called.

    Returns:
        ``NodeUnreachableError`` when the line broke, ``NodeRefusedError`` when the node said no.
    """
    code = error.code().name.lower()
    detail = (error.details() or "no details")[:DETAIL_CHARS]
    if error.code() in BROKEN_LINE:
        return NodeUnreachableError(
            f"the line to the node at {address} broke or did not come up ({code}: {detail}); "
            "nothing is lost, events wait. If it stays so, check the address, the node, and the "
            "days left on this device's certificate: yixin device status"
        )
    advice = "" if error.code() in _SAID else " Ask the node's operator to look at its log"
    return NodeRefusedError(f"the node at {address} refused ({code}): {detail}{advice}", code)
