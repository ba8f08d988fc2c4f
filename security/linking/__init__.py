"""Linking persons across nodes without naming them: ``deploy/decisions/0018-link-tokens.md``."""

from security.linking.client import DeskLine, DeskTerms, desk_line, fetch_tokens, keys_digest
from security.linking.desk_identity import (
    DeskCard,
    key_fingerprint,
    make_desk_certificate,
    read_card,
)
from security.linking.oprf import MAX_POINTS, POINT_BYTES, TOKEN_BYTES, PeriodKey
from security.linking.period_keys import PeriodKeys

__all__ = [
    "MAX_POINTS",
    "POINT_BYTES",
    "TOKEN_BYTES",
    "DeskCard",
    "DeskLine",
    "DeskTerms",
    "PeriodKey",
    "PeriodKeys",
    "desk_line",
    "fetch_tokens",
    "key_fingerprint",
    "keys_digest",
    "make_desk_certificate",
    "read_card",
]
