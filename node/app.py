"""Composition root of a node: the one place that builds its parts and reads the clock."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from node.config import (
    LOCK_FILE,
    NODE_KEY,
    SETTINGS_FILE,
    NodeSettings,
    load_settings,
    settings_text,
)
from node.daemon import serve
from node.domain.institutions import CODE_PATTERN, Institution
from node.errors import ConfigurationError
from node.jobs import NodeJobs, Result
from node.packs.holding import holding_of
from node.store import NodeStore
from node.store.scores import ScoreStore
from node.sync.flow import Link, restate
from node.sync.inbox import custody_institutions
from scoring_kernel import load_catalog
from scoring_kernel.packs import install_pack
from security.at_rest import Vault
from security.errors import PackError
from security.exchange import membership
from security.exchange.custody import open_custody
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.join import join
from security.exchange.outbox import Outbox
from security.moments import to_ms
from security.operator import writer_lock
from security.packs.in_force import install_current
from security.private_files import write_private
from security.progress import ProgressReporter
from security.restarting import start_again

EXCHANGE_DATABASE: Final = "exchange.db"
MEMBERSHIP_DIRECTORY: Final = "membership"


def utc_now() -> datetime:
    """The clock of the node."""
    return datetime.now(tz=UTC)


def init_node(directory: Path, institutions: Sequence[str]) -> Path:
    """Make a node's state directory.

    Raises:
        ConfigurationError: The directory is not empty, or an institution code is malformed.
    """
    for code in institutions:
        if not CODE_PATTERN.fullmatch(code):
            raise ConfigurationError(
                f"{code!r} is no institution code: expected H or P and eleven digits, "
                "for example H33030200001"
            )
    if directory.exists() and any(directory.iterdir()):
        raise ConfigurationError(
            f"{directory} is not empty; nothing was changed. Name a new directory with --dir"
        )
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    write_private(directory / SETTINGS_FILE, settings_text(NodeSettings()).encode())
    Vault.create(directory / NODE_KEY)
    with opened(directory) as jobs:
        jobs.store.set_institutions([Institution(code=code, name=code) for code in institutions])
    return directory


@contextmanager
def opened(directory: Path, *, writer: bool = True, own_pack: bool = True) -> Iterator[NodeJobs]:
    """Build the parts of a node over its state directory, and close them.

    Args:
        directory: State directory.
        writer: Whether the caller holds the writer lock.
        own_pack: Whether the node's pack in force becomes the catalogue of this process; not where
            an inspector named the pack to count with.
    """
    if own_pack:
        # A node without its pack stores and is not scored: where it stands says so.
        with suppress(PackError):
            install_current(holding_of(directory).directory, install_pack)
    vault = Vault.load(directory / NODE_KEY)
    catalog = load_catalog()
    store = NodeStore(directory, vault, catalog=catalog, writer=writer)
    scores = ScoreStore(directory)
    link = _link(directory, vault)
    if writer and link is not None and link.membership.joined.pack_root:
        # Also after a restore: what the join pinned stays pinned.
        holding_of(directory).pin(link.membership.joined.pack_root)
    try:
        yield NodeJobs(
            directory=directory,
            catalog=catalog,
            store=store,
            scores=scores,
            link=link,
            now=utc_now,
        )
    finally:
        scores.close()
        store.close()
        if link is not None:
            link.engine.dispose()


def _link(directory: Path, vault: Vault) -> Link | None:
    if not membership.is_joined(directory / MEMBERSHIP_DIRECTORY):
        return None
    return Link(
        membership=membership.load(directory / MEMBERSHIP_DIRECTORY),
        engine=open_exchange(directory / EXCHANGE_DATABASE),
        outbox=Outbox(vault),
        inbox=Inbox(vault),
    )


def run_here(
    directory: Path, command: str, arguments: Result, progress: ProgressReporter, *, writes: bool
) -> Result:
    """Run a job in this process; jobs that write take the writer lock."""
    if not writes:
        with opened(directory, writer=False) as jobs:
            return jobs.table()[command](arguments, progress)
    with writer_lock(directory, LOCK_FILE):
        if command == "join":
            return join_node(directory, arguments["token"], arguments["suite"])
        with opened(directory) as jobs:
            return jobs.table()[command](arguments, progress)


def join_node(directory: Path, token: str, suite: str) -> Result:
    """Join a hub and take over the custody register that comes with the answer."""
    now = utc_now()
    joined = asyncio.run(
        join(
            directory / MEMBERSHIP_DIRECTORY,
            token,
            kind="node",
            post_quantum=False,
            now=now,
            suite=suite,
        )
    )
    register = open_custody(
        joined.joined.custody,
        joined.keyring,
        hub=joined.hub_id,
        member=joined.member_id,
        at_ms=to_ms(now),
    )
    institutions = custody_institutions(register)
    with opened(directory) as jobs:
        jobs.store.set_institutions(institutions)
        if jobs.link is not None:
            # The register may be another one: what was refused or left out before is due now.
            restate(jobs.link)
    return {
        "member": joined.member_id,
        "hub": joined.hub_id,
        "institutions": len(institutions),
    }


def serve_node(directory: Path, say: Callable[[str], None]) -> None:
    """Run the daemon until SIGTERM or SIGINT; the running job comes to a safe point first.

    Raises:
        LockHeldError: Another process writes to the directory.
    """
    with writer_lock(directory, LOCK_FILE), opened(directory) as jobs:
        settings = load_settings(directory)
        import uvloop  # noqa: PLC0415  # only the daemon needs it

        restart = uvloop.run(serve(directory, jobs, settings, utc_now, say))
    if restart:
        start_again()
