"""How a daemon starts again: the same program begins in its place, in the same process."""

import os
import sys
from typing import NoReturn


def start_again() -> NoReturn:
    """Begin this program anew in the same process; the caller has given back what it held."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves
