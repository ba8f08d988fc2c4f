"""National cryptography, missing or in another version, for tests of what is said then."""

from __future__ import annotations

import importlib.metadata
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from security import sm2

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def without_tongsuopy(monkeypatch: pytest.MonkeyPatch, version: str = "") -> Iterator[None]:
    """Hide ``tongsuopy``; with a version, let it be there and say that it is that one."""
    library = sm2._library  # noqa: SLF001 - what was loaded is kept there
    library.cache_clear()
    with monkeypatch.context() as patch:
        if version:
            patch.setattr(importlib.metadata, "version", lambda _: version)
        else:
            patch.setitem(sys.modules, "tongsuopy.backends.tongsuo.backend", None)
        yield
    library.cache_clear()
