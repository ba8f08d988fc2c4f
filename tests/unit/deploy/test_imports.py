"""What a command imports: with a daemon at work, little more than the channel to it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.protos import REPOSITORY
from security.local_channel import ControlServer

STORES: Final = ("alembic", "duckdb", "fastapi", "httpx", "pyarrow", "sqlalchemy", "sqlglot")
"""Packages that keep or serve records; an interpreter needs most of its start for them."""
PROGRAM: Final = f"""
import json, sys
from deploy.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    sys.stderr.write(json.dumps([end.code, [one for one in {STORES!r} if one in sys.modules]]))
"""
HUB: Final = '[hub]\nmember = "yixin://330300/hub/city"\nlevel = "city"\nname = "x"\n'
ASKED: Final = {
    "token": ("hub", "token", "--kind", "hub", "--division", "330300", "--code", "city"),
    "join": ("hub", "join", "--token", "yixin1.x"),
    "push": ("hub", "push", "--period", "2026H1"),
    "clues-join": ("hub", "clues", "join"),
    "export-trust": ("hub", "export-trust", "city.trust"),
    "sync": ("node", "sync"),
    "prescore": ("node", "prescore", "--period", "2026H1"),
    "clues_key": ("node", "clues", "key"),
    "rules_show": ("node", "rules", "show"),
    "knowledge_import": ("rules", "import-knowledge", "points.csv"),
}
"""Command by the job that it asks the daemon for."""

NUMBERS: Final = (
    *("parts", "appended", "sent", "receipts", "quarantined", "clues", "changed"),
    *("slots_stated", "envelopes_sent", "receipts_quarantined", "collected", "grade_statements"),
)
TEXTS: Final = ("token", "hub", "member", "key", "period", "sha256")
ANSWER: Final = {**dict.fromkeys(NUMBERS, 0), **dict.fromkeys(TEXTS, "x")}
"""What the daemon answers: whatever a command says of it is there."""


async def imported(*arguments: str) -> list[str]:
    """Run a command in an interpreter of its own; heavy packages it imported."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *arguments, "--json"),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await process.communicate()
    code, found = json.loads(told.splitlines()[-1])
    assert code == 0, out
    return list(found)


@pytest.mark.parametrize("job", ASKED)
def test_a_command_that_a_daemon_answers_opens_no_store(job: str, tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(HUB, encoding="utf-8")
    (tmp_path / "node.db").touch()
    asked: list[dict[str, Any]] = []

    async def answered() -> list[str]:
        def take(arguments: dict[str, Any], _progress: object) -> dict[str, Any]:
            asked.append(arguments)
            return ANSWER

        server = ControlServer(
            tmp_path / "control.sock", {job: take}, describe=lambda error: ("", str(error), 1)
        )
        await server.start()
        try:
            return await imported(*ASKED[job], "--dir", str(tmp_path))
        finally:
            await server.stop()

    assert asyncio.run(answered()) == []
    assert len(asked) == 1
