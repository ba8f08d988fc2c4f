"""The jobs over a hub's transparency log, each a JSON object in and a JSON object out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.domain.members import MemberKind
from hub.errors import ConfigurationError, LogReadOnlyError
from hub.exchange.handing_back import (
    HandedBack,
    read_handed,
    restore_policies,
    restore_revocations,
)
from hub.log.calls import LogCalls
from hub.log.hub_log import find_note
from hub.log.listing import log_status
from hub.log.recovering import Again, Recovery, recover_from, restore, start_origin
from hub.log.sequencer import publish, rebuild
from hub.log.starting import check_state
from hub.parts import HubParts
from hub.store import log as leaf_log
from hub.store import log_peers, members
from hub.store.engine import reading, writing
from hub.store.log_peers import Peer
from hub.store.revocation_lists import refresh_list
from protos.yixin.v1 import transparency_pb2
from protos.yixin.v1.transparency_pb2_grpc import TransparencyStub
from security.audit.trust import load_trust
from security.channels import member_channel
from security.exchange.membership import is_joined, load
from security.moments import to_ms
from security.progress import ProgressReporter
from security.tlog.store import open_tiles
from security.transparency import verify_checkpoint

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
LOG_READERS: Final[frozenset[str]] = frozenset({"log-status"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "log-status": self.status,
            "log-verify": self.verify,
            "log-witness-add": self.add_witness,
            "log-witness-remove": self.remove_witness,
            "log-recover": self.recover,
            "log-new-origin": self.new_origin,
        }

    def status(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What the log holds, who confirms it, and what stands against it."""
        return log_status(self.parts.log)

    def verify(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Read and verify the whole log; write its tiles anew where that was asked for."""
        log = self.parts.log
        if arguments.get("repair"):
            rebuild(log)
        with reading(log.engine) as connection:
            held = leaf_log.state(connection)
        check_state(log, tail=held.size, progress=progress)
        # Tiles are repaired by this; what a witness or a member holds against the log is not.
        if arguments.get("repair") and not held.conflict:
            log.mode.thaw()
        return {
            "leaves": held.size,
            "repaired": bool(arguments.get("repair")),
            "reason": held.conflict or log.mode.reason,
        }

    def add_witness(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Name another hub as a witness, and witness its log."""
        log = self.parts.log
        trust = load_trust([Path(arguments["file"])])
        if len(trust.anchors) != 1:
            raise ConfigurationError(
                f"The trust file names {len(trust.anchors)} hubs; give the file of the witness "
                "alone, as its own `yixin hub export-trust` wrote it."
            )
        (anchor,) = trust.anchors.values()
        name = f"yixin/{anchor.hub.removeprefix('yixin://')}/witness"
        key = next((one for one in trust.witnesses if one.name == name), None)
        if key is None:
            raise ConfigurationError(
                f"The trust file of {anchor.hub} has no witness line of {name}; have it written "
                "again by `yixin hub export-trust` of that hub's present program."
            )
        if anchor.hub == log.hub:
            raise ConfigurationError(f"{log.hub} is this hub; nobody witnesses a log of his own.")
        way = self._way(anchor.hub)
        peer = Peer(anchor=anchor, witness=key, added_at_ms=log.now_ms)
        with writing(log.engine) as connection:
            log_peers.add_peer(connection, peer)
        return {"hub": anchor.hub, "witness": name, "way": way}

    def _way(self, hub: str) -> str:
        parent = self.parts.parent_directory
        if is_joined(parent) and load(parent).hub_id == hub:
            return "this hub calls it"
        with reading(self.parts.engine) as connection:
            member = members.find_member(connection, hub)
        if member is not None and member.kind is MemberKind.HUB:
            return "it calls this hub"
        raise ConfigurationError(
            f"{hub} is neither the parent of this hub nor a member of it, so there is no line "
            "between them; join it with `yixin hub join`, or invite it with `yixin hub token`."
        )

    def remove_witness(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Name a hub as a witness no more."""
        with writing(self.parts.engine) as connection:
            if not log_peers.remove_peer(connection, arguments["hub"]):
                raise ConfigurationError(
                    f"{arguments['hub'][:96]!r} is no witness; see `yixin hub log status`."
                )
        return {"hub": arguments["hub"]}

    async def recover(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Fetch leaves that the database lost: from own tiles, a mirror, or the parent."""
        handed = await asyncio.to_thread(
            read_handed, map(Path, arguments.get("lists") or ()), self.parts.log.anchor
        )
        revoked = await asyncio.to_thread(self._revoke_again, handed)
        again: Again = handed.covers
        if arguments.get("revoked_again"):
            again = _said
        held = await asyncio.to_thread(self._state)
        recovery = await asyncio.to_thread(self._from_tiles, arguments.get("mirror"), held, again)
        # Only a mirror that was named keeps the parent from being asked.
        if not arguments.get("mirror") and is_joined(self.parts.parent_directory):
            more = await self._from_parent(again)
            recovery = more or recovery
        if recovery is None and not arguments.get("lists"):
            raise LogReadOnlyError(
                f"Nothing beyond the {held.size} leaves of the database was found in the hub's own "
                "tiles or at a witness. Copy the mirror of a witness here (its directory "
                "log-mirrors) and name it with --mirror; when the leaves are lost for good, run "
                "`yixin hub log new-origin`."
            )
        recovery = recovery or Recovery.nothing(held.size)
        stated = await asyncio.to_thread(self._go_on, handed)
        return asdict(recovery) | {"revoked_again": revoked, "policies_restated": stated}

    def _revoke_again(self, handed: HandedBack) -> list[str]:
        """Revoke whom a list revokes that a member handed back; it counts at once."""
        parts = self.parts
        with writing(parts.engine) as connection:
            return list(restore_revocations(connection, parts.identity, handed, to_ms(parts.now())))

    def _go_on(self, handed: HandedBack | None = None) -> int:
        """Publish, with a revocation list above every one that was lost: members take no older."""
        parts, stated = self.parts, 0
        refresh_list(parts.engine, parts.identity, to_ms(parts.now()))
        # While witnesses are waited for, no policy is stated: the same command does it later.
        if handed and handed.policies and parts.log.mode.is_writable:
            with writing(parts.engine) as connection:
                now_ms = to_ms(parts.now())
                stated = restore_policies(connection, parts.identity, handed, now_ms)
        publish(parts.log)
        return stated

    def _state(self) -> leaf_log.LogState:
        with reading(self.parts.engine) as connection:
            return leaf_log.state(connection)

    def _from_tiles(
        self, mirror: str | None, held: leaf_log.LogState, again: Again
    ) -> Recovery | None:
        log = self.parts.log
        store = open_tiles(mirror) if mirror else log.tiles(held.number)
        found = find_note(store, log.anchor, log.origin(held.number))
        if found is None or found.checkpoint.size <= held.size:
            return None
        return recover_from(log, store, found, revoked_again=again)

    async def _from_parent(self, again: Again) -> Recovery | None:
        log = self.parts.log
        membership = await asyncio.to_thread(load, self.parts.parent_directory)
        held = await asyncio.to_thread(self._state)
        async with member_channel(membership, log.now()) as channel:
            calls = LogCalls(hub=membership.hub_id, stub=TransparencyStub(channel))
            note = await calls.note(log.origin(held.number))
            if not note:
                return None
            checkpoint = verify_checkpoint(note, log.anchor)
            if checkpoint.size <= held.size:
                return None
            leaves: list[bytes] = []
            async for some in calls.leaves(checkpoint, held.size, origin=checkpoint.origin):
                leaves += some
        return await asyncio.to_thread(restore, log, checkpoint, leaves, revoked_again=again)

    def new_origin(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Say that leaves are lost for good, and go on under the next number."""
        made = start_origin(self.parts.log, int(arguments["first"]), int(arguments["end"]))
        self._go_on()
        return {"origin": made.origin, "leaves": made.size}


def _said(_leaf: transparency_pb2.LogLeaf) -> bool:
    """The officer said that whom the lost lists revoked is revoked anew."""
    return True
