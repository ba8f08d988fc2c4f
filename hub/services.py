"""What a hub's daemon keeps running beside its servers: each is entered once, and left in turn."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

from hub.parts import HubParts

Say: TypeAlias = Callable[[str], None]
Service: TypeAlias = Callable[[HubParts, Say], AbstractAsyncContextManager[None]]

SERVICES: Final[tuple[Service, ...]] = ()
"""In the order in which they are started; the last one is stopped first."""
