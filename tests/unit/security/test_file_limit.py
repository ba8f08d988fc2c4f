"""Open files: lines of members have what the system allows."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from security.channels import MAX_OPEN_CONNECTIONS, member_port_options
from security.file_limit import MOST

_LOWERED = """
import resource
from security.file_limit import raise_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
print(raise_file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize("hard", [256, 300, 4_000])
def test_a_process_takes_what_the_system_allows(hard: int) -> None:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < hard:
        pytest.skip(f"the system allows {allowed} files only")
    command = [sys.executable, "-c", _LOWERED.format(hard=hard)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    assert out.stdout.split() == [str(hard), str(hard)]


@pytest.mark.parametrize(
    ("files", "lines"), [(256, MAX_OPEN_CONNECTIONS), (1_024, 512), (MOST, 65_024)]
)
def test_lines_leave_room_for_the_hubs_own_files(files: int, lines: int) -> None:
    assert dict(member_port_options(files))["grpc.max_allowed_incoming_connections"] == lines
