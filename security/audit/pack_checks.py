"""Released packs (模型包): which catalogues an envelope may have been made with.

Rules: the metadata is of The Update Framework; trust begins at the first root, whose SHA-256 the
auditor's trust file pins; every later root is signed by a threshold of the one before it and of
itself; what was ever released is what any targets file says that a threshold of a root's targets
keys signed; a pack's catalogue is named by the card inside the pack. Expiry is not judged: it says
when to look for news, not what was released then. A hub's copy need not hold every old release,
so that a catalogue in none of those shown leaves the question open.

Source: TUF specification 1.0, sections 4.2 to 4.5 and 5.3; canonical JSON as OLPC defines it.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from security.audit.bundle import PACKS
from security.audit.report import Failure, Verdict
from security.errors import AuditInputError, PackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from protos.yixin.v1 import transparency_pb2
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust

MAX_METADATA_BYTES: Final = 4 * 1024 * 1024
MAX_METADATA: Final = 2_000
MAX_SIGNATURES: Final = 32
CARD: Final = "pack.json"
MAX_CARD_BYTES: Final = 256 * 1024
MAX_PACK_BYTES: Final = 64 * 1024 * 1024
_NAME: Final = re.compile(r"(?P<version>[1-9][0-9]{0,8})\.(?P<role>root|targets|snapshot)\.json")
_PACK: Final = re.compile(r"[0-9a-f]{64}\.zip")
_FOREIGN: Final = (OSError, EOFError, RuntimeError, KeyError, zipfile.BadZipFile, zlib.error)
_HEX_32: Final = re.compile(r"[0-9a-f]{64}")
_MLDSA_PREFIX: Final = b"tuf\x01"
"""Before the SHA-512 that ML-DSA keys sign. Source: TUF's TAP 21."""
_CHECK: Final = "packs"


def read_packs(evidence: Evidence, trust: Trust, findings: Findings) -> None:
    """Find what was ever released; says nothing where no metadata is shown, or no root pinned."""
    names = evidence.source.pack_files()
    findings.counts["pack_metadata"] = len(names)
    if not names:
        return
    if not trust.pack_root:
        findings.counts["pack_metadata_not_judged"] = len(names)
        return
    try:
        files = _read_metadata(evidence, names)
        roots = _verified_roots(files, trust.pack_root)
        released: set[bytes] = set()
        for (role, _), data in sorted(files.items()):
            if role == "targets":
                released |= _released(data, roots)
        catalogues = _read_catalogues(evidence, names, released)
    except (PackError, AuditInputError) as error:
        findings.fail(_CHECK, str(error))
        return
    findings.counts["released_packs"] = len(released)
    evidence.released = frozenset(released)
    if len(catalogues) == len(released):
        evidence.catalogues = frozenset(catalogues.values())


def find_release_failures(
    evidence: Evidence, _index: int, leaf: transparency_pb2.LogLeaf
) -> list[Failure]:
    """Whether a pack that the log says was released is in proved metadata."""
    if evidence.released is None or leaf.envelope_hash in evidence.released:
        return []
    detail = f"pack {leaf.envelope_hash.hex()[:16]} is not in the metadata that is shown"
    return [Failure(check="pack", detail=detail, verdict=Verdict.INDETERMINATE)]


def _read_metadata(evidence: Evidence, names: Sequence[str]) -> dict[tuple[str, int], bytes]:
    if len(names) > MAX_METADATA:
        raise PackError(f"{len(names)} files of packs, at most {MAX_METADATA} are read")
    files = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match is not None:
            content = evidence.source.read(f"{PACKS}{name}", MAX_METADATA_BYTES)
            files[match["role"], int(match["version"])] = content
        elif not _PACK.fullmatch(name):
            raise PackError(f"{name[:80]!r} is no name of a pack or its metadata")
    return files


def _read_catalogues(
    evidence: Evidence, names: Sequence[str], released: AbstractSet[bytes]
) -> dict[bytes, bytes]:
    """Digest of the catalogue of every released pack that is shown, by the pack's SHA-256."""
    found: dict[bytes, bytes] = {}
    for name in names:
        if _PACK.fullmatch(name):
            content = evidence.source.read(f"{PACKS}{name}", MAX_PACK_BYTES)
            digest = hashlib.sha256(content).digest()
            if digest.hex() != name.removesuffix(".zip"):
                raise PackError(f"{name} is not the pack that it is called")
            if digest in released:
                found[digest] = _catalogue(content)
    return found


def _catalogue(pack: bytes) -> bytes:
    """Digest of a pack's catalogue, as its card states it; whoever uses a pack checks the card."""
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as archive, archive.open(CARD) as file:
            card = _mapping(orjson.loads(file.read(MAX_CARD_BYTES)))
    except (*_FOREIGN, orjson.JSONDecodeError) as error:
        raise PackError(f"a pack cannot be read: {type(error).__name__}") from error
    digest = card.get("catalog")
    if not isinstance(digest, str) or not _HEX_32.fullmatch(digest):
        raise PackError("the card of a pack names no catalogue")
    return bytes.fromhex(digest)


def _verified_roots(
    files: Mapping[tuple[str, int], bytes], digest: bytes
) -> list[Mapping[str, Any]]:
    """Every root, from the pinned first one on, each signed by the one before it."""
    versions = sorted(version for role, version in files if role == "root")
    if not versions or versions != list(range(versions[0], versions[0] + len(versions))):
        raise PackError(f"roots of versions {versions[:9]}; all from the pinned one are expected")
    roots: list[Mapping[str, Any]] = []
    for version in versions:
        data = files["root", version]
        if not roots and hashlib.sha256(data).digest() != digest:
            raise PackError(f"root {version} is not the one that the trust file pins")
        metadata = _parse(data, "root", version)
        signed: Mapping[str, Any] = metadata["signed"]
        for root in [*roots[-1:], signed]:
            _check_threshold(metadata, root, "root")
        roots.append(signed)
    return roots


def _released(data: bytes, roots: Sequence[Mapping[str, Any]]) -> set[bytes]:
    metadata = _parse(data, "targets")
    faults = []
    for root in roots:
        try:
            _check_threshold(metadata, root, "targets")
            break
        except PackError as error:
            faults.append(str(error))
    else:
        raise PackError(faults[-1])
    found: set[bytes] = set()
    for target in _mapping(metadata["signed"].get("targets")).values():
        described = _mapping(target)
        custom = _mapping(described.get("custom", {}))
        digests = [_mapping(described.get("hashes")).get("sha256"), *custom.values()]
        found |= {
            bytes.fromhex(one) for one in digests if isinstance(one, str) and _HEX_32.fullmatch(one)
        }
    return found


def _parse(data: bytes, role: str, version: int | None = None) -> Mapping[str, Any]:
    try:
        metadata = _mapping(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise PackError(f"{role} is not JSON") from error
    signed = _mapping(metadata.get("signed"))
    if signed.get("_type") != role or version not in {None, signed.get("version")}:
        raise PackError(f"the metadata called {role} {version or ''} says it is another")
    return metadata


def _check_threshold(metadata: Mapping[str, Any], root: Mapping[str, Any], role: str) -> None:
    """Check that a threshold of the keys that a root names for a role signed a metadata file."""
    named = _mapping(_mapping(root.get("roles")).get(role))
    keys, keyids = _mapping(root.get("keys")), named.get("keyids")
    threshold, signatures = named.get("threshold"), metadata.get("signatures")
    if (
        not isinstance(keyids, list)
        or type(threshold) is not int
        or threshold < 1
        or not isinstance(signatures, list)
        or len(signatures) > MAX_SIGNATURES
    ):
        raise PackError(f"keys, threshold or signatures of {role} are malformed")
    message = canonical_json(metadata["signed"])
    signers: set[bytes] = set()
    for one in map(_mapping, signatures):
        keyid = one.get("keyid")
        if isinstance(keyid, str) and keyid in keyids:
            public = _signer(_mapping(keys.get(keyid)), one.get("sig"), message)
            signers |= {public} if public else set()
    if len(signers) < threshold:
        raise PackError(f"{role} is signed by {len(signers)} of its keys, {threshold} must sign")


def _signer(key: Mapping[str, Any], signature: object, message: bytes) -> bytes:
    """Public bytes of the key when it signed, else nothing: two names of one key count once."""
    public = _mapping(key.get("keyval")).get("public")
    if not isinstance(public, str) or not isinstance(signature, str):
        return b""
    try:
        raw = bytes.fromhex(signature)
        if key.get("keytype") == "ed25519":
            content = bytes.fromhex(public)
            ed25519.Ed25519PublicKey.from_public_bytes(content).verify(raw, message)
            return content
        loaded = load_pem_public_key(public.encode())
        if key.get("scheme") == "ml-dsa-65/1" and isinstance(loaded, mldsa.MLDSA65PublicKey):
            loaded.verify(raw, _MLDSA_PREFIX + hashlib.sha512(message).digest())
            return loaded.public_bytes_raw()
    except (ValueError, InvalidSignature):
        return b""
    return b""


def canonical_json(value: object) -> bytes:
    r"""Serialise as OLPC's canonical JSON: what signatures of metadata cover.

    Raises:
        PackError: A number is no integer, or the value is nested too deeply.

    >>> canonical_json({"b": [1, True, None], "a": 'x"'})
    b'{"a":"x\\"","b":[1,true,null]}'
    """
    try:
        return "".join(_canonical(value)).encode()
    except RecursionError as error:
        raise PackError("pack metadata is nested too deeply") from error


def _canonical(value: object) -> list[str]:
    if value is None or isinstance(value, bool):
        return [{None: "null", True: "true", False: "false"}[value]]
    if isinstance(value, int):
        return [str(value)]
    if isinstance(value, str):
        return ['"', value.replace("\\", "\\\\").replace('"', '\\"'), '"']
    if isinstance(value, list):
        inside = [",".join("".join(_canonical(one)) for one in value)]
        return ["[", *inside, "]"]
    if isinstance(value, dict):
        pairs = [f"{''.join(_canonical(k))}:{''.join(_canonical(v))}" for k, v in _sorted(value)]
        return ["{", ",".join(pairs), "}"]
    raise PackError(f"pack metadata holds a {type(value).__name__}")


def _sorted(value: dict[str, object]) -> list[tuple[str, object]]:
    return sorted(value.items())


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PackError("pack metadata is malformed")
    return value
