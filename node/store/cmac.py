"""AES-CMAC over the rows of an array: a keyed digest whose blocks are made for many rows at once.

Rules:
- what is computed is AES-CMAC of each row, block by block: the first block of all rows goes
  through the cipher in one call, then the second of those that have one, and so on;
- few rows, and long ones, go through the library's own CMAC one by one: it is the same function.

Source: NIST SP 800-38B, section 6.2.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

__all__ = ["cmac_rows"]

_BLOCK: Final = 16
_POLYNOMIAL: Final = 0x87
_FEW_ROWS: Final = 16
_LONG_BYTES: Final = 1_024
"""Rows longer than this would make rounds in which hardly any other row takes part."""
_KEPT: Final = np.tril(np.full((_BLOCK + 1, _BLOCK), 0xFF, np.uint8), -1)
"""Which bytes count in a block of so many."""


def cmac_rows(key: bytes, rows: pa.BinaryArray) -> npt.NDArray[np.uint64]:
    """Digest every row.

    Args:
        key: AES key of 16, 24 or 32 bytes.
        rows: Array of binary without nulls.

    Returns:
        AES-CMAC of each row as two little-endian numbers, shape (n, 2).
    """
    starts = np.frombuffer(rows.buffers()[1], np.int32)[rows.offset :][: len(rows) + 1]
    lengths = np.diff(starts)
    short = lengths <= (_LONG_BYTES if len(rows) > _FEW_ROWS else -1)
    found = np.empty((len(rows), 2), np.uint64)
    if short.any():
        data = np.append(np.frombuffer(rows.buffers()[2], np.uint8), np.zeros(_BLOCK, np.uint8))
        found[short] = _by_blocks(key, data, starts[:-1][short], lengths[short])
    for row in np.flatnonzero(~short).tolist():
        state = CMAC(algorithms.AES(key))
        state.update(rows[row].as_py())
        found[row] = np.frombuffer(state.finalize(), "<u8")
    return found


def _by_blocks(
    key: bytes,
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
) -> npt.NDArray[np.uint64]:
    """Digest rows that lie in data, which has a block of zeros behind them; shape (n, 2)."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - CMAC chains the blocks
    tails = _tails(encryptor.update(bytes(_BLOCK)))
    blocks = np.maximum(-(-lengths // _BLOCK), 1)
    # Rows with most blocks first: those that take part in a round are the first ones.
    turn = np.argsort(-blocks, kind="stable")
    starts, lengths, blocks = starts[turn].astype(np.int64), lengths[turn], blocks[turn]
    windows = np.ndarray(len(data) - _BLOCK + 1, f"V{_BLOCK}", data, strides=(1,))
    state = np.zeros((len(turn), _BLOCK), np.uint8)
    left = len(turn)
    for number in range(int(blocks.max(initial=0))):
        ending = int(np.searchsorted(-blocks, -(number + 1), "left"))
        block = windows[starts[:left] + number * _BLOCK].view(np.uint8).reshape(-1, _BLOCK)
        size = lengths[ending:left] - number * _BLOCK
        block[ending:] = block[ending:] & _KEPT[size] ^ tails[size]
        block ^= state[:left]
        state[:left] = _blocks(encryptor.update(block.tobytes()))
        left = ending
    found = np.empty_like(state)
    found[turn] = state
    return found.view("<u8").astype(np.uint64, copy=False)


def _tails(zero: bytes) -> npt.NDArray[np.uint8]:
    """What a last block of each size takes in: its padding and a subkey; shape (17, 16)."""
    whole = _doubled(int.from_bytes(zero))
    padded = _doubled(whole)
    tails = [padded ^ 1 << 8 * (_BLOCK - size) - 1 for size in range(_BLOCK)]
    return _blocks(b"".join(tail.to_bytes(_BLOCK) for tail in (*tails, whole)))


def _doubled(value: int) -> int:
    """Double in the field of 2^128 elements."""
    carried = value >> 8 * _BLOCK - 1
    return (value << 1 & (1 << 8 * _BLOCK) - 1) ^ _POLYNOMIAL * carried


def _blocks(data: bytes) -> npt.NDArray[Any]:
    return np.frombuffer(data, np.uint8).reshape(-1, _BLOCK)
