"""What each payload type is for: the purpose, data class and lane that its header must name.

Rules of this module:

- An envelope whose signed header names a known payload type and anything else than is written here
  is refused, not quarantined: what was sealed for one purpose is not taken for another.
- A payload type that is not known here is left to the checking of contents.

Source:
    Personal Information Protection Law (PIPL), article 6: a clear purpose, and nothing beyond it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from protos.yixin.v1 import envelope_pb2
from security.errors import BrokenRule, UntrustedEnvelopeError

BULK: Final = frozenset({envelope_pb2.LANE_BULK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What the header of one payload type must name."""

    purpose: str
    """Declared purpose."""
    data_class: str
    """Data class (数据类别)."""
    lanes: frozenset[int] = BULK
    """Lanes it may come on."""


PURPOSES: Final[Mapping[str, Declaration]] = {
    "statements": Declaration(purpose="supervision", data_class="aggregate"),
    "ledger_checkpoints": Declaration(purpose="supervision", data_class="aggregate"),
    "join_records": Declaration(purpose="supervision", data_class="join_record"),
    "clues": Declaration(purpose="supervision", data_class="clue"),
    "grade_push": Declaration(purpose="grading", data_class="grade"),
    "heartbeat": Declaration(
        purpose="operation",
        data_class="operation",
        lanes=frozenset({envelope_pb2.LANE_CONTROL}),
    ),
    "pack_report": Declaration(
        purpose="operation",
        data_class="operation",
        lanes=frozenset({envelope_pb2.LANE_CONTROL}),
    ),
}
"""Declarations by payload type."""
BY_AGREEMENT: Final = frozenset({"product_request", "forward"})
"""Types whose purpose and data class are judged against the sharing agreement they name."""


def verify_purpose(header: envelope_pb2.EnvelopeHeader) -> None:
    """Check what a signed header says its content is for.

    Raises:
        UntrustedEnvelopeError: Purpose, data class or lane are not those of the payload type.
    """
    declared = PURPOSES.get(header.payload_type)
    if declared is None:
        return
    faults = {
        f"purpose {header.purpose!r}, expected {declared.purpose!r}": header.purpose
        != declared.purpose,
        f"data class {header.data_class!r}, expected {declared.data_class!r}": header.data_class
        != declared.data_class,
        f"lane {header.lane}": header.lane not in declared.lanes,
    }
    for fault, found in faults.items():
        if found:
            raise UntrustedEnvelopeError(
                f"{header.payload_type!r} came under {fault}", BrokenRule.PURPOSE
            )
