from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protos.yixin.v1 import transparency_pb2
from security.audit import Trust, Verdict
from security.audit.pack_checks import canonical_json
from security.errors import PackError
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.logs import LogUnderTest

CATALOGUE = bytes(range(32))


class Signer:
    """A key of the packs' repository."""

    def __init__(self, *, post_quantum: bool = False) -> None:
        self._key: Any = (
            mldsa.MLDSA65PrivateKey.generate()
            if post_quantum
            else ed25519.Ed25519PrivateKey.generate()
        )
        public = self._key.public_key()
        if post_quantum:
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            self.key = {"keytype": "ml-dsa", "scheme": "ml-dsa-65/1", "keyval": {"public": pem}}
        else:
            raw = public.public_bytes_raw().hex()
            self.key = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": raw}}
        self.keyid = hashlib.sha256(canonical_json(self.key)).hexdigest()

    def sign(self, message: bytes) -> dict[str, str]:
        if self.key["keytype"] == "ml-dsa":
            message = b"tuf\x01" + hashlib.sha512(message).digest()
        return {"keyid": self.keyid, "sig": self._key.sign(message).hex()}


ROOTS = (Signer(), Signer(), Signer(post_quantum=True))
TARGETS = (Signer(), Signer())


def metadata(signed: Mapping[str, Any], *signers: Signer) -> bytes:
    message = canonical_json(signed)
    return orjson.dumps({"signatures": [one.sign(message) for one in signers], "signed": signed})


def root(version: int, roots: Sequence[Signer] = ROOTS, *signers: Signer) -> bytes:
    signed = {
        "_type": "root",
        "version": version,
        "keys": {one.keyid: one.key for one in (*roots, *TARGETS)},
        "roles": {
            "root": {"keyids": [one.keyid for one in roots], "threshold": 2},
            "targets": {"keyids": [one.keyid for one in TARGETS], "threshold": 2},
        },
    }
    return metadata(signed, *(signers or roots[1:]))


FIRST_ROOT = root(1)


def pack(catalogue: bytes = CATALOGUE) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("pack.json", orjson.dumps({"catalog": catalogue.hex()}))
    return content.getvalue()


def targets(*packs: bytes, signers: Sequence[Signer] = TARGETS) -> bytes:
    named = {
        f"packs/{number}.zip": {"hashes": {"sha256": hashlib.sha256(one).hexdigest()}}
        for number, one in enumerate(packs)
    }
    return metadata({"_type": "targets", "version": 1, "targets": named}, *signers)


def files(**changes: bytes) -> list[tuple[str, bytes]]:
    content = pack()
    named = {
        "1.root.json": FIRST_ROOT,
        "1.targets.json": targets(content),
        f"{hashlib.sha256(content).hexdigest()}.zip": content,
    }
    return list((named | {name.replace("_", "."): one for name, one in changes.items()}).items())


def trusting(found: Sequence[tuple[str, bytes]]) -> Trust:
    digest = hashlib.sha256(dict(found)["1.root.json"]).digest()
    return replace(Trust.of(HUB_UNDER_TEST.anchor), pack_root=digest)


@pytest.fixture
def made(empty_log: LogUnderTest) -> LogUnderTest:
    empty_log.accept(empty_log.next_outgoing(NODE_UNDER_TEST, pack_digest=CATALOGUE))
    return empty_log


def test_an_envelope_of_a_released_pack_is_valid(made: LogUnderTest, auditor: Auditor) -> None:
    found = files()
    report = auditor.verify(made.parts(packs=found), trust=trusting(found))
    assert (report.verdict, report.failures) == (Verdict.VALID, ())
    assert report.counts["released_packs"] == 1


def test_an_envelope_of_no_released_pack_is_named(made: LogUnderTest, auditor: Auditor) -> None:
    made.accept(made.next_outgoing(NODE_UNDER_TEST, pack_digest=bytes([7]) * 32))
    found = files()
    report = auditor.verify(made.parts(packs=found), trust=trusting(found))
    assert [checks(report, at) for at in range(2)] == [[], ["pack"]]
    assert report.verdict is Verdict.INDETERMINATE


def test_without_a_pinned_root_nothing_is_said(made: LogUnderTest, auditor: Auditor) -> None:
    report = auditor.verify(made.parts(packs=files()))
    assert report.verdict is Verdict.VALID
    assert report.counts["pack_metadata_not_judged"] == 3


def test_a_logged_release_is_looked_up(made: LogUnderTest, auditor: Auditor) -> None:
    kind = transparency_pb2.LOG_KIND_PACK_RELEASE
    made.event(kind, hashlib.sha256(pack()).digest())
    made.event(kind, bytes(32))
    found = files()
    report = auditor.verify(made.parts(packs=found), trust=trusting(found))
    assert [checks(report, at) for at in (1, 2)] == [[], ["pack"]]


def test_roots_are_followed(made: LogUnderTest, auditor: Auditor) -> None:
    newer = (ROOTS[1], ROOTS[2], Signer())
    found = [*files(), ("2.root.json", root(2, newer, *newer[:2]))]
    assert auditor.verify(made.parts(packs=found), trust=trusting(found)).failures == ()


ONE_OF_TWO = targets(pack(), signers=TARGETS[:1])
TWICE = targets(pack(), signers=(TARGETS[0], TARGETS[0]))
STRANGERS = (Signer(), Signer(), Signer())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("1.targets.json", ONE_OF_TWO, "signed by 1 of its keys, 2 must sign"),
        ("1.targets.json", TWICE, "signed by 1 of its keys, 2 must sign"),
        ("1.targets.json", targets(pack(), signers=ROOTS), "signed by 0 of its keys"),
        ("1.targets.json", root(1), "says it is another"),
        ("1.targets.json", b"[]", "malformed"),
        ("1.targets.json", b"{", "not JSON"),
        ("1.targets.json", b'{"signatures":[],"signed":{"_type":"targets","x":1.5}}', "float"),
        ("2.root.json", root(2, STRANGERS), "signed by 0 of its keys"),
        ("2.root.json", root(2, ROOTS, ROOTS[0]), "signed by 1 of its keys"),
        ("2.root.json", root(3), "says it is another"),
        ("3.root.json", root(3), "roots of versions"),
        ("evil.json", b"{}", "no name of a pack"),
        (f"{'0' * 64}.zip", pack(), "not the pack that it is called"),
    ],
)
def test_metadata_that_cannot_be_trusted_is_invalid(
    made: LogUnderTest, auditor: Auditor, name: str, content: bytes, words: str
) -> None:
    found = list((dict(files()) | {name: content}).items())
    report = auditor.verify(made.parts(packs=found), trust=trusting(found))
    assert checks(report) == ["packs"]
    assert words in report.failures[0].detail
    assert report.verdict is Verdict.INVALID


def test_a_root_that_is_not_the_pinned_one_is_invalid(made: LogUnderTest, auditor: Auditor) -> None:
    trust = replace(Trust.of(HUB_UNDER_TEST.anchor), pack_root=bytes(32))
    report = auditor.verify(made.parts(packs=files()), trust=trust)
    assert "not the one that the trust file pins" in report.failures[0].detail


@pytest.mark.parametrize("content", [b"no zip", pack(b"short")])
def test_a_pack_that_is_none_is_invalid(
    made: LogUnderTest, auditor: Auditor, content: bytes
) -> None:
    found = [
        ("1.root.json", FIRST_ROOT),
        ("1.targets.json", targets(content)),
        (f"{hashlib.sha256(content).hexdigest()}.zip", content),
    ]
    report = auditor.verify(made.parts(packs=found), trust=trusting(found))
    assert checks(report) == ["packs"]


def test_json_without_bottom_is_an_error_of_ours() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(PackError, match="nested too deeply"):
        canonical_json(deep)
