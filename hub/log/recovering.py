"""Getting back leaves that the database lost, or saying for good that they are lost.

Recovery, numbered as applied: 1. a checkpoint signed by this hub, larger than the database, is
found beside tiles (the hub's own, or a witness's mirror); 2. the leaves behind the database are
read, each proved; 3. in one transaction they are appended past the gate, and the root must be the
checkpoint's, or nothing is stored. Envelopes come again from their senders, by the usual resume.
4. A lost revocation list would let its members in again: a member hands it back first, or the
officer says that they were revoked anew. 5. Numbers that the lost part may have given out are not
given out again. 6. A sharing agreement whose end was lost ends again at the moment of its leaf.
7. A suite policy is found again by its leaf, with its version: members take no older one.

A new origin: the lost places are filled with leaves that say so, under the next number of the log;
what is left of the old log stays where it was, so that every receipt that was not lost stays true.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from sqlalchemy import Connection

from hub.errors import ConfigurationError
from hub.log.hub_log import HubLog, Published
from hub.store import agreements, log_peers, members
from hub.store import log as leaf_log
from hub.store.engine import reading, writing
from hub.store.log_recovered import add_recovered
from hub.store.log_recoveries import add_recovery
from hub.store.policies import retake_policy
from protos.yixin.v1 import transparency_pb2
from security.errors import LogRollbackError
from security.tlog.reader import TileReader
from security.tlog.store import TileStore
from security.transparency import Checkpoint, parse_leaf, parse_note

Again: TypeAlias = Callable[[transparency_pb2.LogLeaf], bool]
"""Whether those whom the lost revocation list of a leaf revoked are revoked again."""
ORIGIN_WORD: Final = "new_origin"
_END_OF_AGREEMENT: Final = (transparency_pb2.LOG_KIND_AGREEMENT, agreements.RETIRED)
MAX_LOST: Final = 1_000_000
"""Most leaves that may be given up at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What came back."""

    before: int
    """Leaves the database held."""
    size: int
    """Leaves it holds now."""
    envelopes: int
    """Envelopes whose senders will send them again."""
    certificates: int
    """Certificates that the database has no copy of; who holds one that is refused joins again."""
    operations: int
    """Entries of the operator log that are lost; their leaves stay."""
    policies: int
    """Suite policies that the database has no copy of; members take no older one."""
    policies_again: int
    """Suite policies that were found again by their leaves, and hold as they were stated."""
    agreements: int
    """Sharing agreements that the database has no copy of; nothing is shared under them."""
    retired: int
    """Leaves by which sharing agreements ended; what of it the database holds has ended again."""

    @classmethod
    def nothing(cls, size: int) -> "Recovery":
        """No leaf was lost of a log of a size."""
        return cls(
            before=size,
            size=size,
            envelopes=0,
            certificates=0,
            operations=0,
            policies=0,
            policies_again=0,
            agreements=0,
            retired=0,
        )


def _seen(connection: Connection, origin: str) -> Iterator[int]:
    """Sizes of a log of this hub that were cosigned, or that somebody showed; 0 at least."""
    yield 0
    for cosigned in log_peers.cosignatures(connection, origin):
        yield cosigned.checkpoint.size
    for row in log_peers.evidence(connection):
        if row["origin"] == origin:
            yield parse_note(str(row["shown"])).checkpoint.size


def recover_from(
    log: HubLog, store: TileStore, published: Published, *, revoked_again: Again
) -> Recovery:
    """Take back leaves that lie in tiles.

    Args:
        log: The hub's log.
        store: Holds the tiles.
        published: The checkpoint beside them, verified.
        revoked_again: Whether those whom the lost list of a leaf revoked are revoked again.

    Raises:
        ConfigurationError: A lost leaf is a revocation list, and its members may still be active.
        LogRollbackError: The database went another way since; nothing was stored.
        LogCorruptError: The tiles do not prove the leaves.
        OSError: The tiles cannot be read.
        HubStoreError: The database failed.
    """
    with reading(log.engine) as connection:
        held = leaf_log.size(connection)
    reader = TileReader(store, published.checkpoint)
    leaves = reader.entries(held, published.checkpoint.size)
    return restore(log, published.checkpoint, leaves, revoked_again=revoked_again)


def restore(
    log: HubLog, checkpoint: Checkpoint, leaves: Iterable[bytes], *, revoked_again: Again
) -> Recovery:
    """Append the leaves that a checkpoint of this hub has and the database has not (step 3).

    Args:
        log: The hub's log.
        checkpoint: Signed by this hub; verified.
        leaves: Leaves behind the database, up to the checkpoint's size.
        revoked_again: Whether those whom the lost list of a leaf revoked are revoked again.

    Raises:
        ConfigurationError: A lost leaf is a revocation list, and its members may still be active;
            nothing was stored.
        LogRollbackError: They do not make the checkpoint's root; nothing was stored.
        LogCorruptError: One is no leaf.
        HubStoreError: The database failed.
    """
    with writing(log.engine) as connection:
        held = leaf_log.state(connection, for_update=True)
        before = held.size
        found = []
        waiting: dict[bytes, int] = {}
        kinds: Counter[int] = Counter()
        ended: list[transparency_pb2.LogLeaf] = []
        policies: list[transparency_pb2.LogLeaf] = []
        for index, content in enumerate(leaves, start=before):
            leaf = parse_leaf(content)
            found.append(leaf_log.NewLeaf(kind=leaf.kind, leaf=content, period=leaf.period))
            kinds[leaf.kind] += 1
            if leaf.kind == transparency_pb2.LOG_KIND_REVOCATION and not revoked_again(leaf):
                raise ConfigurationError(_lost_list(leaf.logged_at_ms))
            if leaf.kind == transparency_pb2.LOG_KIND_ENVELOPE:
                waiting[leaf.envelope_hash] = index
            if leaf.kind == transparency_pb2.LOG_KIND_POLICY:
                policies.append(leaf)
            if (leaf.kind, leaf.payload_type) == _END_OF_AGREEMENT:
                ended.append(leaf)
        if found:
            leaf_log.restore_leaves(connection, found, held)
        now = leaf_log.state(connection)
        if log.checkpoint(now.number, now.frontier) != checkpoint:
            raise LogRollbackError(
                f"The {before} leaves of the database and the {len(found)} that were found do not "
                f"make the checkpoint of {checkpoint.size} leaves: the database went another way "
                "since it was restored. Nothing was changed. Put a copy back from before that, or "
                "run `yixin hub log new-origin`."
            )
        add_recovered(connection, waiting)
        if found:
            add_recovery(connection, log.root, log.hub, range(before, now.size), log.now_ms)
        again = sum(retake_policy(connection, log.hub, leaf) for leaf in policies)
        members.skip_numbers(connection, len(found))
        for leaf in ended:
            agreements.retire_lost(connection, leaf)
        leaf_log.save_state(connection, {"conflict": ""})
    log.mode.thaw()
    return Recovery(
        before=before,
        size=checkpoint.size,
        envelopes=kinds[transparency_pb2.LOG_KIND_ENVELOPE],
        certificates=kinds[transparency_pb2.LOG_KIND_CERTIFICATE],
        operations=kinds[transparency_pb2.LOG_KIND_OPERATOR],
        policies=len(policies) - again,
        policies_again=again,
        agreements=kinds[transparency_pb2.LOG_KIND_AGREEMENT] - len(ended),
        retired=len(ended),
    )


def _lost_list(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return (
        f"The database lost a revocation list of {at:%Y-%m-%d %H:%M} UTC, and whom it "
        "revoked is an active member again. The log was not changed. Members hold that list: let "
        "one that was connected last write it with `yixin node receipts --export FILE`, and run "
        "`yixin hub log recover --lists FILE`. If nobody has it: revoke all who were revoked since "
        "this copy was made, with `yixin hub revoke` (it counts while the hub is read-only), then "
        "run `yixin hub log recover --revoked-again`."
    )


def start_origin(log: HubLog, first: int, end: int) -> Checkpoint:
    """Say that leaves are lost for good, and go on in a log of the next number.

    Args:
        log: The hub's log.
        first: First lost index: the size of the database.
        end: Index after the last lost one: at least every size that anybody saw.

    Returns:
        State of the new log.

    Raises:
        ConfigurationError: The range does not begin behind the database, or does not reach the
            sizes that are known to have been published or cosigned.
        HubStoreError: The database failed.
    """
    with writing(log.engine) as connection:
        held = leaf_log.state(connection, for_update=True)
        origin = log.origin(held.number)
        published = log.find_published(held.number)
        seen = max(published.checkpoint.size if published else 0, *_seen(connection, origin))
        if seen <= held.size and not held.conflict:
            raise ConfigurationError(
                f"Of {held.size} leaves none is known to be lost, and nothing stands against "
                "them: a log that is whole goes on as it is. See `yixin hub log status`."
            )
        seen = max(seen, held.size)
        if first != held.size or not seen <= end <= first + MAX_LOST:
            raise ConfigurationError(
                f"The lost range is {first}:{end}; the database holds {held.size} leaves and at "
                f"least {seen} were published, cosigned or seen. Name --lost {held.size}:TO with "
                f"TO at least {seen}."
            )
        statement = {
            "origin": origin,
            "lost": [first, end],
            "cosigned": log.cosigned_note(connection),
            "published": published.note if published else "",
            "conflict": held.conflict,
        }
        digest = hashlib.sha256(json.dumps(statement, sort_keys=True).encode()).digest()
        leaf = leaf_log.event_leaf(
            transparency_pb2.LOG_KIND_ORIGIN,
            hub=log.hub,
            digest=digest,
            word=ORIGIN_WORD,
            at_ms=log.now_ms,
            purpose=f"{first}:{end}",
        )
        leaf_log.restore_leaves(connection, [leaf] * max(1, end - first), held)
        members.skip_numbers(connection, end - first)
        leaf_log.save_state(connection, {"number": held.number + 1, "conflict": ""})
        log_peers.add_evidence(
            connection,
            hub=log.hub,
            origin=origin,
            cause=f"leaves {first} to {end} of {origin} are lost",
            held=str(statement["published"]),
            shown=json.dumps(statement, sort_keys=True),
            now_ms=log.now_ms,
        )
        made = leaf_log.state(connection)
        checkpoint = log.checkpoint(made.number, made.frontier)
    log.mode.thaw()
    return checkpoint
