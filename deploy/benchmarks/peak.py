"""Greatest memory of this process: of its own, never of the one that started it."""

import resource
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")


def peak_bytes() -> int:
    """Most resident bytes since this program began.

    ``ru_maxrss`` also counts what the starting process held at the moment of the start, so the
    kernel's own high-water mark is read where there is one.
    """
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
