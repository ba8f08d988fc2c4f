from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor
from tests.support.logs import LogUnderTest, sample_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log() -> LogUnderTest:
    return sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)


@pytest.fixture
def empty_log() -> LogUnderTest:
    return LogUnderTest(hub=HUB_UNDER_TEST)


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    return Auditor(tmp_path)
