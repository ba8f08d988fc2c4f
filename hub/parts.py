"""The parts of one hub, built once over its state directory and shared by daemon and commands."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from hub.agreements.gate import AgreementGate
from hub.config import Settings, load_settings, usable
from hub.errors import ConfigurationError
from hub.log.hub_log import HubLog
from hub.log.opening import open_log
from hub.store.certifying import begin_epochs, choose_signing
from hub.store.database import open_database
from hub.store.engine import reading
from hub.store.identity import HubIdentity, MemberKeys, load_identity
from hub.store.statements import StatementStore
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.measure_sets import MeasureSet
from scoring_kernel.supervision.stated import stated_sets
from security.at_rest.segments import SegmentStore
from security.exchange.outbox import Outbox
from security.moments import to_ms
from security.private_files import write_private

DATABASE_FILE: Final = "hub.db"
KEYS: Final = "keys"
OBJECTS: Final = "objects"
PARENT: Final = "parent"
ADDRESSES_FILE: Final = "addresses.json"
SERVE_FILE: Final = "serve.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Ports this hub listens on, kept so that members find it again after a restart."""

    exchange_port: int
    enrolment_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HubParts:
    """Everything a job of the hub works with."""

    directory: Path
    """State directory."""
    settings: Settings
    """Settings of hub.toml."""
    identity: HubIdentity = field(repr=False)
    """Keys of the hub."""
    engine: Engine = field(repr=False)
    """Its database."""
    catalog: Catalog = field(repr=False)
    """Models, measures and items."""
    statements: StatementStore = field(repr=False)
    """Rows that members stated."""
    outbox: Outbox = field(repr=False)
    """Payloads for members and for the parent hub."""
    keys: MemberKeys = field(repr=False)
    """Certified keys of members."""
    log: HubLog = field(repr=False)
    """Its transparency log."""
    now: Callable[[], datetime] = field(repr=False)
    """Tells the present moment, UTC-aware."""

    @property
    def parent_directory(self) -> Path:
        """Directory of the membership in the parent hub."""
        return self.directory / PARENT

    @property
    def stated_sets(self) -> Mapping[str, MeasureSet]:
        """Sets that members may state: those of grading, and those of supervision that travel."""
        return {**self.catalog.measure_sets, **stated_sets()}

    def address(self, port: int) -> str:
        """host:port as members are told."""
        host = self.settings.network.advertised_host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def addresses(self) -> Addresses:
        """Ports of the hub: those of hub.toml, else those of its last run.

        Raises:
            ConfigurationError: A port is neither set nor known yet.
        """
        network = self.settings.network
        known = find_addresses(self.directory)
        exchange = network.exchange_port or (known.exchange_port if known else 0)
        enrolment = network.enrolment_port or (known.enrolment_port if known else 0)
        if not exchange or not enrolment:
            raise ConfigurationError(
                "The hub's ports are not known yet; run `yixin hub serve` once, or set "
                "exchange_port and enrolment_port in [network] of hub.toml."
            )
        return Addresses(exchange_port=exchange, enrolment_port=enrolment)


@contextmanager
def open_parts(directory: Path, now: Callable[[], datetime], *, writer: bool) -> Iterator[HubParts]:
    """Build the parts of a hub, and close them.

    Args:
        directory: State directory.
        now: Tells the present moment, UTC-aware.
        writer: Whether the caller holds the writer lock; then leftovers of a crash are removed.

    Raises:
        NotInitialisedError: The directory holds no hub.
        ConfigurationError: Its settings or its database are unusable.
        KeyFileError: A key file is missing, damaged or open to others.
    """
    settings = load_settings(directory)
    identity = load_identity(directory / KEYS, settings.hub.member_id)
    url = settings.database.url or f"sqlite:///{(directory / DATABASE_FILE).resolve()}"
    catalog = load_catalog()
    engine = open_database(url)
    try:
        log = open_log(
            settings.log, identity, engine, directory, directory / KEYS, now=now, writer=writer
        )
        engine = log.engine
        if writer:
            begin_epochs(engine, identity, settings.suites.names, to_ms(now()))
        else:
            with reading(engine) as connection:
                choose_signing(connection, identity, to_ms(now()))
        with usable(directory / OBJECTS):
            segments = SegmentStore(directory / OBJECTS, identity.vault)
            statements = StatementStore(
                identity.vault, segments, {**catalog.measure_sets, **stated_sets()}
            )
            if writer:
                with reading(engine) as connection:
                    statements.sweep(connection)
        yield HubParts(
            directory=directory,
            settings=settings,
            identity=identity,
            engine=engine,
            catalog=catalog,
            statements=statements,
            outbox=Outbox(identity.vault, AgreementGate(hub=identity.hub)),
            keys=MemberKeys(identity),
            log=log,
            now=now,
        )
    finally:
        engine.dispose()


def find_addresses(directory: Path) -> Addresses | None:
    """Ports of the last run; None before the first."""
    try:
        found = json.loads((directory / ADDRESSES_FILE).read_text("utf-8"))
        return Addresses(
            exchange_port=int(found["exchange_port"]), enrolment_port=int(found["enrolment_port"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_addresses(directory: Path, addresses: Addresses) -> None:
    """Keep the ports of this run."""
    content = json.dumps(
        {"exchange_port": addresses.exchange_port, "enrolment_port": addresses.enrolment_port}
    )
    write_private(directory / ADDRESSES_FILE, content.encode(), replace=True)
