"""The clock of a hub's machine: composition roots take it from here and hand it on."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(tz=UTC)  # noqa: TID251 - the one place of the hub that asks
