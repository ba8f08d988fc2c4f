"""The transparency log (透明日志): its leaves and its signed checkpoints.

Rules: a leaf is serialised once and its bytes are stored, never made again; leaves hold hashes
and the header's minimum, never personal data; a checkpoint is a C2SP signed note whose origin is
fixed by the hub's anchor, with one line per half of the hub's identity key; lines of other
signers (witnesses) are skipped.

Source: C2SP tlog-checkpoint and signed-note; the lines of the post-quantum half and of SM2 use
the signature type 0xff, which signed-note leaves to identifiers of one's own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.certificates import anchor_key
from security.encoding import parse_exactly
from security.errors import BadSignatureError, LogCorruptError
from security.keys import Signature
from security.merkle import HASH_BYTES
from security.signatures import SignatureScheme

if TYPE_CHECKING:
    from protos.yixin.v1 import identity_pb2
    from security.keys import SigningKey, VerifyingKey

MAX_LEAF_BYTES: Final = 2048
MAX_CHECKPOINT_CHARS: Final = 64 * 1024
MAX_SIZE: Final = 2**63 - 1

_ORIGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]{0,127}")
_NUMBER: Final = re.compile(r"[2-9]|[1-9][0-9]{1,3}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE_LINE: Final = re.compile(r"\N{EM DASH} (?P<name>[^ +]+) (?P<value>[A-Za-z0-9+/]+=*)")
_KEY_HASH_BYTES: Final = 4
_CLASSICAL_TYPES: Final = {
    SignatureScheme.ED25519: b"\x01",
    SignatureScheme.SM2_SM3: b"\xffyixin/sm2-sm3",
}
_MLDSA65_TYPE: Final = b"\xffyixin/ml-dsa-65"
_KINDS: Final = frozenset(transparency_pb2.LogKind.values()) - {0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a log: its size and root."""

    origin: str
    """Name of the log, as in the hub's anchor."""
    size: int
    """Number of leaves."""
    root: bytes
    """RFC 6962 root over them, 32 bytes."""

    def __post_init__(self) -> None:
        """Check the parts.

        Raises:
            LogCorruptError: A part is malformed.
        """
        if not _ORIGIN.fullmatch(self.origin):
            raise LogCorruptError(f"{self.origin[:120]!r} is no origin of a log")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise LogCorruptError(f"checkpoint of {self.size} leaves, root of {len(self.root)}")

    @property
    def body(self) -> str:
        """The signed text: origin, size and root, one line each."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse_leaf(leaf: bytes) -> transparency_pb2.LogLeaf:
    """Read the bytes of a leaf.

    Raises:
        LogCorruptError: The bytes are no leaf of a known kind.
    """
    try:
        found = parse_exactly(transparency_pb2.LogLeaf, leaf, MAX_LEAF_BYTES)
    except ValueError as error:
        raise LogCorruptError(f"leaf: {error}") from error
    if found.kind not in _KINDS or len(found.envelope_hash) != HASH_BYTES:
        raise LogCorruptError(f"leaf of kind {found.kind} with {len(found.envelope_hash)} bytes")
    return found


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Sign a checkpoint with the identity key of a hub, or a member's signing key.

    Returns:
        The signed note: the body, an empty line, one signature line per half of the key.
    """
    signature = key.sign_raw(checkpoint.body.encode())
    lines = [
        _line(
            checkpoint.origin,
            _classical_hash(checkpoint.origin, key.verifying),
            signature.classical,
        )
    ]
    if signature.post_quantum:
        key_hash = _mldsa65_hash(checkpoint.origin, key.verifying)
        lines.append(_line(checkpoint.origin, key_hash, signature.post_quantum))
    return checkpoint.body + "\n" + "".join(lines)


def verify_checkpoint(text: str, anchor: identity_pb2.TrustAnchor) -> Checkpoint:
    """Verify a signed checkpoint against the hub's anchor.

    The log is the one that the anchor names, or one that followed it.

    Raises:
        LogCorruptError: Not a checkpoint, of another log, or not signed by the anchor's key in
            every half it has.
        UntrustedCertificateError: The anchor's own key is malformed.
    """
    origin = parse_note(text).checkpoint.origin
    if find_origin_number(anchor.log_origin, origin) is None:
        origin = anchor.log_origin
    return open_checkpoint(text, origin, anchor_key(anchor))


def numbered_origin(first: str, number: int) -> str:
    """Origin of a log that follows the first one after leaves were lost for good.

    >>> numbered_origin("yixin/330300/hub/city/log1", 2)
    'yixin/330300/hub/city/log2'
    """
    return first if number == 1 else f"{_base(first)}{number}"


def find_origin_number(first: str, origin: str) -> int | None:
    """Number of a log among those of a hub; None when it is none of them.

    >>> find_origin_number("a/log1", "a/log12"), find_origin_number("a/log1", "b/log2")
    (12, None)
    """
    if origin == first:
        return 1
    base = _base(first)
    number = origin.removeprefix(base)
    if first != f"{base}1" or not origin.startswith(base) or not _NUMBER.fullmatch(number):
        return None
    return int(number)


def _base(first: str) -> str:
    return first.removesuffix("1")


def ledger_origin(member: str) -> str:
    """Name of the log that the tree over a member's records is.

    >>> ledger_origin("yixin://330302/node/H33030200001")
    'yixin://330302/node/H33030200001/records'
    """
    return f"{member}/records"


def open_checkpoint(text: str, origin: str, key: VerifyingKey) -> Checkpoint:
    """Verify a signed checkpoint of a log against a key.

    Raises:
        LogCorruptError: Not a checkpoint, of another log, or not signed by the key in every
            half it has.
    """
    note = parse_note(text)
    checkpoint = note.checkpoint
    if checkpoint.origin != origin:
        raise LogCorruptError(
            f"checkpoint of log {checkpoint.origin!r}, expected one of {origin!r}"
        )
    found = note.lines_of(checkpoint.origin)
    signature = Signature(
        classical=found.get(_classical_hash(checkpoint.origin, key), b""),
        post_quantum=found.get(_mldsa65_hash(checkpoint.origin, key), b"")
        if key.pq_public_key
        else b"",
    )
    try:
        key.verify_raw(signature, checkpoint.body.encode())
    except BadSignatureError as error:
        raise LogCorruptError(f"checkpoint of {checkpoint.size} leaves: {error}") from error
    return checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A signed note, parsed; no signature was verified."""

    checkpoint: Checkpoint
    """The body."""
    lines: tuple[tuple[str, bytes, bytes], ...]
    """Name, key hash and signature of every line, in order."""

    def lines_of(self, name: str) -> dict[bytes, bytes]:
        """Signatures of one name by key hash; the first of a key counts."""
        found: dict[bytes, bytes] = {}
        for line_name, key_hash, value in self.lines:
            if line_name == name:
                found.setdefault(key_hash, value)
        return found


def parse_note(text: str) -> SignedNote:
    """Read a signed checkpoint without verifying it.

    Raises:
        LogCorruptError: It is not one.
    """
    body, separator, signatures = text.partition("\n\n")
    if len(text) > MAX_CHECKPOINT_CHARS or not separator or not text.endswith("\n"):
        raise LogCorruptError(
            "not a signed checkpoint: an empty line before its signatures and a line end after "
            "each of them are expected"
        )
    lines = [_parse_line(line) for line in signatures.removesuffix("\n").split("\n")]
    return SignedNote(checkpoint=_parse_body(body + "\n"), lines=tuple(lines))


def _parse_body(body: str) -> Checkpoint:
    lines = body.split("\n")
    if len(lines) != 4 or not _SIZE.fullmatch(lines[1]):
        raise LogCorruptError("a checkpoint has three lines: origin, size and root")
    root = _decode(lines[2], "the root")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def _parse_line(line: str) -> tuple[str, bytes, bytes]:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None:
        raise LogCorruptError("a signature line of the checkpoint is malformed")
    value = _decode(match["value"], "a signature")
    return match["name"], value[:_KEY_HASH_BYTES], value[_KEY_HASH_BYTES:]


def _decode(text: str, part: str) -> bytes:
    # Only the one canonical spelling is taken, so that the text read is the text signed.
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise LogCorruptError(f"{part} of the checkpoint is not base64") from error
    if base64.b64encode(value).decode() != text:
        raise LogCorruptError(f"{part} of the checkpoint is not canonical base64")
    return value


def _line(name: str, key_hash: bytes, signature: bytes) -> str:
    return f"\N{EM DASH} {name} {base64.b64encode(key_hash + signature).decode()}\n"


def _classical_hash(name: str, key: VerifyingKey) -> bytes:
    return _key_hash(name, _CLASSICAL_TYPES[key.scheme] + key.public_key)


def _mldsa65_hash(name: str, key: VerifyingKey) -> bytes:
    return _key_hash(name, _MLDSA65_TYPE + key.pq_public_key)


def _key_hash(name: str, typed_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + typed_key).digest()[:_KEY_HASH_BYTES]
