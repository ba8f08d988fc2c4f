from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from security.errors import CosignatureError, LogCorruptError
from security.keys import SigningKey
from security.tlog.cosigning import Cosignature, cosign, verify_cosignatures
from security.tlog.witness_policy import Witness, parse_witness
from security.transparency import sign_checkpoint, verify_checkpoint
from tests.support.members import city
from tests.support.tile_logs import checkpoint_of, leaves

if TYPE_CHECKING:
    from collections.abc import Callable

HUB, _ = city()
CHECKPOINT = checkpoint_of(leaves(0, 9), HUB.anchor.log_origin)
NOTE = sign_checkpoint(CHECKPOINT, HUB.signing)
NAME = "yixin/330000/hub/province/witness"
KEY = SigningKey.generate(post_quantum=True)
PLAIN = SigningKey.generate(post_quantum=False)
WITNESS = Witness(name=NAME, key=KEY.verifying)
AT = 1_790_000_000
LINES = cosign(CHECKPOINT.body, NAME, KEY, AT)


def test_a_cosigned_checkpoint_verifies_for_everybody() -> None:
    assert verify_cosignatures(NOTE + LINES, [WITNESS], now_s=AT) == (
        Cosignature(witness=NAME, at_s=AT),
    )
    assert verify_checkpoint(NOTE + LINES, HUB.anchor) == CHECKPOINT


def test_the_line_is_the_one_of_the_standard() -> None:
    line = cosign(CHECKPOINT.body, NAME, PLAIN, AT).splitlines()[0]
    value = base64.b64decode(line.rpartition(" ")[2])
    assert value[4:12] == AT.to_bytes(8)
    public = ed25519.Ed25519PublicKey.from_public_bytes(PLAIN.verifying.public_key)
    public.verify(value[12:], f"cosignature/v1\ntime {AT}\n{CHECKPOINT.body}".encode())


def test_a_witness_counts_once_however_often_it_is_named() -> None:
    assert len(verify_cosignatures(NOTE + LINES + LINES, [WITNESS, WITNESS], now_s=None)) == 1


def test_lines_of_others_are_skipped() -> None:
    other = Witness(name="other/witness", key=PLAIN.verifying)
    assert verify_cosignatures(NOTE + LINES, [other], now_s=AT) == ()
    assert verify_cosignatures(NOTE, [WITNESS], now_s=AT) == ()


def test_nobody_witnesses_a_log_of_his_own() -> None:
    name = HUB.anchor.log_origin.removesuffix("log1") + "witness"
    own = Witness(name=name, key=KEY.verifying)
    note = NOTE + cosign(CHECKPOINT.body, name, KEY, AT)
    assert verify_cosignatures(note, [own], now_s=AT) == ()


def _without(at: int) -> str:
    lines = LINES.splitlines(keepends=True)
    return NOTE + "".join(lines[:at] + lines[at + 1 :])


def _flipped(part: slice) -> str:
    line, other = LINES.splitlines(keepends=True)
    head, _, encoded = line.strip().rpartition(" ")
    value = bytearray(base64.b64decode(encoded))
    value[part] = bytes(byte ^ 1 for byte in value[part])
    return f"{NOTE}{head} {base64.b64encode(bytes(value)).decode()}\n{other}"


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(lambda: _without(0), id="no classical half"),
        pytest.param(lambda: _without(1), id="no post-quantum half"),
        pytest.param(lambda: _flipped(slice(4, 12)), id="another time"),
        pytest.param(lambda: _flipped(slice(20, 21)), id="another signature"),
        pytest.param(lambda: _flipped(slice(0, 4)), id="another key"),
        pytest.param(
            lambda: NOTE + cosign(CHECKPOINT.body, NAME, PLAIN, AT), id="signed by another key"
        ),
        pytest.param(
            lambda: (
                sign_checkpoint(checkpoint_of(leaves(0, 8), HUB.anchor.log_origin), HUB.signing)
                + LINES
            ),
            id="moved to another checkpoint",
        ),
    ],
)
def test_a_forged_cosignature_is_refused(forged: Callable[[], str]) -> None:
    with pytest.raises(CosignatureError):
        verify_cosignatures(forged(), [WITNESS], now_s=AT)


def test_a_signature_over_the_bare_checkpoint_is_no_cosignature() -> None:
    raw = KEY.sign_raw(CHECKPOINT.body.encode())
    value = WITNESS.classical_hash + AT.to_bytes(8) + raw.classical
    line = f"\N{EM DASH} {NAME} {base64.b64encode(value).decode()}\n"
    with pytest.raises(CosignatureError):
        verify_cosignatures(NOTE + line, [WITNESS], now_s=AT)


def test_a_cosignature_of_tomorrow_is_refused() -> None:
    with pytest.raises(CosignatureError, match="in the future"):
        verify_cosignatures(NOTE + LINES, [WITNESS], now_s=AT - 301)
    assert verify_cosignatures(NOTE + LINES, [WITNESS], now_s=AT - 300)


def test_a_malformed_note_is_refused() -> None:
    with pytest.raises(LogCorruptError):
        verify_cosignatures(CHECKPOINT.body, [WITNESS], now_s=AT)


@pytest.mark.parametrize("key", [KEY, PLAIN])
def test_a_witness_survives_its_line(key: SigningKey) -> None:
    witness = Witness(name=NAME, key=key.verifying)
    assert parse_witness(witness.line()) == witness


@pytest.mark.parametrize(
    "line",
    [
        "",
        "name",
        "name+abcd",
        f"{NAME}+00000000+{base64.b64encode(bytes(33)).decode()}",
        WITNESS.line().split()[1],
        f"{WITNESS.line().split()[0]} other{WITNESS.line().split()[1]}",
        WITNESS.line() + " more",
        WITNESS.line().replace("province", "city"),
        "x" * 9_000,
        f"{NAME}+00000000+%%%",
    ],
)
def test_a_damaged_line_is_no_witness(line: str) -> None:
    with pytest.raises(CosignatureError):
        parse_witness(line)


def test_a_line_names_one_witness() -> None:
    other = Witness(name="other/witness", key=KEY.verifying).line()
    with pytest.raises(CosignatureError, match="two witnesses"):
        parse_witness(f"{WITNESS.line().split()[0]} {other.split()[1]}")


def test_a_key_that_is_no_point_is_refused() -> None:
    # A point of small order: one signature would fit every message.
    typed = b"\x04" + bytes(32)
    digest = hashlib.sha256(NAME.encode() + b"\n" + typed).digest()[:4].hex()
    with pytest.raises(CosignatureError, match="small order"):
        parse_witness(f"{NAME}+{digest}+{base64.b64encode(typed).decode()}")


def test_a_name_that_breaks_lines_is_refused() -> None:
    with pytest.raises(CosignatureError, match="no name"):
        Witness(name="a b", key=KEY.verifying)
