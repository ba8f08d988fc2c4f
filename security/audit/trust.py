"""Trust files: what an auditor relies on, as officers hand it over, never from a bundle.

Rules: text, so that it can be printed and compared by eye; lines that begin with ``#`` are for
people; every other line begins with a word, and what follows it, indented, is base64. Two files
that contradict each other are not merged: one of them was forged. A file of version 1 holds one
anchor and nothing else; it is read, never written.
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from security.audit.seen import parse_seen, seen_line
from security.certificates import MAX_ANCHOR_BYTES, anchor_bytes, anchor_digest, parse_anchor
from security.errors import AuditInputError, SecurityError, cause_of
from security.tlog.witness_policy import Witness, parse_witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from protos.yixin.v1 import identity_pb2
    from security.transparency import Checkpoint

MAX_FILE_BYTES: Final = 64 * 2 * MAX_ANCHOR_BYTES
MAX_RECORDS: Final = 1_000
VERSION: Final = "yixin-trust 2"
_LINE_CHARS: Final = 76
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_QUORUM: Final = re.compile(r"[0-9]{1,3}")
_COMMAND: Final = "the hub writes one with: yixin hub export-trust FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What an auditor relies on."""

    anchors: Mapping[str, identity_pb2.TrustAnchor]
    """Anchor of every hub, by member id."""
    witnesses: tuple[Witness, ...] = ()
    """Witnesses (见证方) whose cosignatures count."""
    quorum: int = 0
    """How many of them must have signed a checkpoint."""
    pack_root: bytes = b""
    """SHA-256 of the packs' first root metadata, or empty."""
    seen: tuple[Checkpoint, ...] = ()
    """Checkpoints that the auditor saw before."""
    requires_witnesses: bool = False
    """Whether a missing quorum makes a bundle invalid, not indeterminate."""

    def __post_init__(self) -> None:
        """Check that the parts belong together.

        Raises:
            AuditInputError: More witnesses must sign than there are.
        """
        if self.quorum > len(self.witnesses):
            raise AuditInputError(
                f"the trust file asks for {self.quorum} witnesses and names "
                f"{len(self.witnesses)}; add their lines, or lower the quorum"
            )

    @classmethod
    def of(cls, *anchors: identity_pb2.TrustAnchor) -> Trust:
        """Trust in some hubs and nothing else."""
        return cls(anchors=MappingProxyType({anchor.hub: anchor for anchor in anchors}))


def save_trust(path: Path, trust: Trust) -> None:
    """Write a trust file; it holds nothing secret.

    Raises:
        AuditInputError: The file cannot be written.
    """
    try:
        path.write_text("\n".join([*_lines(trust), ""]), encoding="ascii")
    except OSError as error:
        raise AuditInputError(f"{path} cannot be written: {error.strerror}") from error


def save_anchor(path: Path, anchor: identity_pb2.TrustAnchor) -> None:
    """Write a trust file that holds one anchor.

    Raises:
        AuditInputError: The file cannot be written.
    """
    save_trust(path, Trust.of(anchor))


def load_trust(paths: Sequence[Path]) -> Trust:
    """Read trust files and merge them.

    Raises:
        AuditInputError: A file is missing, too long or no trust file, or two contradict.
    """
    merged = Trust.of()
    for path in paths:
        merged = merge(merged, _load(path))
    if not merged.anchors:
        raise AuditInputError(f"the trust files hold no anchor of a hub; {_COMMAND}")
    return merged


def load_anchor(path: Path) -> identity_pb2.TrustAnchor:
    """Read a trust file that holds one anchor.

    Raises:
        AuditInputError: The file is missing, too long or holds no anchor, or several.
    """
    anchors = list(load_trust([path]).anchors.values())
    if len(anchors) != 1:
        raise AuditInputError(f"{path} holds {len(anchors)} anchors; one is expected")
    return anchors[0]


def merge(one: Trust, other: Trust) -> Trust:
    """Rely on both; the larger quorum holds.

    Raises:
        AuditInputError: They contradict each other.
    """
    anchors = dict(one.anchors)
    for hub, anchor in other.anchors.items():
        if anchors.setdefault(hub, anchor) != anchor:
            digests = " and ".join(_digest(found) for found in (anchors[hub], anchor))
            raise AuditInputError(
                f"two anchors of {hub} contradict: SHA-256 {digests}; ask its officer which one "
                "is right, and keep the other as evidence"
            )
    witnesses = {witness.name: witness for witness in one.witnesses}
    for witness in other.witnesses:
        if witnesses.setdefault(witness.name, witness) != witness:
            raise AuditInputError(f"two keys of witness {witness.name} contradict")
    if one.pack_root and other.pack_root and one.pack_root != other.pack_root:
        raise AuditInputError("two digests of the packs' root contradict")
    seen = {(checkpoint.origin, checkpoint.size): checkpoint for checkpoint in one.seen}
    for checkpoint in other.seen:
        if seen.setdefault((checkpoint.origin, checkpoint.size), checkpoint) != checkpoint:
            raise AuditInputError(
                f"two checkpoints of {checkpoint.origin} at {checkpoint.size} leaves contradict: "
                "keep both files, they prove that the hub showed two histories"
            )
    return Trust(
        anchors=MappingProxyType(anchors),
        witnesses=tuple(witnesses.values()),
        quorum=max(one.quorum, other.quorum),
        requires_witnesses=one.requires_witnesses or other.requires_witnesses,
        pack_root=one.pack_root or other.pack_root,
        seen=tuple(seen.values()),
    )


def _digest(anchor: identity_pb2.TrustAnchor) -> str:
    return anchor_digest(anchor_bytes(anchor)).hex()


def _lines(trust: Trust) -> Iterator[str]:
    yield "# yixin trust file: for whoever audits; it comes from the officers, never with a bundle"
    yield VERSION
    for hub, anchor in trust.anchors.items():
        yield f"anchor {hub} sha256 {_digest(anchor)}"
        content = base64.b64encode(anchor_bytes(anchor)).decode()
        yield from (f"  {line}" for line in textwrap.wrap(content, _LINE_CHARS - 2))
    for witness in trust.witnesses:
        yield f"witness {witness.line()}"
    if trust.quorum:
        yield f"quorum {trust.quorum}"
    if trust.pack_root:
        yield f"pack-root {trust.pack_root.hex()}"
    for checkpoint in trust.seen:
        yield f"seen {seen_line(checkpoint)}"


def _load(path: Path) -> Trust:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise AuditInputError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise AuditInputError(f"{path} is longer than {MAX_FILE_BYTES} bytes: no trust file")
    try:
        lines = [line.rstrip() for line in content.decode("ascii").splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        if lines[:1] == [VERSION]:
            return _parse(lines[1:])
        # Version 1: nothing but the anchor.
        return Trust.of(parse_anchor(_decode("".join(line.strip() for line in lines))))
    except (ValueError, SecurityError) as error:
        raise AuditInputError(
            f"{path} is not a trust file ({cause_of(error)}); {_COMMAND}"
        ) from error


def _parse(lines: Sequence[str]) -> Trust:
    trust = Trust.of()
    quorum = 0
    for word, rest, content in _records(lines):
        if word == "quorum":
            if not _QUORUM.fullmatch(rest):
                raise ValueError(f"quorum {rest[:9]!r} is no number")
            quorum = max(quorum, int(rest))
            continue
        parse = _WORDS.get(word)
        if parse is None:
            raise ValueError(f"{word[:40]!r} is no word of trust files")
        trust = merge(trust, parse(rest, content))
    # The quorum counts last, whatever the order of the lines.
    return replace(trust, quorum=quorum)


def _records(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Word, rest of its line, and the indented lines after it, of every record."""
    if len(lines) > MAX_FILE_BYTES // _LINE_CHARS:
        raise ValueError(f"{len(lines)} lines")
    records: list[tuple[str, list[str]]] = []
    for line in lines:
        if not line.startswith(" "):
            records.append((line, []))
        elif records:
            records[-1][1].append(line.strip())
        else:
            raise ValueError("the first line is indented")
    if len(records) > MAX_RECORDS:
        raise ValueError(f"{len(records)} records, at most {MAX_RECORDS} are read")
    for head, content in records:
        word, _, rest = head.partition(" ")
        if content and word != "anchor":
            raise ValueError(f"indented lines after {word[:40]!r}")
        yield word, rest.strip(), "".join(content)


def _parse_anchor(rest: str, content: str) -> Trust:
    anchor = parse_anchor(_decode(content))
    if rest.split() != [anchor.hub, "sha256", _digest(anchor)]:
        raise ValueError(f"the anchor of {anchor.hub} is not the one its line names")
    return Trust.of(anchor)


def _parse_witness(rest: str, _content: str) -> Trust:
    return Trust(anchors={}, witnesses=(parse_witness(rest),))


def _parse_pack_root(rest: str, _content: str) -> Trust:
    if not _DIGEST.fullmatch(rest):
        raise ValueError("pack-root is no SHA-256")
    return Trust(anchors={}, pack_root=bytes.fromhex(rest))


def _parse_seen(rest: str, _content: str) -> Trust:
    return Trust(anchors={}, seen=(parse_seen(rest),))


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("an anchor is not base64") from error


_WORDS: Final[Mapping[str, Callable[[str, str], Trust]]] = {
    "anchor": _parse_anchor,
    "witness": _parse_witness,
    "pack-root": _parse_pack_root,
    "seen": _parse_seen,
}
"""Readers of the records, by their first word; the quorum is read beside them."""
