"""AES-CMAC of many rows at once: the published examples, and the library's own for the rest."""

import random

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC

from node.store import cmac
from node.store.cmac import cmac_rows

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
EXAMPLES = {
    0: "bb1d6929e95937287fa37d129b756746",
    16: "070a16b46b4d4144f79bdd9dd04a287c",
    40: "dfa66747de9ae63030ca32611497c827",
    64: "51f0bebf7e3b9d92fc49741779363cfe",
}
"""Examples 1 to 4 of RFC 4493, section 4, by length."""


def digests(key: bytes, rows: pa.BinaryArray) -> list[str]:
    return [row.astype("<u8").tobytes().hex() for row in cmac_rows(key, rows)]


@pytest.mark.parametrize("times", [1, 20])
def test_the_published_examples(times: int) -> None:
    rows = pa.array([MESSAGE[:size] for size in EXAMPLES] * times, pa.binary())
    assert digests(KEY, rows) == list(EXAMPLES.values()) * times


@pytest.mark.parametrize("count", [0, 1, 16, 17, 500])
@pytest.mark.parametrize("key_bytes", [16, 32])
def test_rows_of_any_length_have_the_librarys_digest(
    count: int, key_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cmac, "_LONG_BYTES", 100)
    drawn = random.Random(count)  # noqa: S311 - test data
    key = drawn.randbytes(key_bytes)
    rows = [drawn.randbytes(drawn.choice([0, 1, 15, 16, 17, 31, 32, 99, 100, 101, 900]))]
    rows = [drawn.randbytes(drawn.randrange(120)) for _ in range(count)] + rows * (count > 0)
    array = pa.array([b"before", *rows, b"behind"], pa.binary()).slice(1, len(rows))
    assert digests(key, array) == [_plain(key, row) for row in rows]


def _plain(key: bytes, row: bytes) -> str:
    state = CMAC(algorithms.AES(key))
    state.update(row)
    return state.finalize().hex()
