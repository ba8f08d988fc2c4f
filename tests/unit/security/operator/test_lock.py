import subprocess
import sys
from pathlib import Path

import pytest

from security.errors import LockHeldError
from security.operator import writer_lock

HOLD = """
import sys
from pathlib import Path
from security.operator import writer_lock
with writer_lock(Path(sys.argv[1]), "node.lock"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with (
            pytest.raises(LockHeldError, match=f"pid {owner.pid}"),
            writer_lock(tmp_path, "node.lock"),
        ):
            pass
        owner.kill()
    with writer_lock(tmp_path, "node.lock"):
        pass
