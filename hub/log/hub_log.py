"""One hub's log: its database, its published tiles, its keys, and whether it may grow."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from hub.log.mode import HubMode
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading
from protos.yixin.v1 import identity_pb2
from security.errors import KeyFileError, LogCorruptError
from security.keys import SigningKey
from security.merkle import Frontier
from security.moments import to_ms
from security.tlog.store import TileStore, open_tiles
from security.tlog.tiles import CHECKPOINT
from security.tlog.witness_policy import Witness
from security.transparency import (
    Checkpoint,
    find_origin_number,
    numbered_origin,
    sign_checkpoint,
    verify_checkpoint,
)

WITNESS_KEY: Final = "witness.key"
MIRRORS: Final = "log-mirrors"
_URL: Final = "://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The newest published checkpoint of a log."""

    note: str
    """The signed checkpoint."""
    checkpoint: Checkpoint
    """What it says; its signature was verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLog:
    """Everything that works on the log of a hub."""

    hub: str
    """Member id of the hub."""
    engine: Engine = field(repr=False)
    """Its database."""
    root: SigningKey = field(repr=False)
    """Identity key; it signs checkpoints."""
    anchor: identity_pb2.TrustAnchor = field(repr=False)
    """Anchor of the hub."""
    place: str
    """Directory or URL of the tiles."""
    directory: Path
    """State directory: mirrors of other logs lie in it."""
    keys: Path = field(repr=False)
    """Directory of the keys."""
    mode: HubMode = field(repr=False)
    """Whether the log may grow."""
    quorum: int
    """Witnesses that must confirm the log."""
    now: Callable[[], datetime] = field(repr=False)
    """Tells the present moment, UTC-aware."""
    witnessing: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while another log is witnessed: one at a time."""

    @property
    def now_ms(self) -> int:
        """Present moment, milliseconds since the epoch, UTC."""
        return to_ms(self.now())

    def origin(self, number: int) -> str:
        """Origin of the hub's log with a number."""
        return numbered_origin(self.anchor.log_origin, number)

    def is_own(self, origin: str) -> bool:
        """Whether a log is this hub's, now or before."""
        return find_origin_number(self.anchor.log_origin, origin) is not None

    def tiles(self, number: int) -> TileStore:
        """Store of the hub's log with a number.

        Raises:
            LogCorruptError: No file system is known, or installed, for the place.
        """
        return open_tiles(_below(self.place, f"log{number}"))

    def mirror(self, origin: str) -> TileStore:
        """Store of another hub's log, as this hub mirrors it."""
        name = hashlib.sha256(origin.encode()).hexdigest()[:32]
        return open_tiles(self.directory / MIRRORS / name)

    def find_published(self, number: int) -> Published | None:
        """The newest published checkpoint; None before the first.

        Raises:
            LogCorruptError: It is damaged, or not of this log.
            OSError: The store cannot be read.
        """
        return find_note(self.tiles(number), self.anchor, self.origin(number))

    def newest_note(self) -> str:
        """The newest published checkpoint as it lies there, for members; empty when none does."""
        with reading(self.engine) as connection:
            number = leaf_log.state(connection).number
        try:
            return self.tiles(number).read(CHECKPOINT).decode(errors="replace")
        except OSError:
            return ""

    def cosigned_note(self, connection: Connection, quorum: int = 1) -> str:
        """The newest checkpoint that enough witnesses cosigned, with their lines.

        Args:
            connection: A reading transaction.
            quorum: Witnesses that must have signed it, at least 1.

        Returns:
            The signed checkpoint; empty when none was cosigned by so many.
        """
        origin = self.origin(leaf_log.state(connection).number)
        found = log_peers.cosignatures(connection, origin)
        for one in found:
            lines = [same.lines for same in found if same.checkpoint == one.checkpoint]
            if len(lines) >= max(1, quorum):
                return self.sign(one.checkpoint) + "".join(lines)
        return ""

    def checkpoint_at(self, connection: Connection, size: int) -> Checkpoint:
        """State of the log when it had a size.

        Raises:
            LogCorruptError: The stored compact range is malformed.
            ValueError: The log is smaller.
        """
        held = leaf_log.state(connection)
        if not 0 <= size <= held.size:
            raise ValueError(f"the log has {held.size} leaves, {size} were asked for")
        frontier = leaf_log.frontier_before(connection, size)
        return self.checkpoint(held.number, frontier)

    def checkpoint(self, number: int, frontier: Frontier) -> Checkpoint:
        """State of the log over a compact range."""
        return Checkpoint(origin=self.origin(number), size=frontier.size, root=frontier.root())

    def sign(self, checkpoint: Checkpoint) -> str:
        """Sign a checkpoint of this log."""
        return sign_checkpoint(checkpoint, self.root)

    @property
    def witness_name(self) -> str:
        """Name under which this hub cosigns.

        Source: C2SP tlog-cosignature: a schema-less URL that the witness controls.
        """
        return f"yixin/{self.hub.removeprefix('yixin://')}/witness"

    def witness_key(self) -> SigningKey:
        """Key under which this hub cosigns; made when it is first asked for.

        Raises:
            KeyFileError: The file is damaged, open to others or cannot be made.
        """
        path = self.keys / WITNESS_KEY
        if not path.exists():
            try:
                SigningKey.generate(post_quantum=True).save(path)
            except KeyFileError:
                # Another process was first: its key is the one.
                if not path.exists():
                    raise
        return SigningKey.load(path)

    def witness(self) -> Witness:
        """This hub as a witness: the line that others put into their trust files."""
        return Witness(name=self.witness_name, key=self.witness_key().verifying)


def find_note(store: TileStore, anchor: identity_pb2.TrustAnchor, origin: str) -> Published | None:
    """The checkpoint beside some tiles; None when there is none.

    Raises:
        LogCorruptError: It is damaged, or not of this log.
        OSError: The store cannot be read.
    """
    try:
        note = store.read(CHECKPOINT).decode(errors="replace")
    except FileNotFoundError:
        return None
    checkpoint = verify_checkpoint(note, anchor)
    if checkpoint.origin != origin:
        raise LogCorruptError(f"checkpoint of log {checkpoint.origin!r} beside tiles of {origin!r}")
    return Published(note=note, checkpoint=checkpoint)


def _below(place: str, name: str) -> str | Path:
    return f"{place.rstrip('/')}/{name}" if _URL in place else Path(place) / name
