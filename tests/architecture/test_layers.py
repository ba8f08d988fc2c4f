"""Who may look into whose room: the contracts of ``pyproject.toml``, run as they stand."""

import subprocess
import sys
from pathlib import Path

from deploy.protos import REPOSITORY


def test_the_import_contracts_are_kept() -> None:
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(  # noqa: S603  # A tool of this environment, fixed arguments.
        [str(tool), "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


def test_the_auditor_imports_no_database_and_no_network() -> None:
    code = (
        "import sys, security.audit; "
        "print([name for name in ('sqlalchemy', 'sqlite3', 'grpc', 'socket', 'asyncio', 'ssl',"
        " 'httpx', 'tuf', 'hub', 'node') if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603  # This interpreter, fixed arguments.
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
