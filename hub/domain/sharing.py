"""What members send about sharing: requests for products, and envelopes to pass on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSharing:
    """A request or a forwarded envelope that was read and is to be handled.

    Attributes:
        payload_type: ``product_request`` or ``forward``.
    """

    payload_type: str
