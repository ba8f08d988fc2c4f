"""Reports about model packs as they come in: bounded, read, and of an order that was given."""

from typing import Final

from sqlalchemy import Connection

from hub.domain.packs import DecodedPackReport, PackState
from hub.domain.statements import SlotFault, SlotRule
from hub.errors import StatementError
from hub.store import packs
from protos.yixin.v1 import exchange_pb2
from security.encoding import parse_exactly

PACK_REPORT: Final = "pack_report"
MAX_BYTES: Final = 8 * 1024
MAX_FAILURES: Final = 20
MAX_VECTORS: Final = 10_000
MAX_NAME: Final = 120

_FORMAT: Final = 1
_MEND: Final = "no such order was given to this member; let the node collect its orders again"


def decode_pack_report(payload: bytes) -> DecodedPackReport:
    """Read a report.

    Raises:
        StatementError: Malformed or out of bounds.
    """
    try:
        found = parse_exactly(exchange_pb2.PackReport, payload, MAX_BYTES)
        state = PackState(found.state)
    except ValueError as error:
        raise StatementError(f"The report about a pack is malformed: {error}.") from error
    names = [name for name in found.failures if len(name) <= MAX_NAME and name.isprintable()]
    faults = {
        f"format {found.format}, expected {_FORMAT}": found.format != _FORMAT,
        "its digest has not 32 bytes": len(found.digest) != 32,
        "its version or clock is out of bounds": not 0 < found.version < 2**62
        or not 0 < found.at_ms < 2**62,
        "too many vectors or failures": found.vectors > MAX_VECTORS
        or len(found.failures) > MAX_FAILURES,
        "a failure has no printable name": len(names) != len(found.failures),
        "it passed and failed at once": found.passed
        and (len(names) > 0 or state in {PackState.REFUSED, PackState.ABSENT}),
    }
    for fault, is_found in faults.items():
        if is_found:
            raise StatementError(f"The report about a pack is malformed: {fault}.")
    return DecodedPackReport(
        digest=found.digest,
        version=found.version,
        passed=found.passed,
        vectors=found.vectors,
        failures=tuple(names),
        state=state,
        at_ms=found.at_ms,
    )


def apply_pack_report(
    connection: Connection, said: DecodedPackReport, member: str, log_index: int
) -> list[SlotFault]:
    """Keep a report, in the transaction of its envelope.

    Returns:
        A fault where the member was not given such an order.
    """
    if not packs.was_ordered(connection, said.version, member, said.digest):
        return [SlotFault(institution="", month=0, rule=SlotRule.PAYLOAD, mend=_MEND)]
    packs.add_report(connection, member, said, log_index)
    return []
