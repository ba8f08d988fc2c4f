"""Linking persons across nodes without naming them; see ``deploy/decisions/0018-*.md``."""

from security.linking.oprf import (
    MAX_POINTS,
    POINT_BYTES,
    TOKEN_BYTES,
    BlindedPoints,
    Canary,
    PeriodKey,
    blind,
)

__all__ = [
    "MAX_POINTS",
    "POINT_BYTES",
    "TOKEN_BYTES",
    "BlindedPoints",
    "Canary",
    "PeriodKey",
    "blind",
]
