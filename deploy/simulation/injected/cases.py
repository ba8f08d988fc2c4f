"""Which cases are injected: one function a rule or a few, in order."""

from collections.abc import Callable
from typing import Final

from deploy.simulation.injected.limits import drugs_by_sex
from deploy.simulation.injected.scene import Scene

__all__ = ["CASES"]

CASES: Final[tuple[Callable[[Scene], None], ...]] = (drugs_by_sex,)
