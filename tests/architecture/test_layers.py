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
    assert "2 kept, 0 broken" in done.stdout
