"""What a bundle shows, opened step by step: the checks fill it and read what others proved.

Rules: only what was verified is put here, except the leaves, whose root says whether they count;
whatever could not be verified is left out and recorded as a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from security.audit.operations import OperatorChain

if TYPE_CHECKING:
    from collections.abc import Callable

    from protos.yixin.v1 import identity_pb2, transparency_pb2
    from security.audit.bundle import Manifest
    from security.audit.report import Failure, Findings
    from security.audit.source import BundleSource
    from security.audit.trust import Trust
    from security.certificates import Keyring
    from security.merkle import Frontier
    from security.progress import ProgressReporter
    from security.sharing.agreement import Agreement
    from security.transparency import Checkpoint

Serial: TypeAlias = tuple[str, int]
"""Issuing hub and serial of a certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRule:
    """A suite policy (套件策略) as it was signed."""

    since_ms: int
    """Moment of signing, milliseconds since the epoch, UTC."""
    version: int
    """Version of the policy."""
    suites: frozenset[str]
    """Names of the suites that are allowed; none where what all members may use holds."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """The opened bundle of one hub."""

    source: BundleSource
    """Where its files are read from."""
    manifest: Manifest
    """What it says it holds."""
    keyring: Keyring
    """Keys that verified against the auditor's anchors."""
    progress: ProgressReporter
    """Takes the progress."""
    anchor: identity_pb2.TrustAnchor | None = None
    """The auditor's anchor of the hub; None when it holds none."""
    leaves: list[transparency_pb2.LogLeaf | Failure] = field(default_factory=list)
    """The leaves, in order; a failure in the place of one that is none."""
    hashes: list[bytes] = field(default_factory=list)
    """Hashes of the leaves, in order."""
    places: dict[bytes, int] = field(default_factory=dict)
    """Place in the range of every envelope's leaf, by hash of the envelope."""
    emptied: dict[bytes, int] = field(default_factory=dict)
    """Moment at which retention emptied an envelope, by its hash; within the range or later."""
    before: Frontier | None = None
    """Compact range of the leaves before the range; None when it cannot be read."""
    note: str = ""
    """The signed checkpoint, once the hub's signature is verified."""
    checkpoint: Checkpoint | None = None
    """What the note says."""
    is_rooted: bool = False
    """Whether frontier and leaves lead to the checkpoint's root."""
    notes: dict[int, str] = field(default_factory=dict)
    """Signed checkpoints of this log, proved to be of one history, by size."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """Their roots, by size."""
    cosigned_by: tuple[str, ...] = ()
    """Trusted witnesses that confirmed the whole range."""
    revoked: dict[Serial, int] = field(default_factory=dict)
    """Since when a certificate is revoked, milliseconds since the epoch, UTC."""
    policies: dict[str, list[SuiteRule]] = field(default_factory=dict)
    """Suite policies by member, empty for all others; in order of time."""
    agreements: dict[str, Agreement] = field(default_factory=dict)
    """Sharing agreements by ``id@version``."""
    agreed_at_ms: dict[str, int] = field(default_factory=dict)
    """Moment at which an agreement's own leaf was logged, by ``id@version``."""
    retired_at_ms: dict[str, int] = field(default_factory=dict)
    """Moment at which an agreement was retired, by ``id@version``."""
    agreement_leaves: list[transparency_pb2.LogLeaf] = field(default_factory=list)
    """Leaves of the range that are about agreements, in order."""
    newest_list: tuple[int, bytes] | None = None
    """Log index and hash of the newest revocation list that the range logged."""
    shown: dict[int, set[bytes]] = field(default_factory=dict)
    """SHA-256 of what is shown for the leaves of a kind, by kind."""
    operators: OperatorChain = field(default_factory=OperatorChain)
    """Entries of the operator log, and how far they were followed."""
    released: frozenset[bytes] | None = None
    """SHA-256 of every pack that was released; None when no proved metadata is shown."""
    catalogues: frozenset[bytes] | None = None
    """Digests of the catalogues in them; None when a released pack is not shown."""

    def show(self, kind: int, digest: bytes) -> None:
        """Note that what a leaf of this kind names is in the bundle."""
        self.shown.setdefault(kind, set()).add(digest)

    def is_shown(self, kind: int, digest: bytes) -> bool:
        """Whether what a leaf of this kind names is in the bundle."""
        return digest in self.shown.get(kind, ())


Check: TypeAlias = "Callable[[Evidence, Trust, Findings], None]"
"""One check of a bundle: reads and fills the evidence, records what it found."""
