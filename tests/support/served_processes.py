"""Daemon, gateway and platform as processes of their own, each at an address of its own."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.demo.processes import Crew
from node.config import load_settings

LONGEST_WAIT_S: Final = 60.0
_ADDRESS: Final = re.compile(r" at (https?://[^\s,]+)")


@dataclass(slots=True, kw_only=True)
class Site:
    """One node's directory and the processes around it."""

    work: Path
    crew: Crew
    started: int = 0
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.work / "node"

    async def make(self, institutions: list[str], **settings: object) -> None:
        """Make the node; settings are `table__key=value`."""
        named = [part for code in institutions for part in ("--institution", code)]
        await self.crew.run("node", "init", "--dir", str(self.directory), *named)
        self.settle(interface__port=0, gateway__port=0, **settings)

    def settle(self, **settings: object) -> None:
        """Change `node.toml`."""
        path = self.directory / "node.toml"
        text = path.read_text(encoding="utf-8")
        for name, value in settings.items():
            table, _, key = name.partition("__")
            shown = orjson.dumps(value).decode()
            head, found, rest = text.partition(f"[{table}]")
            changed, count = re.subn(rf"(?m)^{key} = \S+", f"{key} = {shown}", rest, count=1)
            assert found, table
            assert count, name
            text = head + found + changed
        path.write_text(text, encoding="utf-8")

    async def serve(self) -> str:
        """Start the daemon; its address, empty where the interface is off."""
        return await self._start("daemon", "node", "serve", "--dir", str(self.directory))

    async def gateway(self) -> str:
        return await self._start("gateway", "node", "gateway", "--dir", str(self.directory))

    async def platform(self, messages: Path, *more: str) -> str:
        return await self._start("platform", "simulate", "platform", str(messages), *more)

    async def stop(self, name: str) -> None:
        """End a process and wait for its end."""
        pid = self.pids.pop(name)
        os.kill(pid, signal.SIGTERM)
        await until(lambda: pid not in self.crew.pids)

    async def kill(self, name: str) -> None:
        await self.crew.kill(self.pids.pop(name))

    async def status(self) -> dict[str, Any]:
        return await self.crew.ask("node", "status", "--dir", str(self.directory))

    def log(self, name: str) -> str:
        """What the processes of this name said."""
        logs = sorted((self.work / "logs").glob(f"{name}-*.log"))
        return "".join(path.read_text(encoding="utf-8") for path in logs)

    async def _start(self, name: str, *arguments: str) -> str:
        self.started += 1
        log = self.work / "logs" / f"{name}-{self.started}.log"
        pid = await self.crew.daemon(log.stem, *arguments, ready=log)
        self.pids[name] = pid
        is_off = name == "daemon" and not load_settings(self.directory).interface.enabled
        sign = re.compile(r"serving commands") if is_off else _ADDRESS
        await until(lambda: bool(sign.search(log.read_text("utf-8"))) or pid not in self.crew.pids)
        found = sign.search(log.read_text("utf-8"))
        assert found, log.read_text("utf-8")
        return found.group(1) if sign is _ADDRESS else ""


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < LONGEST_WAIT_S
        await asyncio.sleep(0.02)
