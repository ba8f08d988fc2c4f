"""Versions: what a record means to the one that is kept under its key.

1. Nothing is kept under the key: the record is added.
2. Both came in messages of the national interface and this one was sent earlier: what is kept
   stays, so that the order in which messages arrive does not matter.
3. The same values: nothing is stored; what is kept counts as sent by the later message too, so
   that one sent in between stays out. But where the catalogue names records that free the key
   (a cancellation), a later message's record is a new version: what freed the key may have been
   sent in between, and may arrive only afterwards.
4. Other values: a new version; the former one is deleted by its number.
Records of one batch meet one another under the same rules, in their order.

A value is compared by eight bytes of its digest, which leaves out ``record_id``; on disk they are
masked under the secret of the keys, so that nobody can try values out.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from node.store.deletions import SEQ
from node.store.key_runs import ENTRY, Entries
from node.store.keys import ABSENT, KeyIndex
from node.store.record_bytes import key_digests, leaf_contents, value_digests
from scoring_kernel.record_kinds import RecordKind

__all__ = ["SECRET_BYTES", "Change", "Incoming", "Versions", "month_of", "seq_of"]

SECRET_BYTES: Final = 32
_ID: Final = "record_id"
_SEQ_FIELD: Final = pa.field(SEQ, pa.int64(), nullable=False)
_SEQ_BITS: Final = 40
"""A place is the record's month above its number: 10^12 records."""
_MSGID: Final = slice(12, 30)
"""Moment and number of a msgid, behind the institution: they tell which was sent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Records of one kind with what their keys and values are compared by."""

    kind: str
    table: pa.Table = field(repr=False)
    months: npt.NDArray[np.int32] = field(repr=False)
    entries: Entries = field(repr=False)
    """Shape (n,), in the order of the table; places are not set."""
    digests: npt.NDArray[np.uint8] = field(repr=False)
    """``value_digests``, shape (n, 32)."""
    expired: int
    """Records that were left out: their months are frozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a batch does to the records of one kind."""

    kind: str
    table: pa.Table = field(repr=False)
    """New records and new versions, with ``_seq``."""
    months: npt.NDArray[np.int32] = field(repr=False)
    leaves: pa.BinaryArray = field(repr=False)
    """What the leaves of the new records say of them, shape (n,)."""
    entries: Entries = field(repr=False)
    """What their keys stand for now, sorted by key."""
    deleted: npt.NDArray[np.int64] = field(repr=False)
    """Places of the records that are replaced."""
    added: int
    replaced: int
    unchanged: int


class Versions:
    """Compares records with what an index says is kept."""

    def __init__(self, kinds: Mapping[str, RecordKind], secret: bytes) -> None:
        """Compare under the keys of the catalogue.

        Args:
            kinds: ``Catalog.records``.
            secret: Secret of the keys, 32 bytes; the same for the life of a store.
        """
        self._kinds = kinds
        self._secret = secret
        mask = hashlib.blake2b(b"yixin/value/v1", digest_size=32, key=secret).digest()
        self._mask: Cipher[Any] = Cipher(algorithms.AES(mask), modes.ECB())  # noqa: S305 - one block per key

    def digest(self, kind: str, table: pa.Table, frozen: Collection[int]) -> Incoming:
        """Digest the keys and values of records; the costly part, without any lock."""
        months = table.column("month").to_numpy()
        expired = 0
        if frozen:
            kept = ~np.isin(months, np.fromiter(frozen, np.int32))
            table, months = table.filter(pa.array(kept)), months[kept]
            expired = len(kept) - len(months)
        key = self._kinds[kind].primary_key
        keys = key_digests(table, key, self._secret)
        entries = np.zeros(table.num_rows, ENTRY)
        entries["hi"], entries["lo"] = keys[:, 0], keys[:, 1]
        digests = value_digests(table)
        values = digests[:, :8].copy().view("<u8").reshape(-1)
        masks = np.frombuffer(self._mask.encryptor().update(keys.tobytes()), "<u8")
        entries["value"] = values ^ masks[::2]
        if _ID not in key:
            entries["order"] = _orders(table)
        return Incoming(
            kind=kind,
            table=table,
            months=months,
            entries=entries,
            digests=digests,
            expired=expired,
        )

    def resolve(self, incoming: Incoming, index: KeyIndex, first_seq: int) -> Change:
        """Tell what records change; their numbers begin at ``first_seq``."""
        entries = incoming.entries.copy()
        held = index.find(incoming.kind, entries["hi"], entries["lo"])
        freed = self._kinds[incoming.kind].reopened_by is not None
        stored = _is_new(held, entries, freed=freed)
        again = _fold_twins(held, entries, stored, freed=freed)
        over = stored & (held["place"] != ABSENT)
        rows = np.flatnonzero(stored)
        seqs = np.arange(first_seq, first_seq + len(rows))
        months, new = incoming.months[rows], entries[rows]
        new["place"] = months.astype(np.int64) << _SEQ_BITS | seqs
        changed = np.concatenate([new, _sent_again(held, entries, stored)])
        table, digests = incoming.table, incoming.digests
        if len(rows) < len(stored):
            table, digests = table.take(rows), digests[rows]
        return Change(
            kind=incoming.kind,
            table=table.append_column(_SEQ_FIELD, pa.array(seqs)),
            months=months,
            leaves=leaf_contents(digests, table),
            entries=changed[np.argsort(changed["hi"], kind="stable")],
            deleted=held["place"][over],
            added=len(rows) - int(over.sum()),
            replaced=int(over.sum()) + again,
            unchanged=len(stored) - len(rows) - again,
        )


def month_of(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Months of records, yyyymm, by their places."""
    return places >> _SEQ_BITS


def seq_of(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of records by their places."""
    return places & ((1 << _SEQ_BITS) - 1)


def _is_new(held: Entries, entries: Entries, *, freed: bool) -> npt.NDArray[np.bool_]:
    """Tell which records are new or new versions, each compared with one that is held."""
    sent = (held["order"] > 0) & (entries["order"] > 0)
    earlier = sent & (entries["order"] < held["order"])
    later = sent & (entries["order"] > held["order"])
    other = held["value"] != entries["value"]
    if freed:
        other |= later
    new: npt.NDArray[np.bool_] = (held["place"] == ABSENT) | (~earlier & other)
    return new


def _sent_again(held: Entries, entries: Entries, stored: npt.NDArray[np.bool_]) -> Entries:
    """Give what is kept whose values a later message repeats, as sent by that one."""
    again = ~stored & (held["place"] != ABSENT) & (entries["order"] > held["order"])
    found: Entries = held[again]
    found["order"] = entries["order"][again]
    return found


def _fold_twins(
    held: Entries, entries: Entries, stored: npt.NDArray[np.bool_], *, freed: bool
) -> int:
    """Compare records of one batch that share a key; returns the versions replaced within it.

    Of the orders of a key's records the latest stays, at the record that stands for them.
    """
    hi, lo = entries["hi"], entries["lo"]
    turn = np.argsort(hi, kind="stable")
    if not (hi[turn][1:] == hi[turn][:-1]).any():
        return 0
    turn = np.lexsort((lo, hi))
    hi, lo = hi[turn], lo[turn]
    starts = np.flatnonzero(np.append(True, (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])))
    sizes = np.diff(starts, append=len(turn))
    starts, sizes = starts[sizes > 1], sizes[sizes > 1]
    standing = held[turn[starts]]
    winners = np.full(len(starts), -1)
    versions = 0
    # All first ones of a key, then all second ones: as many rounds as one key has records.
    for number in range(int(sizes.max(initial=0))):
        among = np.flatnonzero(sizes > number)
        rows = turn[starts[among] + number]
        new = _is_new(standing[among], entries[rows], freed=freed)
        standing["order"][among] = np.maximum(standing["order"][among], entries["order"][rows])
        among, stored[rows] = among[new], False
        standing[among], winners[among] = entries[rows[new]], rows[new]
        standing["place"][among], entries["order"][rows] = 0, 0
        versions += int(new.sum())
    chosen = winners[winners >= 0]
    stored[chosen] = True
    entries["order"][np.where(winners >= 0, winners, turn[starts])] = standing["order"]
    return versions - len(chosen)


def _orders(table: pa.Table) -> npt.NDArray[np.int64]:
    """Moment and number of the message that each record came in; 0 where it came in none."""
    ids = table.column(_ID)
    ours = pc.equal(pc.utf8_slice_codeunits(ids, 0, _MSGID.start), table.column("institution"))
    if not pc.any(ours).as_py():
        return np.zeros(table.num_rows, np.int64)
    sent = pc.utf8_slice_codeunits(ids, _MSGID.start, _MSGID.stop)
    ours = pc.and_(ours, pc.match_substring_regex(sent, "^[0-9]{18}$"))
    orders: npt.NDArray[np.int64] = pc.if_else(ours, sent, "0").cast(pa.int64()).to_numpy()
    return orders
