"""Clues and join records from the node's records to its outbox: what is gathered, asked and stated.

The order of work:
0. One snapshot of the records gives the facts for joining, the places, and the leaves that hits
   and findings point at as their evidence. Clues that the hub would keep no longer stay here.
1. Tokens of everybody named are fetched, where they are not held. A desk that does not answer
   ends the run here: nothing was stated, nothing is lost, the next run does it again.
2. Changed parts go into the outbox; the next uplink sends them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from node.config import NODE_KEY
from node.domain.clue_drafts import ClueDraft, JoinFacts, Place
from node.errors import ConfigurationError
from node.store import NodeStore
from node.store.findings import Findings
from node.store.links import LinkStore
from node.store.measures_file import FILE_NAME as MEASURES_FILE
from node.supervision.clues import read_drafts
from node.supervision.finding_clues import read_finding_drafts
from node.supervision.join_facts import open_facts, read_facts, read_places
from node.sync.clues import (
    KeyedPeriod,
    Outgoing,
    period_of_month,
    periods_of_rows,
    state_clues,
    state_join_records,
)
from node.sync.flow import Link
from node.sync.tokens import DESKS, FetchReport, TokenFetcher
from scoring_kernel import Catalog
from scoring_kernel.joining import JoinKind
from scoring_kernel.rules import RuleBook, load_rules
from security.at_rest import Vault
from security.errors import MembershipError
from security.linking import DeskCard, keys_digest, read_card
from security.linking.desk_identity import MAX_CARD_BYTES
from security.linking.oprf import MAX_IDENTIFIER_CHARS
from security.moments import SHANGHAI
from security.private_files import write_private
from security.progress import ProgressReporter

__all__ = ["ClueReport", "ClueSending", "load_cards", "save_cards"]

CARDS_DIRECTORY: Final = "desks"
_MODE: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueReport:
    """What one run put into the outbox."""

    clues: int
    """Clues that stand."""
    clue_parts: int
    """Changed parts of clues."""
    join_parts: Mapping[str, int]
    """Changed parts of join records, by kind."""
    asked: int
    """Persons whose tokens were asked for."""
    desks: int
    """Desks this node knows."""
    closed: Mapping[str, str] = field(default_factory=dict)
    """Periods without tokens, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueSending:
    """Gathers, asks and states for one node."""

    directory: Path
    catalog: Catalog
    store: NodeStore
    link: Link
    now: datetime
    """Present moment, UTC-aware."""

    def state(self, progress: ProgressReporter) -> ClueReport:
        """Put what changed into the outbox.

        Raises:
            ConfigurationError: One desk is known, expected two or none.
            DeskUnreachableError: A desk did not answer; nothing was stated.
            DeskRefusedError: A desk refused; nothing was stated.
            LinkAnswerError: A desk's answer is not believed; nothing was stated.
            StoreError: The records cannot be read.
        """
        joining = self.catalog.joining
        today = self.now.astimezone(SHANGHAI).date()
        out = Outgoing(
            link=self.link,
            joining=joining,
            custody={one.code for one in self.store.institutions() if not one.foreign},
            today=today,
            pack_digest=self.catalog.digest,
        )
        # 0. One snapshot.
        progress("gathering", 0, 0, "")
        book = load_rules(self.catalog)
        kinds = frozenset(self.store.schemas)
        engine = open_facts(self.store, book, joining, kinds)
        try:
            facts = list(read_facts(engine, joining, today))
            places = read_places(engine, today)
            drafts = [
                one
                for one in self._drafts(book, engine, kinds)
                if not joining.hub_clues.is_over(one.month, today)
            ]
        finally:
            engine.close()
        # 1. Tokens.
        cards = load_cards(self.directory)
        links = LinkStore(self.directory, self.store.supervision.secret)
        try:
            wanted = _wanted(out, facts, drafts)
            links.forget_others(wanted.keys())
            fetched = FetchReport()
            if cards:
                fetched = self._fetch(links, cards, wanted, progress)
            periods = {
                name: KeyedPeriod(
                    period=name,
                    keys_digest=keys_digest([*links.checks(name).values()]),
                    tokens=links.tokens(name, sorted(wanted[name])),
                )
                for name in fetched.open
            }
        finally:
            links.close()
        # 2. The outbox.
        progress("stating", 0, 0, "")
        return ClueReport(
            clues=sum(one.institution in out.custody for one in drafts),
            clue_parts=state_clues(out, drafts, periods),
            join_parts=_state_facts(out, facts, places, periods),
            asked=fetched.asked,
            desks=len(cards),
            closed=fetched.closed,
        )

    def drafts(self) -> tuple[tuple[ClueDraft, ...], RuleBook]:
        """The clues that stand, the highest score first, and the rules they are of."""
        book = load_rules(self.catalog)
        kinds = frozenset(self.store.schemas)
        engine = open_facts(self.store, book, self.catalog.joining, kinds)
        try:
            found = self._drafts(book, engine, kinds)
            ordered = sorted(found, key=lambda one: (-one.score, -one.month, one.id))
        finally:
            engine.close()
        return tuple(ordered), book

    def _drafts(
        self, book: RuleBook, engine: duckdb.DuckDBPyConnection, kinds: frozenset[str]
    ) -> Iterator[ClueDraft]:
        score = self.catalog.joining.score
        yield from read_drafts(self.store.supervision, book, score, engine, kinds)
        if (self.directory / MEASURES_FILE).exists():
            with Findings(self.directory, Vault.load(self.directory / NODE_KEY)) as kept:
                yield from read_finding_drafts(kept.standing(), score, engine)

    def _fetch(
        self,
        links: LinkStore,
        cards: tuple[DeskCard, ...],
        wanted: Mapping[str, Collection[str]],
        progress: ProgressReporter,
    ) -> FetchReport:
        fetcher = TokenFetcher(
            shelf=links,
            cards=cards,
            membership=self.link.membership,
            now=self.now,
            progress=progress,
        )
        return fetcher.fetch(wanted)


def load_cards(directory: Path) -> tuple[DeskCard, ...]:
    """The desks a node knows: none, or both.

    Raises:
        ConfigurationError: There is another number of cards.
        MembershipError: A card is damaged.
    """
    place = directory / CARDS_DIRECTORY
    paths = sorted(place.glob("*.json")) if place.is_dir() else []
    cards = tuple(read_card(path.read_bytes()[: MAX_CARD_BYTES + 1]) for path in paths)
    if len(cards) not in {0, DESKS}:
        raise ConfigurationError(
            f"{place} holds {len(cards)} cards of desks, expected {DESKS}: run `yixin node clues "
            "desks` with both"
        )
    return cards


def save_cards(directory: Path, files: Iterable[Path]) -> tuple[DeskCard, ...]:
    """Take over the cards of both desks, in the place of those held.

    Raises:
        ConfigurationError: Not two cards, of two desks with two keys, or a file is unreadable.
        MembershipError: A file is no card.
    """
    cards: list[DeskCard] = []
    for path in files:
        try:
            with path.open("rb") as file:
                cards.append(read_card(file.read(MAX_CARD_BYTES + 1)))
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
        except MembershipError as error:
            raise MembershipError(f"{path}: {error}") from error
    keys = {card.fingerprint for card in cards}
    if len(cards) != DESKS or len({card.desk for card in cards}) != DESKS or len(keys) != DESKS:
        raise ConfigurationError(
            f"expected the cards of {DESKS} different desks, each with its own key: one desk alone "
            "could name every token"
        )
    place = directory / CARDS_DIRECTORY
    place.mkdir(mode=_MODE, exist_ok=True)
    for number, card in enumerate(cards, start=1):
        write_private(place / f"{number}.json", card.to_json().encode("ascii"), replace=True)
    return tuple(cards)


def _wanted(
    out: Outgoing, facts: Iterable[JoinFacts], drafts: Iterable[ClueDraft]
) -> dict[str, set[str]]:
    """Persons to have tokens of, by period; numbers of a form that no desk takes are left out."""
    found: dict[str, set[str]] = {}
    for one in facts:
        if JoinKind(one.kind).has_token:
            for period, person in periods_of_rows(out, one):
                found.setdefault(period, set()).add(person)
    for draft in drafts:
        if draft.person is not None and draft.institution in out.custody:
            found.setdefault(period_of_month(draft.month), set()).add(draft.person)
    return {
        period: {one for one in persons if 0 < len(one.strip()) <= MAX_IDENTIFIER_CHARS}
        for period, persons in found.items()
    }


def _state_facts(
    out: Outgoing,
    facts: Iterable[JoinFacts],
    places: tuple[Place, ...],
    periods: Mapping[str, KeyedPeriod],
) -> dict[str, int]:
    stated: dict[str, int] = {}
    for one in facts:
        if not JoinKind(one.kind).has_token:
            stated[one.kind] = state_join_records(out, one, None, places)
        else:
            stated[one.kind] = sum(
                state_join_records(out, one, period, places) for period in periods.values()
            )
    return stated
