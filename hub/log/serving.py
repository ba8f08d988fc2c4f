"""What members are shown of a log: checkpoints, tiles and proofs, of the published log only."""

from hub.log.hub_log import HubLog, find_note
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading
from protos.yixin.v1 import transparency_pb2
from security.errors import LogCorruptError
from security.merkle import HASH_BYTES, consistency_path_over, inclusion_path_over
from security.tlog.reader import TileReader
from security.tlog.store import TileStore
from security.tlog.tiles import bundle_name, join_entries, split_entries, tile_name, width_at
from security.transparency import find_origin_number


def find_note_of(log: HubLog, origin: str) -> str:
    """The newest checkpoint of the hub's own log, or of one it witnesses; empty when none is held.

    Args:
        log: The hub's log.
        origin: Origin of the log; empty for the hub's own.

    Raises:
        HubStoreError: The database failed.
    """
    if not origin:
        return log.newest_note()
    number = find_origin_number(log.anchor.log_origin, origin)
    if number is not None:
        found = log.find_published(number)
        return found.note if found else ""
    with reading(log.engine) as connection:
        held = log_peers.find_witnessed(connection, origin)
    return held.note if held else ""


def find_tile(log: HubLog, request: transparency_pb2.TileRequest) -> bytes | None:
    """A tile or entry bundle; None when the log has none so wide.

    A partial tile that was completed since is cut from the one that is there now.

    Args:
        log: The hub's log.
        request: What is wanted; its bounds were checked.

    Raises:
        LogCorruptError: A file of the log is damaged.
        OSError: The store cannot be read.
        HubStoreError: The database failed.
    """
    found = _store_and_size(log, request.origin)
    if found is None:
        return None
    store, size = found
    width = width_at(0 if request.entries else request.level, request.index, size)
    if width < request.width:
        return None
    if request.entries:
        name = bundle_name(request.index, width)
        entries = split_entries(_read(store, name), width, name)
        return join_entries(entries[: request.width])
    content = _read(store, tile_name(request.level, request.index, width))
    return content[: request.width * HASH_BYTES]


def _store_and_size(log: HubLog, origin: str) -> tuple[TileStore, int] | None:
    with reading(log.engine) as connection:
        number = leaf_log.state(connection).number
        held = log_peers.find_witnessed(connection, origin) if origin else None
    if held is not None:
        return log.mirror(origin), held.checkpoint.size
    own = find_origin_number(log.anchor.log_origin, origin) if origin else number
    if own is None:
        return None
    store = log.tiles(own)
    published = find_note(store, log.anchor, log.origin(own))
    return (store, published.checkpoint.size) if published else None


def _read(store: TileStore, name: str) -> bytes:
    try:
        return store.read(name)
    except FileNotFoundError as error:
        raise LogCorruptError(f"the log lacks {name}") from error


def prove(log: HubLog, request: transparency_pb2.ProofRequest) -> transparency_pb2.Proof | None:
    """Prove a leaf, or consistency; None when the published log is too small for it.

    Args:
        log: The hub's log.
        request: What is to be proved, up to which size; 0 for the published one.

    Raises:
        LogCorruptError: The tiles are damaged.
        OSError: The store cannot be read.
        HubStoreError: The database failed.
    """
    with reading(log.engine) as connection:
        number = leaf_log.state(connection).number
    published = log.find_published(number)
    if published is None:
        return None
    size = request.size or published.checkpoint.size
    if size > published.checkpoint.size:
        return None
    reader = TileReader(log.tiles(number), published.checkpoint)
    if request.consistency:
        if request.old_size > size:
            return None
        path = consistency_path_over(reader.subtree, request.old_size, size)
    else:
        if request.index >= size:
            return None
        path = inclusion_path_over(reader.subtree, request.index, size)
    note = published.note if size == published.checkpoint.size else ""
    return transparency_pb2.Proof(path=path, checkpoint=note)
