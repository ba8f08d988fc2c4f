"""The work of a link desk: judge who asks, evaluate, count, note.

Judged in this order, each refusal by its own code and with its own line in the log:

0. The caller's certificate is not revoked by its hub (``hub.desk.revoked``), and the caller is on
   the register, with the key that was entered for it.
1. The period exists, has begun, and its retention is not over. Its half is made when it is first
   asked for, and never a second time.
2. The request id is new; the same request again is answered again and counts once.
3. The points fit into what is left of the node's quota.
4. All of them are points of the curve.

An evaluation and its line are one transaction, which ends before the answer leaves. Nothing of a
point is kept; the digest of a request's points tells a repeat from a replay.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine

from hub.desk import register, revoked
from hub.desk.refusals import (
    DeskRequestError,
    destroy_moment,
    destroyed_error,
    verify_sizes,
)
from hub.desk.register import AllowedNode, DeskLogLine, DeskPeriod
from hub.store.engine import reading, writing
from protos.yixin.v1 import linking_pb2
from security.errors import KeyFileError, LinkPointsError
from security.linking import POINT_BYTES, PeriodKey, PeriodKeys
from security.moments import to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskCaller:
    """Who calls, proved by TLS."""

    member: str
    """Member id in the certificate."""
    fingerprint: str
    """SHA-256 of the TLS key, hexadecimal."""
    hub: str
    """Hub that issued the certificate."""
    tls_sha256: bytes
    """SHA-256 of the certificate's DER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request without its points."""

    period: str
    request_id: bytes
    digest: bytes
    count: int


@dataclass(slots=True, kw_only=True)
class LinkDesk:
    """One desk; safe to share between threads."""

    member: str
    """Member id of who runs it."""
    engine: Engine = field(repr=False)
    """Its tables."""
    keys: PeriodKeys = field(repr=False)
    """Its halves."""
    retention_days: int
    """Days after a period's last one on which its half is still there."""
    now: Callable[[], datetime] = field(repr=False)
    """Tells the present moment, UTC-aware."""
    _held: dict[str, PeriodKey] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def describe(self, caller: DeskCaller, period: str) -> linking_pb2.PeriodTerms:
        """Tell a period's check value, and what of the caller's quota is used.

        Raises:
            DeskRequestError: One of the steps 0 and 1.
            HubStoreError: The tables failed.
            KeyFileError: The half is damaged.
        """
        now = self.now()
        try:
            node, found = self._admit(caller, period, now)
        except DeskRequestError as refusal:
            self._note(caller, period, 0, refusal.name, now)
            raise
        with reading(self.engine) as connection:
            used = register.points_used(connection, caller.member, period)
        return linking_pb2.PeriodTerms(
            desk=self.member,
            period=period,
            check=found.check,
            quota=node.quota,
            used=used,
            destroy_at_ms=found.destroy_at_ms,
        )

    def evaluate(
        self, caller: DeskCaller, period: str, request_id: bytes, points: bytes
    ) -> linking_pb2.EvaluatedPoints:
        """Multiply points by the period's half.

        Raises:
            DeskRequestError: One of the steps 0 to 4; nothing was counted.
            HubStoreError: The tables failed; the same request may be sent again.
            KeyFileError: The half is damaged.
        """
        now = self.now()
        try:
            return self._evaluate(caller, period, request_id, points, now)
        except DeskRequestError as refusal:
            self._note(caller, period, len(points) // POINT_BYTES, refusal.name, now)
            raise

    def destroy_due(self) -> tuple[str, ...]:
        """Destroy the halves whose retention is over; the periods.

        Raises:
            HubStoreError: The tables failed.
            KeyFileError: A file cannot be removed.
        """
        now_ms = to_ms(self.now())
        with reading(self.engine) as connection:
            due = [
                one.period
                for one in register.list_periods(connection)
                if one.destroyed_at_ms is None and one.destroy_at_ms <= now_ms
            ]
        for period in due:
            self.destroy(period)
        return tuple(due)

    def destroy(self, period: str) -> bool:
        """Destroy the half of a period, now and for good; False when there is none.

        First it is noted, so that no thread evaluates any more, then the file goes. After a crash
        between the two, the next call removes the file.
        """
        now_ms = to_ms(self.now())
        with self._lock:
            with writing(self.engine) as connection:
                found = register.find_period(connection, period)
                if found is None:
                    return False
                if found.destroyed_at_ms is None:
                    register.note_destroyed(connection, period, now_ms)
                    register.add_line(
                        connection, self._line(self.member, period, 0, register.DESTROYED, now_ms)
                    )
            self._held.pop(period, None)
            self.keys.destroy(period)
        return True

    def sweep(self) -> None:
        """Remove the files of halves that were noted as destroyed before a crash."""
        with reading(self.engine) as connection:
            noted = [one for one in register.list_periods(connection) if one.destroyed_at_ms]
        for one in noted:
            self.keys.destroy(one.period)

    def _evaluate(
        self, caller: DeskCaller, period: str, request_id: bytes, points: bytes, now: datetime
    ) -> linking_pb2.EvaluatedPoints:
        # 0. and 1.
        node, _ = self._admit(caller, period, now)
        verify_sizes(request_id, points)
        asked = _Asked(
            period=period,
            request_id=request_id,
            digest=hashlib.sha256(points).digest(),
            count=len(points) // POINT_BYTES,
        )
        # 2. and 3., so that nothing is worked out in vain.
        with reading(self.engine) as connection:
            _judge(connection, node, asked)
        # 4.
        try:
            evaluated = self._half(period).evaluate(points)
        except LinkPointsError as error:
            raise DeskRequestError(linking_pb2.DESK_REFUSAL_CODE_POINTS, str(error)) from error
        # Once more where it counts: two requests may have been judged at the same time.
        with writing(self.engine) as connection:
            found = register.find_period(connection, period)
            if found is None or found.destroyed_at_ms is not None:
                raise destroyed_error(period)
            repeated, left = _judge(connection, node, asked)
            outcome = register.REPEATED if repeated else register.EVALUATED
            entry = self._line(caller.member, period, asked.count, outcome, to_ms(now))
            if repeated:
                register.add_line(connection, entry)
            else:
                register.count_points(connection, entry, request_id=request_id, digest=asked.digest)
        return linking_pb2.EvaluatedPoints(points=evaluated, left=left)

    def _admit(
        self, caller: DeskCaller, period: str, now: datetime
    ) -> tuple[AllowedNode, DeskPeriod]:
        """Steps 0 and 1."""
        with reading(self.engine) as connection:
            node = register.find_node(connection, caller.member)
            found = register.find_period(connection, period)
            is_revoked = revoked.is_revoked(connection, caller.hub, caller.tls_sha256)
        if is_revoked:
            raise DeskRequestError(
                linking_pb2.DESK_REFUSAL_CODE_MEMBER,
                f"{caller.hub} revoked the certificate that {caller.member} uses, or a later join "
                "took its place; ask that hub's officer for a new token, then join again",
            )
        if node is None or node.ended_at_ms is not None or node.fingerprint != caller.fingerprint:
            raise DeskRequestError(
                linking_pb2.DESK_REFUSAL_CODE_MEMBER,
                f"{caller.member} is not on this desk's register with the key it uses; give the "
                "desk's officer what `yixin node clues key` prints",
            )
        if found is not None and found.destroyed_at_ms is not None:
            raise destroyed_error(period)
        destroy_at = destroy_moment(period, self.retention_days, now)
        if destroy_at <= now or (found is not None and found.destroy_at_ms <= to_ms(now)):
            raise destroyed_error(period)
        return node, found or self._make(period, to_ms(destroy_at), to_ms(now))

    def _make(self, period: str, destroy_at_ms: int, now_ms: int) -> DeskPeriod:
        """Make a period's half, or take over the file that a crash left without its row."""
        with self._lock, writing(self.engine) as connection:
            found = register.find_period(connection, period)
            if found is not None:
                return found
            key = self.keys.load(period) if self.keys.has(period) else self.keys.create(period)
            made = DeskPeriod(period=period, check=key.check(period), destroy_at_ms=destroy_at_ms)
            register.add_period(connection, made, now_ms)
            register.add_line(connection, self._line(self.member, period, 0, register.MADE, now_ms))
            return made

    def _half(self, period: str) -> PeriodKey:
        with self._lock:
            held = self._held.get(period)
            if held is None:
                try:
                    held = self._held[period] = self.keys.load(period)
                except KeyFileError:
                    if self.keys.has(period):
                        raise
                    raise destroyed_error(period) from None
            return held

    def _note(
        self, caller: DeskCaller, period: str, count: int, outcome: str, now: datetime
    ) -> None:
        with writing(self.engine) as connection:
            register.add_line(
                connection, self._line(caller.member, period, count, outcome, to_ms(now))
            )

    @staticmethod
    def _line(member: str, period: str, count: int, outcome: str, now_ms: int) -> DeskLogLine:
        named = period if len(period) == 6 and period.isascii() and period.isalnum() else "?"
        return DeskLogLine(at_ms=now_ms, member=member, period=named, points=count, outcome=outcome)


def _judge(connection: Connection, node: AllowedNode, asked: _Asked) -> tuple[bool, int]:
    """Steps 2 and 3: whether it is a repeat, and what is left after it."""
    known = register.find_request(connection, node.member, asked.period, asked.request_id)
    used = register.points_used(connection, node.member, asked.period)
    if known == asked.digest:
        return True, max(0, node.quota - used)
    if known is not None:
        raise DeskRequestError(
            linking_pb2.DESK_REFUSAL_CODE_REPLAY,
            "this request id came before with other points; make a new one for every request",
        )
    if used + asked.count > node.quota:
        raise DeskRequestError(
            linking_pb2.DESK_REFUSAL_CODE_QUOTA,
            f"{node.member} has used {used} of {node.quota} points in {asked.period} and asks for "
            f"{asked.count}; ask the desk's officer for more, with the reason",
        )
    return False, node.quota - used - asked.count
