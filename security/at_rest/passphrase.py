"""A vault whose key comes from a passphrase: for what leaves the machine, such as backups.

Rules: scrypt (RFC 7914) with its cost written beside the salt, so that the cost may rise without
old copies becoming unreadable; a cost below today's floor or above what a small machine can pay is
refused, since the header is read before anything is authenticated.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from security.at_rest.key_ring import KEY_BYTES
from security.at_rest.vault import Vault
from security.errors import VaultError

MIN_PASSPHRASE_CHARS: Final = 12
SALT_BYTES: Final = 16
_LOG2_COST: Final = 16
"""64 MiB and about a quarter of a second."""
_COSTS: Final = range(14, 21)
_BLOCK: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PassphraseSalt:
    """What must stand in clear beside a value that a passphrase protects."""

    salt: bytes
    """Random, 16 bytes."""
    log2_cost: int
    """Base-2 logarithm of scrypt's cost."""

    @classmethod
    def new(cls) -> PassphraseSalt:
        """A fresh salt at today's cost."""
        return cls(salt=secrets.token_bytes(SALT_BYTES), log2_cost=_LOG2_COST)


def passphrase_vault(passphrase: str, salt: PassphraseSalt) -> Vault:
    """Derive a vault from a passphrase.

    Args:
        passphrase: At least 12 characters.
        salt: Salt and cost of the copy.

    Raises:
        VaultError: The passphrase is too short, or salt and cost are none of ours.
    """
    if len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise VaultError(
            f"the passphrase has {len(passphrase)} characters, expected at least "
            f"{MIN_PASSPHRASE_CHARS}; choose a longer one"
        )
    if len(salt.salt) != SALT_BYTES or salt.log2_cost not in _COSTS:
        raise VaultError(
            f"a salt of {len(salt.salt)} bytes and a cost of 2^{salt.log2_cost} found, expected "
            f"{SALT_BYTES} bytes and 2^{_COSTS.start} to 2^{_COSTS[-1]}; the copy is damaged"
        )
    derived = Scrypt(salt=salt.salt, length=KEY_BYTES, n=1 << salt.log2_cost, r=_BLOCK, p=1)
    return Vault(derived.derive(passphrase.encode()))
