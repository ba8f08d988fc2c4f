"""What all tests share: no test asserts a time, and processes start as an installation's do."""

import os
import sys
from pathlib import Path

from hypothesis import settings

settings.register_profile("yixin", deadline=None)
settings.load_profile("yixin")

BARE = str(Path(__file__).parent / "support" / "bare")
"""First in the path of the processes that tests start, and not in our own."""
_given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [BARE, *(one for one in _given if one not in ("", BARE))]
)
sys.path[:] = [one for one in sys.path if one != BARE]
