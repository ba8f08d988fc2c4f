"""Proof files (交换证明文件): proofs of deliveries and forks, handed to somebody outside.

Rules:
    1. One JSON object per line: a head, the proofs, and an end that counts them, so that a file
       that was cut off is seen as one. Bytes are standard base64 with padding.
    2. A file proves nothing by itself: it carries what was signed and the certificates, and its
       reader holds the hub's trust anchor already. ``deploy/docs/exchange-proofs.md`` says how
       each kind is judged.
    3. Every line is bounded before it is parsed; no network and no database is touched here.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from security.errors import AuditInputError
from security.private_files import writing_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMAT: Final = "yixin-proofs/1"
MAX_LINE_BYTES: Final = 8 * 1024 * 1024
"""Two envelopes of the largest size in base64, with room."""
MAX_CERTIFICATES: Final = 4096


class ProofKind(StrEnum):
    """What a file proves."""

    RECEIPTS = "receipts"
    """The hub received what the member sent."""
    DELIVERIES = "deliveries"
    """A member holds what the hub sent."""
    FORKS = "forks"
    """A member signed two histories of one chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofHead:
    """First line of a file."""

    kind: ProofKind
    """What it proves."""
    hub: str
    """Member id of the hub whose anchor judges it."""
    member: str
    """Member id of the other party."""
    made_at_ms: int
    """Moment of making, milliseconds since the epoch, UTC; proves nothing."""
    certificates: tuple[bytes, ...] = field(repr=False)
    """Serialised KeyCertificates of both parties."""
    revocations: bytes = field(default=b"", repr=False)
    """Serialised RevocationList of the hub as whoever made the file holds it; empty for none."""
    policy: bytes = field(default=b"", repr=False)
    """Serialised SuitePolicy of the hub as the member holds it; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptProof:
    """A receipt, and the envelope it names where the archive still holds it."""

    receipt: bytes = field(repr=False)
    """Serialised Receipt."""
    envelope: bytes | None = field(repr=False)
    """Serialised SealedEnvelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsProof:
    """Signed heads of a collection; the delivered envelopes of the lane follow, newest first."""

    heads: bytes = field(repr=False)
    """Serialised SignedHeads."""
    lane: int
    """Lane whose envelopes follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredProof:
    """One delivered envelope; its hash is the head's, or the one the envelope after it names."""

    hash: bytes
    """SHA-256 of the envelope, 32 bytes."""
    envelope: bytes | None = field(repr=False)
    """Serialised SealedEnvelope; None after its retention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkProof:
    """Two envelopes by one sender that cannot both be of one chain."""

    first: bytes = field(repr=False)
    """Serialised SealedEnvelope that the hub took."""
    second: bytes = field(repr=False)
    """Serialised SealedEnvelope that it refused."""
    refused_at_ms: int
    """When, milliseconds since the epoch, UTC; proves nothing."""


Proof: TypeAlias = ReceiptProof | HeadsProof | DeliveredProof | ForkProof

_PROOFS: Final[dict[ProofKind, tuple[type[Proof], ...]]] = {
    ProofKind.RECEIPTS: (ReceiptProof,),
    ProofKind.DELIVERIES: (HeadsProof, DeliveredProof),
    ProofKind.FORKS: (ForkProof,),
}


def write_proofs(path: Path, head: ProofHead, proofs: Iterable[Proof]) -> int:
    """Write a proof file of mode 0600; it appears under its name only when it is whole.

    Args:
        path: The new file; an old one of that name is replaced.
        head: What it proves.
        proofs: The proofs, of the head's kind.

    Returns:
        Number of proofs.

    Raises:
        KeyFileError: The file cannot be written.
    """
    count = 0
    with writing_private(path, replace=True) as file:
        file.write(_line({"format": FORMAT} | _encoded(head)))
        for proof in proofs:
            file.write(_line(_encoded(proof)))
            count += 1
        file.write(_line({"end": count}))
    return count


def read_proofs(path: Path) -> tuple[ProofHead, Iterator[Proof]]:
    """Open a proof file; nothing in it is judged here.

    Returns:
        Its head, and its proofs in order; the iterator raises where the file is malformed.

    Raises:
        AuditInputError: No proof file, damaged, or cut off.
    """
    lines = _lines(path)
    head = _head(path, next(lines, None))
    return head, _proofs(path, head.kind, lines)


def _proofs(path: Path, kind: ProofKind, lines: Iterator[dict[str, Any]]) -> Iterator[Proof]:
    count = 0
    for line in lines:
        if set(line) == {"end"}:
            if line["end"] != count or next(lines, None) is not None:
                raise AuditInputError(
                    f"{path} ends after {count} proofs and says {str(line['end'])[:20]}: it was "
                    "changed or joined from parts; ask for it again"
                )
            return
        yield _proof(path, kind, line, count)
        count += 1
    raise AuditInputError(f"{path} was cut off after {count} proofs; ask for it again")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                if len(raw) > MAX_LINE_BYTES:
                    raise AuditInputError(
                        f"a line of {path} is longer than {MAX_LINE_BYTES} bytes: no proof file"
                    )
                found = json.loads(raw)
                if not isinstance(found, dict):
                    raise AuditInputError(f"a line of {path} is no JSON object: no proof file")
                yield found
    except (ValueError, RecursionError) as error:
        raise AuditInputError(f"a line of {path} is not JSON: no proof file, or damaged") from error
    except OSError as error:
        raise AuditInputError(f"{path} cannot be read: {error.strerror}") from error


def _head(path: Path, line: dict[str, Any] | None) -> ProofHead:
    if line is None or line.get("format") != FORMAT:
        raise AuditInputError(
            f"{path} is no proof file of this release: its first line must say {FORMAT!r}"
        )
    try:
        head = ProofHead(
            kind=ProofKind(line["kind"]),
            hub=_text(line["hub"]),
            member=_text(line["member"]),
            made_at_ms=_number(line["made_at_ms"]),
            certificates=tuple(_bytes(one) for one in line["certificates"][: MAX_CERTIFICATES + 1]),
            revocations=_bytes(line.get("revocations", "")),
            policy=_bytes(line.get("policy", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AuditInputError(f"the head of {path} is malformed: {error}") from error
    known = {"format"} | {one.name for one in fields(head)}
    if not set(line) <= known or len(head.certificates) > MAX_CERTIFICATES:
        raise AuditInputError(
            f"the head of {path} has unknown fields or more than {MAX_CERTIFICATES} certificates"
        )
    return head


def _proof(path: Path, kind: ProofKind, line: dict[str, Any], number: int) -> Proof:
    try:
        for shape in _PROOFS[kind]:
            if {one.name for one in fields(shape)} == set(line):
                return shape(**{name: _value(name, value) for name, value in line.items()})
    except (TypeError, ValueError) as error:
        raise AuditInputError(f"proof {number} of {path} is malformed: {error}") from error
    raise AuditInputError(
        f"proof {number} of {path} has fields {sorted(line)[:6]}, which no proof of {kind} has"
    )


def _value(name: str, value: object) -> Any:  # noqa: ANN401  # of the field's type
    if name in {"lane", "refused_at_ms"}:
        return _number(value)
    if value is None and name == "envelope":
        return None
    return _bytes(value)


def _encoded(shape: ProofHead | Proof) -> dict[str, Any]:
    return {one.name: _json(getattr(shape, one.name)) for one in fields(shape)}


def _json(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return value


def _line(found: dict[str, Any]) -> bytes:
    return json.dumps(found, separators=(",", ":")).encode() + b"\n"


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"base64 text expected, found {type(value).__name__}")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("base64 text expected") from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ValueError("a member id expected")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("a number expected")
    return value
