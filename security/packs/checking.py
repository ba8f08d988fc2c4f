"""A pack is opened and its golden vectors are run in a process of their own, before the switch.

Rules:
- What a pack breaks, it breaks there: a process that dies or takes too long is a failure.
- It gives way to the daemon, and says nothing but one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from security.errors import PackError
from security.packs.archive import read_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TIMEOUT_S: Final = 900.0
MAX_ANSWER_BYTES: Final = 256 * 1024
NICE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of running a pack's golden vectors here."""

    passed: bool
    vectors: int
    failures: tuple[str, ...]
    catalog: str
    """Digest of its catalogue, hexadecimal; empty when it could not be opened."""
    version: str
    from_day: int
    to_day: int
    """0 until further notice."""
    grace_days: int


def run_apart(path: Path, module: str) -> Checked:
    """Check a pack in a process of its own.

    Args:
        path: The pack's file, verified.
        module: What that process runs; it answers by `answer`.
    """
    try:
        run = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-m", module, os.fspath(path.absolute())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return _checked(json.loads(run.stdout[:MAX_ANSWER_BYTES]))
    except subprocess.TimeoutExpired:
        return _failed(f"the vectors took longer than {TIMEOUT_S:.0f} s")
    except (ValueError, TypeError, KeyError):
        return _failed("the process that ran the vectors ended without an answer")


def answer(path: Path, check: Callable[[Mapping[str, bytes]], Mapping[str, Any]]) -> None:
    """Check a pack in this process, which `run_apart` began, and answer it.

    Args:
        path: The pack's file, named by its digest.
        check: Opens the files of a pack and runs its vectors; gives the parts of a `Checked`.
    """
    os.nice(NICE)
    content = path.read_bytes()
    if path.stem == hashlib.sha256(content).hexdigest():
        found = _check(content, check)
    else:
        found = _failed("open: its file was changed")
    sys.stdout.write(json.dumps(asdict(found)))


def _check(content: bytes, check: Callable[[Mapping[str, bytes]], Mapping[str, Any]]) -> Checked:
    try:
        contents = read_archive(content)
    except PackError as error:
        return _failed(f"open: {error}")
    return _checked(check(contents))


def _checked(found: Mapping[str, Any]) -> Checked:
    failures = tuple(_printable(one) for one in found["failures"])
    return Checked(**{**found, "failures": failures})


def _failed(reason: str) -> Checked:
    return Checked(
        passed=False,
        vectors=0,
        failures=(_printable(reason),),
        catalog="",
        version="",
        from_day=0,
        to_day=0,
        grace_days=0,
    )


def _printable(reason: str) -> str:
    return "".join(char if char.isprintable() else " " for char in reason)[:120]
