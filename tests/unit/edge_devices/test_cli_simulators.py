"""The fleet's command refuses what is no fleet, with words that say what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from typer.testing import CliRunner

from edge_devices.cli import app

if TYPE_CHECKING:
    from pathlib import Path


def refused(tmp_path: Path, content: bytes | None, *more: str) -> tuple[int, str, str]:
    tokens = tmp_path / "tokens.txt"
    if content is not None:
        tokens.write_bytes(content)
    words = ["simulate-fleet", "--tokens", str(tokens), "--dir", str(tmp_path / "fleet"), *more]
    done = CliRunner().invoke(app, [*words, "--json"])
    told = orjson.loads(done.stdout.splitlines()[-1])
    return done.exit_code, told["error"], told["message"]


@pytest.mark.parametrize(
    ("content", "code", "error", "words"),
    [
        (None, 3, "configuration", "is no file of tokens"),
        (b"", 3, "configuration", "found 0 tokens"),
        ("终端\n".encode(), 3, "configuration", "is no file of tokens"),
        (b"a" * (16 * 1024 * 1024 + 1), 3, "configuration", "is longer than"),
        (b"token\n", 10, "token", "This is not a device token"),
        (b"yixin-device1.AAAA\n", 10, "token", "token"),
    ],
)
def test_no_tokens_no_fleet(
    tmp_path: Path, content: bytes | None, code: int, error: str, words: str
) -> None:
    found = refused(tmp_path, content)
    assert found[:2] == (code, error)
    assert words in found[2]
    assert not (tmp_path / "fleet").exists()


@pytest.mark.parametrize("more", [("--events", "0"), ("--impostors", "1.5"), ("--persons", "0")])
def test_numbers_are_bounded(tmp_path: Path, more: tuple[str, str]) -> None:
    words = ["simulate-fleet", "--tokens", str(tmp_path), "--dir", str(tmp_path), *more]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert more[0] in done.output
