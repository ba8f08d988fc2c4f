"""Sending of published statements: each to every custodian of its subject's institution.

Rules: statements wait per custodian until a payload is full; all that waits together is bounded,
whatever the number of custodians. The same statements in the same order give the same payloads.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from hub.store import custody
from protos.yixin.v1 import envelope_pb2, statement_pb2

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.domain.members import MemberId
    from hub.store.publications import PublicationRecord
    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period
    from security.exchange.outbox import Outbox
    from security.merkle import Tree

PAYLOAD_TYPE: Final = "grade_statements"
SCHEMA_VERSION: Final = 1
PURPOSE: Final = "credit_rating"
DATA_CLASS: Final = "grade"
TARGET_BYTES: Final = 512 * 1024
"""Largest payload."""
WAITING_BYTES: Final = 64 * 1024 * 1024
"""Most statements that wait for a full payload, over all custodians."""
_FRAME_BYTES: Final = 8
"""Upper bound of what protobuf adds around one statement in a batch."""


class Mailbox:
    """Statements of one publication on their way to the outbox."""

    __slots__ = (
        "_catalog",
        "_connection",
        "_members",
        "_outbox",
        "_period",
        "_record",
        "_register",
        "_sent",
        "_sizes",
        "_waiting",
        "unaddressed",
    )

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        catalog: Catalog,
        period: Period,
        record: PublicationRecord,
    ) -> None:
        """Take in nothing yet.

        Args:
            connection: The publication's writing transaction.
            outbox: Queue of the hub's downlink.
            catalog: Its measure sets name the slots of custody.
            period: The rating period.
            record: The publication; its signature goes with every statement.
        """
        self._connection = connection
        self._outbox = outbox
        self._catalog = catalog
        self._period = period
        self._record = record
        self._register = custody.register(connection)
        self._members: dict[str, tuple[MemberId, ...]] = {}
        self._waiting: dict[str, list[statement_pb2.SignedGradeStatement]] = {}
        self._sizes: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self.unaddressed = 0
        """Statements that no active member is to receive."""

    def post(self, institution: str | None, body: bytes, index: int, tree: Tree) -> None:
        """Put one statement in for every custodian of an institution.

        Args:
            institution: Institution code; None where nobody is told.
            body: The statement.
            index: Its position in the publication.
            tree: Tree over all statements of the publication.
        """
        members = () if institution is None else self._custodians(institution)
        if not members:
            self.unaddressed += 1
            return
        record = self._record
        signed = statement_pb2.SignedGradeStatement(
            body=body,
            key_id=record.key_id,
            leaf_index=index,
            group_size=record.group_size,
            path=tree.inclusion_path(index),
            signature=record.signature,
            pq_signature=record.pq_signature,
        )
        size = signed.ByteSize() + _FRAME_BYTES
        for member in members:
            if self._sizes[member] and self._sizes[member] + size > TARGET_BYTES:
                self._send_to(member)
            self._waiting.setdefault(member, []).append(signed)
            self._sizes[member] += size
        if self._sizes.total() > WAITING_BYTES:
            self.send()

    def send(self) -> None:
        """Queue everything that waits."""
        for member in sorted(self._waiting):
            self._send_to(member)

    def sent(self) -> dict[str, int]:
        """Number of statements queued, by custodian."""
        return dict(sorted(self._sent.items()))

    def _send_to(self, member: str) -> None:
        signed = self._waiting.pop(member)
        self._sizes.pop(member)
        message = statement_pb2.GradeStatements(statements=signed)
        self._outbox.append(
            self._connection,
            recipient=member,
            lane=envelope_pb2.LANE_BULK,
            payload_type=PAYLOAD_TYPE,
            schema_version=SCHEMA_VERSION,
            purpose=PURPOSE,
            data_class=DATA_CLASS,
            period=self._period.name,
            payload=message.SerializeToString(deterministic=True),
            pack_digest=self._catalog.digest,
        )
        self._sent[member] += len(signed)

    def _custodians(self, institution: str) -> tuple[MemberId, ...]:
        """Members that state a slot of the institution in the period."""
        if institution not in self._members:
            found = {
                self._register.custodian(institution, name, month)
                for name in self._catalog.measure_sets
                for month in self._period.months
            }
            self._members[institution] = tuple(sorted(one for one in found if one is not None))
        return self._members[institution]
