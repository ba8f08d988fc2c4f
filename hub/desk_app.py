"""Composition root of a link desk: makes one, serves it, and does the jobs of its officer.

A desk is a process with a directory of its own, whoever runs it: it opens nothing of a hub. The
jobs of its officer and the daemon meet in the desk's tables; a change holds from the next request.
"""

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine

from hub.api.handshakes import HandshakeWatch
from hub.api.linking import LinkDeskServicer
from hub.api.servers import ServerKeys, start_link_desk
from hub.clock import utc_now
from hub.config import usable
from hub.desk import config, register, revoked
from hub.desk.config import DeskSettings, load_desk_settings, write_desk_settings
from hub.desk.evaluating import LinkDesk
from hub.desk.register import AllowedNode
from hub.desk.tables import open_desk_database
from hub.errors import ConfigurationError
from hub.listings import moment_text
from hub.store.engine import reading, writing
from protos.yixin.v1 import identity_pb2
from scoring_kernel import load_catalog
from security.at_rest import Vault
from security.audit.trust import load_anchor, save_anchor
from security.linking import DeskCard, PeriodKeys, make_desk_certificate
from security.members import MemberKind, is_member_id, parse_member_id
from security.moments import to_ms
from security.operator import writer_lock
from security.private_files import read_private, write_private
from security.tls import certificate_pem, load_tls_key, new_tls_key, save_tls_key

Result: TypeAlias = dict[str, Any]
GRACE_S: Final = 5.0
TIDY_EVERY_S: Final = 3_600.0
THREADS: Final = 2
MAX_QUOTA: Final = 10**10
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_MAX_PEM_BYTES: Final = 16 * 1024
_MODE: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """What a desk is made of."""

    directory: Path
    settings: DeskSettings
    engine: Engine = field(repr=False)
    desk: LinkDesk = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    now: Callable[[], datetime] = field(repr=False)

    @property
    def card(self) -> DeskCard:
        """What nodes must hold to ask this desk."""
        return DeskCard(
            desk=self.settings.member,
            address=self.settings.address,
            certificate_pem=self.certificate_pem,
        )

    def trusted(self) -> dict[str, identity_pb2.TrustAnchor]:
        """Anchors of the trusted hubs, by hub."""
        anchors = (load_anchor(path) for path in sorted((self.directory / config.TRUST).iterdir()))
        return {anchor.hub: anchor for anchor in anchors}

    def warnings(self) -> Sequence[str]:
        """What is to be said of revocation lists that are missing or outdated."""
        with reading(self.engine) as connection:
            return revoked.warnings(connection, self.trusted(), to_ms(self.now()))


def init_desk(
    directory: Path, settings: DeskSettings, now: Callable[[], datetime] = utc_now
) -> DeskCard:
    """Make a desk: settings, keys, tables.

    Raises:
        ConfigurationError: The directory holds something or cannot be made.
    """
    with usable(directory):
        directory.mkdir(mode=_MODE, parents=True, exist_ok=True)
        if next(directory.iterdir(), None) is not None:
            raise ConfigurationError(f"{directory} is not empty; name a new directory.")
        directory.chmod(_MODE)
        key = new_tls_key()
        hosts = (settings.advertised_host,)
        certificate = make_desk_certificate(key, settings.member, now(), hosts=hosts)
        save_tls_key(directory / config.TLS_KEY, key)
        write_private(directory / config.TLS_CERTIFICATE, certificate)
        Vault.create(directory / config.VAULT_KEY)
        (directory / config.TRUST).mkdir(mode=_MODE)
        write_desk_settings(directory, settings)
    with open_desk(directory, now) as parts:
        return parts.card


@contextmanager
def open_desk(directory: Path, now: Callable[[], datetime] = utc_now) -> Iterator[DeskParts]:
    """Build the parts of a desk, and close them.

    Raises:
        NotInitialisedError: The directory holds no desk.
        ConfigurationError: Its settings or tables are unusable.
        KeyFileError: A key file is missing, damaged or open to others.
    """
    settings = load_desk_settings(directory)
    vault = Vault.load(directory / config.VAULT_KEY)
    engine = open_desk_database(directory / config.DATABASE_FILE)
    try:
        yield DeskParts(
            directory=directory,
            settings=settings,
            engine=engine,
            desk=LinkDesk(
                member=settings.member,
                engine=engine,
                keys=PeriodKeys(directory / config.KEYS, vault),
                retention_days=load_catalog().joining.key_retention_days,
                now=now,
            ),
            certificate_pem=read_private(directory / config.TLS_CERTIFICATE, _MAX_PEM_BYTES),
            now=now,
        )
    finally:
        engine.dispose()


def trust_hub(parts: DeskParts, path: Path) -> Result:
    """Trust a hub's certificates of nodes; who may ask is still the register's to say.

    Raises:
        AuditInputError: The file is no trust file.
        ConfigurationError: The anchor of this hub is there with other keys.
    """
    anchor = load_anchor(path)
    kept = parts.directory / config.TRUST / f"{re.sub('[^a-z0-9]+', '-', anchor.hub)}.trust"
    if kept.exists() and load_anchor(kept) != anchor:
        raise ConfigurationError(
            f"{anchor.hub} is trusted already with other keys; if it has really changed them, "
            f"remove {kept} first."
        )
    save_anchor(kept, anchor)
    return {"hub": anchor.hub}


def take_revocations(parts: DeskParts, path: Path) -> Result:
    """Take a trusted hub's revocation list; whom it names is refused from the next request on.

    Raises:
        ConfigurationError: The file is no list of a trusted hub, or older than the one held.
    """
    opened = revoked.read_list(path, parts.trusted())
    with writing(parts.engine) as connection:
        revoked.take(connection, opened)
    return {
        "hub": opened.hub,
        "version": opened.version,
        "certificates": sum(bool(row.tls_sha256) for row in opened.rows),
        "until": moment_text(opened.next_ms),
    }


def allow_node(parts: DeskParts, member: str, fingerprint: str, quota: int) -> Result:
    """Enter a node.

    Raises:
        ConfigurationError: The member is no node, the key's digest is malformed, or the quota is
            out of bounds.
    """
    if not is_member_id(member) or parse_member_id(member).kind is not MemberKind.NODE:
        raise ConfigurationError(
            f"Found {member[:120]!r}, expected the member id of a node, such as "
            "yixin://330302/node/H33030200001."
        )
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ConfigurationError(
            "The key is 64 hexadecimal digits, as `yixin node clues key` prints them."
        )
    if not 1 <= quota <= MAX_QUOTA:
        raise ConfigurationError(f"The quota is {quota}, expected 1 to {MAX_QUOTA} points.")
    node = AllowedNode(member=member, fingerprint=fingerprint, quota=quota)
    with writing(parts.engine) as connection:
        register.allow(connection, node, to_ms(parts.now()))
    return {"member": member, "quota": quota}


def end_node(parts: DeskParts, member: str) -> Result:
    """Take a node off the register; it is refused from the next request on.

    Raises:
        ConfigurationError: It is not on the register.
    """
    with writing(parts.engine) as connection:
        if not register.end(connection, member, to_ms(parts.now())):
            raise ConfigurationError(
                f"{member[:120]} is not on the register; see `yixin hub desk status`."
            )
    return {"member": member}


def desk_status(parts: DeskParts) -> Result:
    """Who may ask, what was used, which keys there are; never a point."""
    with reading(parts.engine) as connection:
        nodes = register.list_nodes(connection)
        periods = register.list_periods(connection)
        used = register.usage(connection)
        lines = register.count_lines(connection)
        lists = revoked.held_lists(connection)
    return {
        "desk": parts.settings.member,
        "address": parts.settings.address,
        "fingerprint": parts.card.fingerprint,
        "trusted": sorted(parts.trusted()),
        "revocations": [
            {
                "hub": one.hub,
                "version": one.version,
                "signed_at": moment_text(one.at_ms),
                "until": moment_text(one.next_ms),
            }
            for one in lists.values()
        ],
        "warnings": list(parts.warnings()),
        "lines": lines,
        "nodes": [
            {
                "member": one.member,
                "quota": one.quota,
                "ended_at": moment_text(one.ended_at_ms),
                "used": {period: points for member, period, points in used if member == one.member},
            }
            for one in nodes
        ],
        "periods": [
            {
                "period": one.period,
                "check": one.check.hex(),
                "destroy_at": moment_text(one.destroy_at_ms),
                "destroyed_at": moment_text(one.destroyed_at_ms),
            }
            for one in periods
        ],
    }


def desk_log(parts: DeskParts, limit: int) -> Result:
    """The newest lines of the log."""
    with reading(parts.engine) as connection:
        rows = register.lines(connection, limit)
        total = register.count_lines(connection)
    return {
        "total": total,
        "rows": [
            {
                "at": moment_text(row.at_ms),
                "member": row.member,
                "period": row.period,
                "points": row.points,
                "outcome": row.outcome,
            }
            for row in rows
        ],
    }


def destroy_key(parts: DeskParts, period: str) -> Result:
    """Destroy a period's half before its time.

    Raises:
        ConfigurationError: There is none.
    """
    if not parts.desk.destroy(period):
        raise ConfigurationError(f"This desk never made a key for period {period[:16]!r}.")
    return {"period": period}


def serve_desk(directory: Path, say: Callable[[str], None]) -> None:
    """Serve nodes until SIGTERM or SIGINT.

    Raises:
        LockHeldError: Another process serves this desk.
        ConfigurationError: The address cannot be bound, or no hub is trusted yet.
    """
    load_desk_settings(directory)
    with writer_lock(directory, config.LOCK_FILE), open_desk(directory) as parts:
        anchors = parts.trusted()
        if not anchors:
            raise ConfigurationError(
                "This desk trusts no hub yet, so no node could call it: run `yixin hub desk trust` "
                "with the file that `yixin hub export-trust` writes."
            )
        roots = {hub: certificate_pem(anchor.ca_certificate_der) for hub, anchor in anchors.items()}
        asyncio.run(_serve(parts, roots, say))


async def _serve(parts: DeskParts, roots: dict[str, bytes], say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    keys = ServerKeys(
        key_pem=load_tls_key(parts.directory / config.TLS_KEY),
        certificate_pem=parts.certificate_pem,
        ca_certificate_pem=b"".join(roots.values()),
    )
    parts.desk.sweep()
    settings = parts.settings
    ready = parts.directory / config.SERVE_FILE
    with ThreadPoolExecutor(THREADS, "desk") as executor, HandshakeWatch(say):
        servicer = LinkDeskServicer(desk=parts.desk, roots=roots, executor=executor, now=parts.now)
        server = await start_link_desk(servicer, keys, settings.bind, settings.port)
        try:
            content = {"pid": os.getpid(), "desk": settings.member, "address": settings.address}
            write_private(ready, json.dumps(content).encode(), replace=True)
            say(f"The desk of {settings.member} serves nodes on {settings.address}.")
            while not stop.is_set():
                for period in await asyncio.to_thread(parts.desk.destroy_due):
                    say(f"The key of period {period} is destroyed: its retention is over.")
                for warning in await asyncio.to_thread(parts.warnings):
                    say(warning)
                try:
                    await asyncio.wait_for(stop.wait(), timeout=TIDY_EVERY_S)
                except TimeoutError:
                    continue
        finally:
            ready.unlink(missing_ok=True)
            await server.stop(GRACE_S)
    say("The desk has stopped.")


__all__ = [
    "DeskParts",
    "allow_node",
    "desk_log",
    "desk_status",
    "destroy_key",
    "end_node",
    "init_desk",
    "open_desk",
    "serve_desk",
    "take_revocations",
    "trust_hub",
]
