"""Open files of a process: as many as the system lets it have.

Every line of a member is one. Systems start processes with 1,024 and let them have more.
"""

from __future__ import annotations

import resource
from typing import Final

MOST: Final = 65_536
"""More are not asked for: lines of every member of a province, and room."""


def raise_file_limit() -> int:
    """Take as many open files as the system allows, up to ``MOST``.

    Returns:
        How many files this process may have open now.

    >>> raise_file_limit() == raise_file_limit() <= MOST
    True
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST if soft == resource.RLIM_INFINITY else min(soft, MOST)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
