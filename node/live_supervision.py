"""Supervision before and during the fact, put together: a thread that loads, feeds and makes ready.

Rules:
- The interface listens without waiting for it: until the rules are loaded, 3101 and 3102 are
  answered "not judged". Only where identity is closed does it wait.
- The thread reads the store by a connection of its own; nothing of it can hold the writer up.
"""

import gc
import logging
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from node.api.his.own_faults import place_of
from node.api.his.prechecks import PreChecks
from node.config import NODE_KEY
from node.errors import StoreError
from node.intake.group import latest_moment
from node.intake.messages import Envelope
from node.store import NodeStore
from node.store.live_reader import LiveReader
from node.store.live_state import LiveWriter
from node.supervision.feeding import LiveFeed
from node.supervision.judging import Judging
from node.supervision_settings import SupervisionSettings
from scoring_kernel import Catalog
from security.at_rest import Vault

if TYPE_CHECKING:
    from scoring_kernel.rules import RuleBook

__all__ = ["LiveSupervision"]

RETRY_S: Final = 5.0
YOUNG_OBJECTS: Final = 20_000
"""So many new objects, and garbage is looked for: those of a few calls, not of one."""

SWITCH_S: Final = 0.0005
"""So long one thread holds the interpreter while a call waits: a tenth of what is usual."""

_LOG: Final = logging.getLogger(__name__)


class LiveSupervision:
    """Makes prechecks ready and keeps them fed; a context manager."""

    def __init__(
        self,
        directory: Path,
        settings: SupervisionSettings,
        catalog: Catalog,
        now: Callable[[], datetime],
        *,
        ticks: Callable[[], float],
        feeds: bool = True,
    ) -> None:
        """Take the parts.

        Args:
            directory: The node's state directory.
            settings: Table `[supervision]`.
            catalog: Interface and sources.
            now: The time, UTC-aware.
            ticks: Seconds that only grow.
            feeds: True for the daemon; beside it the state is only read.
        """
        self._directory = directory
        self._settings = settings
        self._catalog = catalog
        self._now = now
        self._ticks = ticks
        self._feeds = feeds
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._prechecks: PreChecks | None = None
        self._feed: LiveFeed | None = None
        self._institutions: Callable[[], frozenset[str]] = frozenset
        self._held: tuple[float, Envelope] | None = None
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)

    def start(self) -> None:
        """Begin; where identity is closed, wait until calls can be judged."""
        self._thread.start()
        if self._settings.live and self._settings.identity_closed:
            self._ready.wait()

    def stop(self) -> None:
        """Let the running turn end."""
        self._stopping.set()
        if self._feed is not None:
            self._feed.stop()
        self._thread.join()
        # At the end of the process all is garbage.
        gc.unfreeze()

    def find_prechecks(self) -> PreChecks | None:
        """Give what answers 3101 and 3102; None until it is ready."""
        return self._prechecks

    def _run(self) -> None:
        try:
            if self._settings.live:
                self._make_ready()
        except Exception as error:  # noqa: BLE001  # calls are then answered "not judged"
            _LOG.error("supervision could not be made ready: %s", place_of(error))
        finally:
            self._ready.set()

    def _make_ready(self) -> None:
        from scoring_kernel.rules import load_rules  # noqa: PLC0415  # the parser of SQL is large

        vault = Vault.load(self._directory / NODE_KEY)
        book = load_rules()
        judging = Judging(
            book,
            LiveReader(self._directory, vault),
            self._settings,
            ticks=self._ticks,
            place_of=place_of,
        )
        with NodeStore(self._directory, vault, catalog=self._catalog, writer=False) as store:
            codes = store.institution_codes()
            self._institutions = lambda: codes
            self._prechecks = PreChecks(judging, self._catalog.legal_basis, self._envelope)
            self._ready.set()
            # What is loaded stays: looking through it for garbage again and again takes long.
            gc.collect()
            gc.freeze()
            gc.set_threshold(YOUNG_OBJECTS)
            sys.setswitchinterval(SWITCH_S)
            if self._feeds:
                self._keep_fed(store, vault, book, judging)

    def _keep_fed(self, store: NodeStore, vault: Vault, book: "RuleBook", judging: Judging) -> None:
        """Feed the live state until it is told to stop."""
        while not self._stopping.is_set():
            try:
                writer = LiveWriter(self._directory, vault)
            except StoreError as error:
                _LOG.error("the live state cannot be kept: %s", error)
                self._stopping.wait(RETRY_S)
                continue
            feed = LiveFeed(
                store,
                writer,
                book,
                now=self._now,
                ticks=self._ticks,
                take_counts=judging.take_counts,
            )
            self._feed = feed
            codes = self._institutions()
            self._institutions = lambda: feed.institutions or codes  # noqa: B023  # the loop ends here
            if not self._stopping.is_set():
                feed.run()
            writer.close()
            return

    def _envelope(self) -> Envelope:
        """What a head is held against; made again after a second."""
        now = self._ticks()
        if self._held is None or now - self._held[0] >= 1:
            envelope = Envelope(
                transactions=self._catalog.transactions,
                institutions=self._institutions(),
                latest=latest_moment(self._now()),
            )
            self._held = (now, envelope)
        return self._held[1]
