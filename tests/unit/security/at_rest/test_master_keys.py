"""A ring under a PKCS #11 token: SoftHSM stands for the module of a real one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from security.at_rest import Vault
from security.at_rest.key_ring import KeyRing
from security.at_rest.master_keys import (
    FILE,
    MODULE_VARIABLE,
    PIN_VARIABLE,
    TokenMaster,
    find_master,
)
from security.errors import KeyFileError

MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
)
MODULE = next((one for one in MODULES if one.exists()), None)
PIN = "123456"
token = pytest.mark.skipif(
    MODULE is None or shutil.which("softhsm2-util") is None,
    reason="no SoftHSM here: apt-get install softhsm2",
)


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token that was just initialised; the module reads its place once per process."""
    pytest.importorskip("pkcs11")
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    config = home / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {home / 'tokens'}\nobjectstore.backend = file\n")
    return config


@pytest.fixture
def master(softhsm: Path, monkeypatch: pytest.MonkeyPatch) -> TokenMaster:
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm))
    monkeypatch.setenv(MODULE_VARIABLE, str(MODULE))
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    if not any((softhsm.parent / "tokens").iterdir()):
        words = "softhsm2-util --init-token --free --label yixin --so-pin"
        subprocess.run(  # noqa: S603 - fixed arguments
            [*words.split(), PIN, "--pin", PIN], check=True, capture_output=True
        )
        TokenMaster(token="yixin", label="at-rest").create()  # noqa: S106 - a label
    return TokenMaster(token="yixin", label="at-rest")  # noqa: S106 - a label


@token
def test_a_ring_goes_under_a_token_and_back(tmp_path: Path, master: TokenMaster) -> None:
    path = tmp_path / "node.key"
    old = Vault.create(path).seal(b"then", "place")
    key = path.read_bytes()

    KeyRing.load(path).grown(1).under(master).save(path)
    content = path.read_bytes()
    assert key.hex().encode() not in content
    assert b"master pkcs11 yixin at-rest\n" in content
    vault = Vault.load(path)
    new = vault.seal(b"now", "place")
    assert (vault.open(old, "place"), vault.open(new, "place")) == (b"then", b"now")

    KeyRing.load(path).under(FILE).save(path)
    assert Vault.load(path).open(new, "place") == b"now"


@token
def test_a_key_of_one_epoch_is_none_of_another(master: TokenMaster) -> None:
    closed = master.close_key(1, bytes(32))

    assert master.open_key(1, closed) == bytes(32)
    for epoch, other in ((2, closed), (1, closed[:-1] + bytes([closed[-1] ^ 1])), (1, b"")):
        with pytest.raises(KeyFileError):
            master.open_key(epoch, other)


@token
def test_without_module_pin_or_key_the_ring_stays_closed_and_says_why(
    tmp_path: Path, master: TokenMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "node.key"
    Vault.create(path)
    KeyRing.load(path).under(master).save(path)

    with monkeypatch.context() as wrong:
        wrong.setenv(PIN_VARIABLE, "654321")
        with pytest.raises(KeyFileError, match="PIN is right"):
            Vault.load(path)
    with monkeypatch.context() as wrong:
        wrong.delenv(PIN_VARIABLE)
        with pytest.raises(KeyFileError, match=PIN_VARIABLE):
            Vault.load(path)
    with pytest.raises(KeyFileError, match="0 keys 'other'"):
        TokenMaster(token="yixin", label="other").close_key(0, bytes(32))  # noqa: S106 - a label
    with pytest.raises(KeyFileError, match="already holds"):
        master.create()
    assert Vault.load(path).seal(b"", "place")


@pytest.mark.parametrize("line", ["", "none", "pkcs11", "pkcs11 a", "pkcs11  b", "pkcs11 a b c"])
def test_a_line_that_names_no_master_key_is_refused(line: str) -> None:
    with pytest.raises(KeyFileError, match="expected file or pkcs11"):
        find_master(line)


def test_the_file_is_a_master_key_without_a_word() -> None:
    assert find_master("file") is FILE
