"""The member at the other end of a call to a hub under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from security.channels import peer_certificate
from security.tls import verify_member_certificate

if TYPE_CHECKING:
    from datetime import datetime

    import grpc.aio


def caller_of(
    context: grpc.aio.ServicerContext[Any, Any], ca_certificate: bytes, now: datetime
) -> str:
    """Member id that the client certificate names, judged now."""
    return verify_member_certificate(peer_certificate(context), ca_certificate, now)
