"""Who acts (操作人): set before a job runs, read by what it notes."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from hub.domain.roles import SINGLE

__all__ = ["Actor", "acting", "acting_as"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person, or the owner of the command socket."""

    name: str
    """Name of the register, or a login name."""
    role: str
    """Role of the register, ``single`` while nobody is registered, or ``public``."""
    public_key: bytes = field(default=b"", repr=False)
    """Key that signed, 32 bytes; empty where nothing was signed."""
    nonce: bytes = field(default=b"", repr=False)
    """Nonce of the signed command, 16 bytes; empty where nothing was signed."""


_NOBODY: Final = Actor(name="hub", role=SINGLE)
"""The hub itself: what it does by the clock."""
_ACTOR: Final[ContextVar[Actor]] = ContextVar("yixin_actor", default=_NOBODY)


def acting() -> Actor:
    """Who acts now; the hub itself outside every job."""
    return _ACTOR.get()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Let somebody act while the body runs."""
    token = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(token)
