"""This hub as a witness (见证方) of other logs, and what others saw of its own.

Numbered as applied when a checkpoint of another log is to be cosigned:

1. It is signed under the anchor that an officer of this hub named.
2. The log states the size that this hub cosigned last; otherwise it is told that size.
3. It continues that log: the consistency proof fits, or the two checkpoints are kept as evidence.
4. The leaves between are mirrored, and the mirror makes the checkpoint's root.
5. What was cosigned last is replaced, unless somebody else was first; then it is signed.

Source: C2SP tlog-witness, add-checkpoint.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hub.log.hub_log import HubLog
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading, writing
from hub.store.log_peers import Peer, StoredCosignature, Witnessed
from security.errors import CosignatureError, LogCorruptError, LogRollbackError, SecurityError
from security.merkle import EMPTY_ROOT, verify_consistency
from security.tlog.cosigning import cosign, verify_cosignatures
from security.tlog.reader import TileReader
from security.tlog.tiles import CHECKPOINT
from security.tlog.writer import extend_tiles, prune_tiles
from security.transparency import Checkpoint, find_origin_number, verify_checkpoint

_LOG: Final = logging.getLogger(__name__)
UNTRUSTED: Final = "The checkpoint is not one of the log that this hub was told to witness."
CONTRADICTION: Final = "The checkpoint contradicts one that was cosigned before; both are kept."
NOT_MIRRORED: Final = "The leaves do not make the checkpoint's root, or the mirror is damaged."
SEEN_MORE: Final = "The checkpoint is not of this log's history: it is read-only from now on."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A checkpoint to cosign."""

    old_size: int
    """Size that the witness holds, as the log believes."""
    path: Sequence[bytes]
    """Consistency proof from there."""
    note: str
    """Signed checkpoint."""
    entries: Iterable[bytes] = ()
    """Leaves from ``old_size`` on; empty when they are mirrored already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a witness says."""

    lines: str = ""
    """Its signature lines; empty when it did not sign."""
    size: int = 0
    """Size it holds now."""
    refusal: str = ""
    """Why it will not sign; empty when it did, or when only the size was wrong."""


def witness(log: HubLog, peer: Peer, asked: Asked) -> Answer:
    """Cosign a checkpoint of another log.

    Args:
        log: This hub; its database, mirrors and witness key.
        peer: The hub whose log it is.
        asked: What is to be cosigned.

    Raises:
        OSError: The mirror cannot be written.
        HubStoreError: The database failed.
        KeyFileError: The witness key is unusable.
    """
    # 1. The signature.
    try:
        checkpoint = verify_checkpoint(asked.note, peer.anchor)
    except SecurityError as error:
        _LOG.warning("%s showed no checkpoint of its log: %s", peer.hub, error)
        return Answer(refusal=UNTRUSTED)
    with log.witnessing:
        # 2. The size.
        with reading(log.engine) as connection:
            held = log_peers.find_witnessed(connection, checkpoint.origin)
        size = held.checkpoint.size if held else 0
        if asked.old_size != size or checkpoint.size < size:
            return Answer(size=size)
        # 3. Consistency.
        try:
            root = held.checkpoint.root if held else EMPTY_ROOT
            verify_consistency(size, checkpoint.size, asked.path, root, checkpoint.root)
        except LogCorruptError as error:
            before = held.note if held else ""
            keep_evidence(log, peer.hub, checkpoint, error, held=before, shown=asked.note)
            return Answer(size=size, refusal=CONTRADICTION)
        # 4. The mirror.
        try:
            _mirror(log, size, checkpoint, asked)
        except LogCorruptError as error:
            _LOG.warning("leaves of %s are not mirrored: %s", checkpoint.origin, error)
            return Answer(size=size, refusal=NOT_MIRRORED)
        # 5. Sign what is recorded.
        return _sign(log, peer, checkpoint, asked.note, size)


def _mirror(log: HubLog, size: int, checkpoint: Checkpoint, asked: Asked) -> None:
    store = log.mirror(checkpoint.origin)
    extend_tiles(store, size, asked.entries)
    TileReader(store, checkpoint)
    store.write(CHECKPOINT, asked.note.encode())
    prune_tiles(store, size, checkpoint.size)


def _sign(log: HubLog, peer: Peer, checkpoint: Checkpoint, note: str, size: int) -> Answer:
    now_ms = log.now_ms
    lines = cosign(checkpoint.body, log.witness_name, log.witness_key(), now_ms // 1000)
    with writing(log.engine) as connection:
        now_held = log_peers.find_witnessed(connection, checkpoint.origin)
        now_size = now_held.checkpoint.size if now_held else 0
        if now_size != size:
            return Answer(size=now_size)
        cosigned = Witnessed(
            hub=peer.hub, checkpoint=checkpoint, note=_own_lines(note) + lines, at_ms=now_ms
        )
        log_peers.save_witnessed(connection, cosigned)
        log_peers.note_answer(connection, peer.hub, now_ms)
    return Answer(lines=lines, size=checkpoint.size)


def _own_lines(note: str) -> str:
    """The note without the lines of others."""
    body, _, signatures = note.partition("\n\n")
    origin = body.partition("\n")[0]
    own = f"\N{EM DASH} {origin} "
    lines = [line for line in signatures.splitlines(keepends=True) if line.startswith(own)]
    return f"{body}\n\n{''.join(lines)}"


def hear(log: HubLog, caller: str, note: str) -> Answer:
    """Hear what somebody saw of this hub's own log.

    Args:
        log: The hub's log.
        caller: Member id of who tells.
        note: A checkpoint signed by this hub, with the caller's cosignature where it is a witness.

    Returns:
        The size of the log; a refusal when the note contradicts the log, which takes no leaf then.

    Raises:
        HubStoreError: The database failed.
    """
    try:
        checkpoint = verify_checkpoint(note, log.anchor)
    except SecurityError:
        return Answer(refusal=UNTRUSTED)
    with reading(log.engine) as connection:
        size = leaf_log.size(connection)
        peer = log_peers.find_peer(connection, caller)
    try:
        compare(log, caller, checkpoint, note)
    except LogRollbackError:
        return Answer(size=size, refusal=SEEN_MORE)
    if peer is not None:
        take_cosignature(log, peer, checkpoint, note)
        log.mode.confirm(peer.hub)
    return Answer(size=size)


def compare(log: HubLog, caller: str, checkpoint: Checkpoint, note: str) -> None:
    """Compare a checkpoint that this hub signed with what it holds.

    Args:
        log: The hub's log.
        caller: Member id of who showed it.
        checkpoint: What the note says; its signature was verified.
        note: The signed checkpoint.

    Raises:
        LogRollbackError: The log does not hold it; it takes no leaf until it was recovered.
        HubStoreError: The database failed.
    """
    with reading(log.engine) as connection:
        held = leaf_log.state(connection)
        number = find_origin_number(log.anchor.log_origin, checkpoint.origin) or 0
        if number < held.number:
            return
        if number == held.number and checkpoint.size <= held.size:
            if log.checkpoint_at(connection, checkpoint.size) == checkpoint:
                return
            found = f"another root at {checkpoint.size} leaves"
        else:
            found = f"{checkpoint.size} leaves of {checkpoint.origin}"
    conflict = (
        f"{caller} holds a checkpoint signed by this hub with {found}; the database holds "
        f"{held.size} leaves of {log.origin(held.number)}. It was restored from an old copy, or "
        "changed. Nothing is appended until `yixin hub log recover`, or "
        f"`yixin hub log new-origin --lost {held.size}:{max(held.size, checkpoint.size)}`."
    )
    error = LogRollbackError(conflict)
    keep_evidence(log, caller, checkpoint, error, held=log.newest_note(), shown=note)
    with writing(log.engine) as connection:
        if not leaf_log.state(connection).conflict:
            leaf_log.save_state(connection, {"conflict": conflict})
    raise error


def take_cosignature(log: HubLog, peer: Peer, checkpoint: Checkpoint, note: str) -> bool:
    """Keep a witness's lines over a checkpoint of this hub's log.

    Returns:
        Whether there were any.

    Raises:
        HubStoreError: The database failed.
    """
    now_ms = log.now_ms
    own = f"\N{EM DASH} {peer.witness.name} "
    lines = "".join(line for line in note.splitlines(keepends=True) if line.startswith(own))
    with writing(log.engine) as connection:
        try:
            found = verify_cosignatures(note, [peer.witness], now_s=now_ms // 1000)
        except CosignatureError as error:
            log_peers.note_trouble(connection, peer.hub, str(error))
            return False
        log_peers.note_answer(connection, peer.hub, now_ms)
        if found:
            cosignature = StoredCosignature(
                checkpoint=checkpoint, witness=peer.witness.name, lines=lines, at_ms=now_ms
            )
            log_peers.add_cosignature(connection, cosignature)
    return bool(found)


def keep_evidence(
    log: HubLog, hub: str, checkpoint: Checkpoint, error: Exception, *, held: str, shown: str
) -> None:
    """Keep two signed checkpoints that contradict each other.

    Raises:
        HubStoreError: The database failed.
    """
    _LOG.error("%s at %d leaves: %s", checkpoint.origin, checkpoint.size, error)
    with writing(log.engine) as connection:
        log_peers.add_evidence(
            connection,
            hub=hub,
            origin=checkpoint.origin,
            cause=str(error),
            held=held,
            shown=shown,
            now_ms=log.now_ms,
        )
