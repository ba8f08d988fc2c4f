"""Crypto suites: how a payload is encrypted to one recipient, and how its senders sign.

Rules: suites are named and complete; the recipient's certified key fixes the suite, within what
the policy allows (``security.policy``); an unknown name is an error and nothing is negotiated
down. ``info`` binds a ciphertext to its signed header.
"""

from security.suites.suite import (
    GM,
    INTL,
    INTL_PQ,
    SUITE_NAMES,
    PrivateHandle,
    PublicHandle,
    Sealing,
    Suite,
    available_suites,
    get_suite,
    load_public_key,
    named_suite,
)

__all__ = [
    "GM",
    "INTL",
    "INTL_PQ",
    "SUITE_NAMES",
    "PrivateHandle",
    "PublicHandle",
    "Sealing",
    "Suite",
    "available_suites",
    "get_suite",
    "load_public_key",
    "named_suite",
]
