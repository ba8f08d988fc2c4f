"""What the flows of sharing work with, built once by the jobs and services of a hub."""

from dataclasses import dataclass, field

from sqlalchemy import Engine

from hub.store.identity import HubIdentity, MemberKeys
from scoring_kernel import Catalog
from security.exchange.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingRoom:
    """The parts of one hub that share."""

    engine: Engine = field(repr=False)
    """The hub's database."""
    identity: HubIdentity = field(repr=False)
    """Keys of the hub."""
    catalog: Catalog = field(repr=False)
    """Models and legal bases."""
    outbox: Outbox = field(repr=False)
    """Payloads for members and for the parent hub."""
    keys: MemberKeys = field(repr=False)
    """Certified keys of members."""
