import base64
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tongsuopy.crypto import hashes as gm_hashes
from tongsuopy.crypto import serialization as gm_serialization
from tongsuopy.crypto.asymciphers import ec as gm

from node.api.his.signatures import canonical_input, load_signers
from node.domain.faults import Rule
from node.errors import ConfigurationError
from tests.support.interface_server import signed
from tests.support.node_messages import HOSPITAL, envelope

REQUEST: Final = envelope("2207", 1, {"data": {"psn_no": "1", "medfee_sumamt": 95.60}})
TEXT: Final = canonical_input(REQUEST["input"])
RSA_KEY: Final = rsa.generate_private_key(65537, 2048)
EC_KEY: Final = ec.generate_private_key(ec.SECP256R1())
ED_KEY: Final = ed25519.Ed25519PrivateKey.generate()
SM2_KEY: Final = gm.generate_private_key(gm.SM2())
SPKI: Final = PublicFormat.SubjectPublicKeyInfo
PEMS: Final = {
    "RSA": RSA_KEY.public_key().public_bytes(Encoding.PEM, SPKI),
    "ECDSA": EC_KEY.public_key().public_bytes(Encoding.PEM, SPKI),
    "Ed25519": ED_KEY.public_key().public_bytes(Encoding.PEM, SPKI),
    "SM2": SM2_KEY.public_key().public_bytes(
        gm_serialization.Encoding.PEM, gm_serialization.PublicFormat.SubjectPublicKeyInfo
    ),
}
SIGN: Final[dict[str, Callable[[bytes], bytes]]] = {
    "RSA": lambda text: RSA_KEY.sign(text, padding.PKCS1v15(), hashes.SHA256()),
    "ECDSA": lambda text: EC_KEY.sign(text, ec.ECDSA(hashes.SHA256())),
    "Ed25519": ED_KEY.sign,
    "SM2": lambda text: bytes(SM2_KEY.sign(text, gm.ECDSA(gm_hashes.SM3()))),
}


def rule_of(directory: Path, pem: bytes, request: dict[str, Any]) -> Rule | None:
    (directory / "key.pem").write_bytes(pem)
    fault = load_signers({HOSPITAL: "key.pem"}, directory).find_fault(request)
    return None if fault is None else fault.rule


@pytest.mark.parametrize("name", SIGN)
def test_a_right_signature_is_accepted_whatever_the_order_of_keys(
    tmp_path: Path, name: str
) -> None:
    request = signed(REQUEST, name.lower(), SIGN[name], TEXT)
    request["input"] = {"data": dict(reversed(REQUEST["input"]["data"].items()))}
    assert rule_of(tmp_path, PEMS[name], request) is None


@pytest.mark.parametrize("name", SIGN)
@pytest.mark.parametrize(
    "change",
    [
        {"cainfo": ""},
        {"cainfo": None},
        {"cainfo": "not base64"},
        {"cainfo": base64.b64encode(b"no signature").decode()},
        {"signtype": ""},
        {"signtype": "SM3"},
        {"signtype": 1},
        {"input": {"data": {"psn_no": "1", "medfee_sumamt": 0.01}}},
        {"input": None},
    ],
    ids=str,
)
def test_any_other_is_refused(tmp_path: Path, name: str, change: dict[str, Any]) -> None:
    request = {**signed(REQUEST, name, SIGN[name], TEXT), **change}
    assert rule_of(tmp_path, PEMS[name], request) is Rule.SIGNATURE_INVALID


def test_a_fault_shows_nothing_of_the_message(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(PEMS["RSA"])
    request = {**REQUEST, "signtype": "RSA", "cainfo": "5byg5LiJ"}
    fault = load_signers({HOSPITAL: "key.pem"}, tmp_path).find_fault(request)
    assert fault is not None
    assert fault.reason == "request.cainfo is not of this input, expected a signature of it by RSA"


@pytest.mark.parametrize("institution", ["H33030200002", None, 1, ["x"]])
def test_without_a_key_nothing_is_demanded(tmp_path: Path, institution: object) -> None:
    (tmp_path / "key.pem").write_bytes(PEMS["RSA"])
    signers = load_signers({HOSPITAL: "key.pem"}, tmp_path)
    assert signers.find_fault({**REQUEST, "fixmedins_code": institution}) is None


def test_sm2_uses_the_default_user_id_of_the_standard() -> None:
    """GB/T 32918.2 with another implementation of its equations: plain integers and SM3."""
    p = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
    a, n = p - 3, 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
    b = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
    g = (
        0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
        0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
    )

    def add(one: tuple[int, int] | None, two: tuple[int, int] | None) -> tuple[int, int] | None:
        if one is None or two is None:
            return one or two
        if one[0] == two[0] and (one[1] + two[1]) % p == 0:
            return None
        slope = (
            (3 * one[0] ** 2 + a) * pow(2 * one[1], -1, p)
            if one == two
            else (two[1] - one[1]) * pow(two[0] - one[0], -1, p)
        )
        x = (slope**2 - one[0] - two[0]) % p
        return x, (slope * (one[0] - x) - one[1]) % p

    def times(factor: int, point: tuple[int, int]) -> tuple[int, int] | None:
        total: tuple[int, int] | None = None
        doubled: tuple[int, int] | None = point
        while factor:
            total = add(total, doubled) if factor & 1 else total
            doubled, factor = add(doubled, doubled), factor >> 1
        return total

    def word(number: int) -> bytes:
        return number.to_bytes(32, "big")

    numbers = SM2_KEY.public_key().public_numbers()
    user = b"1234567812345678"
    identity = len(user * 8).to_bytes(2, "big") + user + word(a) + word(b)
    identity += word(g[0]) + word(g[1]) + word(numbers.x) + word(numbers.y)
    digest = hashlib.new("sm3", hashlib.new("sm3", identity).digest() + TEXT).digest()
    r, s = decode_dss_signature(SIGN["SM2"](TEXT))
    found = add(times(s, g), times((r + s) % n, (numbers.x, numbers.y)))
    assert found is not None
    assert (int.from_bytes(digest, "big") + found[0]) % n == r


def test_without_the_extra_a_key_for_sm2_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tongsuopy.crypto", None)
    with pytest.raises(ConfigurationError, match=r"yixin\[gm\]"):
        rule_of(tmp_path, PEMS["SM2"], REQUEST)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        PEMS["SM2"].replace(b"\nMFkw", b"\nMFkx"),
        rsa.generate_private_key(65537, 1024)  # noqa: S505  # the one to refuse
        .public_key()
        .public_bytes(Encoding.PEM, SPKI),
    ],
    ids=["empty", "broken", "other-curve", "rsa-1024"],
)
def test_a_key_of_no_use_is_refused_at_start(tmp_path: Path, pem: bytes) -> None:
    with pytest.raises(ConfigurationError, match="no usable key"):
        rule_of(tmp_path, pem, REQUEST)


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.pem of H33030200001 cannot be read"):
        load_signers({HOSPITAL: "gone.pem"}, tmp_path)
