"""The spot file (抽查文件) for an inspector: what a node committed to, and stated of a month.

Rules of this module: only what is under the newest published checkpoint of the log goes in, so
that the sample's seed is younger than the commitment; nothing of a statement but its digest goes
in; the hub signs the whole.

Source: SECURITY §13.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, select

from hub.errors import AuditExportError
from hub.log.hub_log import HubLog, Published
from hub.store import checkpoints, log, members
from hub.store.engine import reading
from hub.store.envelopes import load_raw
from hub.store.identity import HubIdentity
from hub.store.tables import slot, slot_part
from protos.yixin.v1 import spot_pb2
from security.certificates import SIGNING
from security.envelope import parse_envelope, parse_header
from security.merkle import inclusion_path_over
from security.spot.spot_file import FORMAT, sign_spot_file
from security.tlog.reader import TileReader
from security.transparency import verify_checkpoint

MOST_SLOTS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotFileMade:
    """A spot file and what is in it."""

    content: bytes = field(repr=False)
    """The file."""
    notes: int
    """Checkpoints of the node's tree."""
    size: int
    """Leaves of the largest one."""
    day: int
    """Its day, yyyymmdd."""
    slots: int
    """Statements of the month."""


def make_spot_file(
    engine: Engine,
    identity: HubIdentity,
    hub_log: HubLog,
    *,
    member: str,
    month: int,
    now_ms: int,
    quorum: int = 0,
) -> SpotFileMade:
    """Make the file for one node and month.

    Args:
        engine: The hub's database.
        identity: The hub; it signs the file.
        hub_log: Its log, as it is published.
        member: Member id of the node.
        month: yyyymm.
        now_ms: Present moment, milliseconds since the epoch, UTC.
        quorum: Witnesses that must have confirmed the log, as the hub asks of itself.

    Raises:
        AuditExportError: The node committed nothing that the published log covers, or stated too
            much.
        LogCorruptError: The published log is damaged.
    """
    with reading(engine) as connection:
        newest = hub_log.find_published(log.state(connection).number)
        shown = _shown(connection, identity, hub_log, member, quorum)
        held = _covered(connection, member, shown)
        if newest is None or shown is None or not held:
            if quorum:
                raise AuditExportError(
                    f"No commitment of {member} lies in the log as {quorum} witnesses confirmed "
                    "it. Have it cosigned (yixin hub log status), and ask again."
                )
            raise AuditExportError(
                f"The published log covers no commitment of {member}. Run `yixin hub serve` until "
                "its checkpoint is published, let the node synchronise on the day after its "
                "records came, and ask again; `yixin hub members` lists the members."
            )
        reader = TileReader(hub_log.tiles(log.state(connection).number), newest.checkpoint)
        leaves = {
            one.log_index: leaf.leaf
            for one in held
            for leaf in log.leaves(connection, one.log_index, one.log_index + 1)
        }
        slots = _slots(connection, member, month)
        body = spot_pb2.SpotFileBody(
            format=FORMAT,
            hub=identity.hub,
            member=member,
            month=month,
            at_ms=now_ms,
            notes=[
                spot_pb2.CommittedNote(
                    day=one.day,
                    note=one.note,
                    log_index=one.log_index,
                    leaf=leaves[one.log_index],
                    path=inclusion_path_over(reader.subtree, one.log_index, shown.checkpoint.size),
                )
                for one in held
            ],
            slots=slots,
            checkpoint=shown.note,
        )
        for owner in (member, identity.hub):
            for row in members.certificates(connection, member_id=owner):
                if row.use == SIGNING:
                    body.certificates.add().ParseFromString(row.certificate)
    return SpotFileMade(
        content=sign_spot_file(body, identity.signing),
        notes=len(held),
        size=held[-1].size,
        day=held[-1].day,
        slots=len(slots),
    )


def _shown(
    connection: Connection, identity: HubIdentity, hub_log: HubLog, member: str, quorum: int
) -> Published | None:
    """The checkpoint to show: the newest one, or one that witnesses confirmed.

    Where the hub asks for a quorum, only what the quorum confirmed is shown. Where it does not,
    a confirmed one is, unless it leaves out a commitment that the newest covers.
    """
    newest = hub_log.find_published(log.state(connection).number)
    note = hub_log.cosigned_note(connection, quorum)
    if not note or newest is None:
        return None if quorum else newest
    confirmed = Published(note=note, checkpoint=verify_checkpoint(note, identity.anchor))
    if confirmed.checkpoint.size > newest.checkpoint.size:
        return None if quorum else newest  # A log that was put back is published anew first.
    covered = len(_covered(connection, member, confirmed))
    is_enough = quorum > 0 or covered == len(_covered(connection, member, newest))
    return confirmed if is_enough else newest


def _covered(
    connection: Connection, member: str, shown: Published | None
) -> list[checkpoints.Commitment]:
    size = 0 if shown is None else shown.checkpoint.size
    return [one for one in checkpoints.commitments(connection, member) if one.log_index < size]


def _slots(connection: Connection, member: str, month: int) -> Sequence[spot_pb2.StatedSlotRow]:
    query = (
        select(slot)
        .where(slot.c.member == member, slot.c.month == month, slot.c.collecting.is_(False))
        .order_by(slot.c.measure_set, slot.c.institution)
        .limit(MOST_SLOTS + 1)
    )
    rows = connection.execute(query).all()
    if len(rows) > MOST_SLOTS:
        raise AuditExportError(f"{member} stated more than {MOST_SLOTS} slots of {month}.")
    parts = select(slot_part.c.measure_set, slot_part.c.institution, slot_part.c.log_index).where(
        slot_part.c.month == month, slot_part.c.collecting.is_(False)
    )
    last = {
        (row.measure_set, row.institution): row.log_index
        for row in connection.execute(parts.order_by(slot_part.c.log_index))
    }
    packs: dict[int, bytes] = {}
    found = []
    for row in rows:
        index = row.log_index
        if index is None:
            index = last[row.measure_set, row.institution]
        if index not in packs:
            packs[index] = _pack(connection, index)
        found.append(
            spot_pb2.StatedSlotRow(
                institution=row.institution,
                measure_set=row.measure_set,
                month=row.month,
                version=row.version,
                ledger_size=row.ledger_size,
                rows=row.rows,
                digest=row.digest,
                log_index=index,
                pack_digest=packs[index],
            )
        )
    return found


def _pack(connection: Connection, log_index: int) -> bytes:
    """Digest of the pack in the header of the envelope that stated."""
    return parse_header(parse_envelope(load_raw(connection, [log_index])[log_index])).pack_digest
