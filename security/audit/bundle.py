"""Audit bundles: the evidence of a range of a hub's log, as one directory or zip file.

A bundle holds, for the leaves of [from, to):

- ``manifest.json``, and ``frontier.bin``: the compact range of all leaves before;
- ``leaves.pb``: every leaf of the range, so that omissions show;
- ``checkpoint.txt``: the hub's signed checkpoint of size ``to``; ``checkpoints.pb``: earlier and
  later ones, such as those that witnesses cosigned, with consistency proofs;
- ``certificates.pb``, of members and of the hub's own keys; ``revocations.pb``, ``policies.pb``
  and ``agreements.pb``: the signed lists, suite policies and sharing agreements; ``prior.pb``:
  leaves of agreements from before the range, each as index (8 bytes), leaf and inclusion path;
- ``emptied.pb``: leaves from after the range that say which of its envelopes retention emptied,
  each as index and size of a later checkpoint (8 bytes each), leaf and inclusion path;
- ``envelopes.pb`` and ``receipts.pb``: sealed envelopes and receipts, in leaf order;
- ``publications/<root>.pb``: the signed grade statements of a publication;
- ``operations.pb``: entries of the operator log; ``packs/<name>.json`` and
  ``packs/<sha256>.zip``: metadata of the model packs, and the packs.

Rules: nothing inside is trusted, least of all a trust anchor, so a bundle holds none; files of
many messages are length-delimited; a period in the manifest limits envelopes, receipts and
publications to it, never the leaves.
"""

from __future__ import annotations

import os
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import orjson

from security.audit.frames import write_frames
from security.errors import AuditInputError
from security.members import is_member_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

FORMAT: Final = 2
MANIFEST: Final = "manifest.json"
FRONTIER: Final = "frontier.bin"
CHECKPOINT: Final = "checkpoint.txt"
CERTIFICATES: Final = "certificates.pb"
LEAVES: Final = "leaves.pb"
ENVELOPES: Final = "envelopes.pb"
RECEIPTS: Final = "receipts.pb"
REVOCATIONS: Final = "revocations.pb"
POLICIES: Final = "policies.pb"
AGREEMENTS: Final = "agreements.pb"
OPERATIONS: Final = "operations.pb"
EARLIER: Final = "checkpoints.pb"
PRIOR: Final = "prior.pb"
EMPTIED: Final = "emptied.pb"
PUBLICATIONS: Final = "publications/"
PACKS: Final = "packs/"

MAX_MANIFEST_BYTES: Final = 64 * 1024
MAX_RANGE: Final = 1_000_000
"""Most leaves of one bundle; larger ranges are exported in pieces."""
_MAX_INDEX: Final = 2**63 - 1
_PERIOD: Final = re.compile(r"(?:[0-9]{4}H[12])?")
_MAX_CREATED_CHARS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says it holds."""

    hub: str
    """Member id of the hub whose log it is."""
    from_index: int
    """First log index."""
    to_index: int
    """First log index after the range; size of the checkpoint."""
    period: str = ""
    """Rating period the bundle is limited to, or empty."""
    created: str
    """When it was made, ISO 8601, UTC."""

    def __post_init__(self) -> None:
        """Check the parts.

        Raises:
            AuditInputError: A part is malformed or out of bounds.
        """
        texts = (self.hub, self.period, self.created)
        numbers = (self.from_index, self.to_index)
        # A JSON true is an int to Python, hence the exact type.
        if not all(isinstance(text, str) for text in texts) or any(
            type(number) is not int for number in numbers
        ):
            raise AuditInputError(f"{MANIFEST}: a value has the wrong type")
        if not is_member_id(self.hub) or not _PERIOD.fullmatch(self.period):
            raise AuditInputError(f"{MANIFEST}: hub {self.hub[:99]!r}, period {self.period[:9]!r}")
        if len(self.created) > _MAX_CREATED_CHARS:
            raise AuditInputError(f"{MANIFEST}: created has {len(self.created)} characters")
        if not 0 <= self.from_index <= self.to_index <= _MAX_INDEX:
            raise AuditInputError(f"{MANIFEST}: range from {self.from_index} to {self.to_index}")
        if self.size > MAX_RANGE:
            raise AuditInputError(
                f"{MANIFEST}: {self.size} leaves, over {MAX_RANGE}; export the range in pieces"
            )

    @property
    def size(self) -> int:
        """Number of leaves of the range."""
        return self.to_index - self.from_index

    def covers(self, period: str) -> bool:
        """Whether envelopes of this period are part of the bundle."""
        return self.period in {"", period}

    def to_json(self) -> bytes:
        """Serialise as one JSON object."""
        return orjson.dumps(
            {
                "format": FORMAT,
                "hub": self.hub,
                "from_index": self.from_index,
                "to_index": self.to_index,
                "period": self.period,
                "created": self.created,
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleParts:
    """The contents of a bundle; serialised messages, read once, in the order written below."""

    manifest: Manifest
    """What the bundle holds."""
    frontier: bytes
    """``Frontier.to_bytes`` of the leaves before the range."""
    checkpoint: str
    """Signed checkpoint of size ``to_index``."""
    certificates: Iterable[bytes]
    """Serialised ``KeyCertificate`` of every sender, and of the hub."""
    leaves: Iterable[bytes]
    """Bytes of every leaf of the range."""
    envelopes: Iterable[bytes]
    """Serialised ``SealedEnvelope`` of every envelope and delivery leaf, in leaf order."""
    receipts: Iterable[bytes]
    """Serialised ``Receipt`` of every envelope leaf, in leaf order."""
    publications: Iterable[tuple[bytes, Iterable[bytes]]] = ()
    """Root of a publication and its serialised ``SignedGradeStatement``, in leaf order."""
    revocations: Iterable[bytes] = ()
    """Serialised ``RevocationList``, every version that is kept."""
    policies: Iterable[bytes] = ()
    """Serialised ``SuitePolicy``, every version."""
    agreements: Iterable[bytes] = ()
    """Serialised ``SignedAgreement``, every version."""
    operations: Iterable[bytes] = ()
    """Entries of the operator log: the bytes whose SHA-256 is in a leaf."""
    earlier: Iterable[bytes] = ()
    """Serialised ``Proof``: an earlier checkpoint and the path from it to this one."""
    prior: Iterable[bytes] = ()
    """Of every agreement's leaf before the range: index, leaf, path; three messages each."""
    emptied: Iterable[bytes] = ()
    """Of every leaf after the range that empties an envelope of it: place, leaf, path."""
    packs: Iterable[tuple[str, bytes]] = ()
    """Name and content of packs, ``<sha256>.zip``, and of metadata such as ``1.root.json``."""


def write_bundle(path: Path, parts: BundleParts) -> dict[str, int]:
    """Write a bundle, whole or not at all under its name.

    Args:
        path: A new directory, or a file whose name ends in ``.zip``.
        parts: Contents.

    Returns:
        Number of messages per file.

    Raises:
        AuditInputError: The path is already there, its directory is not, or it cannot be written.
    """
    if path.exists():
        raise AuditInputError(f"{path} is already there; name a new directory or .zip file")
    if not path.parent.is_dir():
        raise AuditInputError(f"{path.parent} is no directory; make it, or name another place")
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        if path.suffix == ".zip":
            counts = _write_zip(temporary, parts)
        else:
            temporary.mkdir(mode=0o700)
            counts = _write_parts(lambda name: _new_file(temporary / name), parts)
        temporary.rename(path)
    except OSError as error:
        raise AuditInputError(
            f"{path} cannot be written: {error.strerror}; remove {temporary} and try again"
        ) from error
    return counts


def _write_zip(path: Path, parts: BundleParts) -> dict[str, int]:
    with (
        open(path, "xb", opener=_for_the_owner) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):

        @contextmanager
        def entry(name: str) -> Iterator[IO[bytes]]:
            info = zipfile.ZipInfo(name)
            # Ciphertexts do not shrink; to deflate them would only cost time, here and there.
            info.compress_type = zipfile.ZIP_STORED if name == ENVELOPES else zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as opened:
                yield opened

        return _write_parts(entry, parts)


def _for_the_owner(path: str, flags: int) -> int:
    """A bundle names in clear who was graded how: who hands it on decides who reads it."""
    return os.open(path, flags, 0o600)


def _new_file(path: Path) -> IO[bytes]:
    path.parent.mkdir(exist_ok=True)
    return path.open("xb")


def _write_parts(
    create: Callable[[str], AbstractContextManager[IO[bytes]]], parts: BundleParts
) -> dict[str, int]:
    whole = {
        MANIFEST: parts.manifest.to_json(),
        FRONTIER: parts.frontier,
        CHECKPOINT: parts.checkpoint.encode(),
    }
    for name, content in whole.items():
        with create(name) as file:
            file.write(content)
    counts = {}
    many = {
        CERTIFICATES: parts.certificates,
        LEAVES: parts.leaves,
        ENVELOPES: parts.envelopes,
        RECEIPTS: parts.receipts,
        REVOCATIONS: parts.revocations,
        POLICIES: parts.policies,
        AGREEMENTS: parts.agreements,
        OPERATIONS: parts.operations,
        EARLIER: parts.earlier,
        PRIOR: parts.prior,
        EMPTIED: parts.emptied,
    }
    for name, messages in many.items():
        with create(name) as file:
            counts[name] = write_frames(file, messages)
    for root, messages in parts.publications:
        name = f"{PUBLICATIONS}{root.hex()}.pb"
        with create(name) as file:
            counts[name] = write_frames(file, messages)
    for name, content in parts.packs:
        with create(f"{PACKS}{name}") as file:
            file.write(content)
        counts[PACKS] = counts.get(PACKS, 0) + 1
    return counts
