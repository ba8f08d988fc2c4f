"""The steps of a demonstration: each is timed, and told part by part."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Report = Callable[[str, int, int], None]
"""Called with a step's name, parts done and parts in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What was done, and how long it took."""

    report: Report
    """Told of every part."""
    seconds: dict[str, float] = field(default_factory=dict, init=False)
    """Seconds of every step that ended, by name."""

    @contextmanager
    def step(self, name: str, parts: int) -> Iterator[Callable[[], None]]:
        """Time a step and report its parts as they end.

        Args:
            name: What is done.
            parts: How many parts it has.

        Returns:
            What to call when a part has ended.
        """
        begun = time.monotonic()
        done = 0
        self.report(name, 0, parts)

        def ended() -> None:
            nonlocal done
            done += 1
            self.report(name, done, parts)

        yield ended
        self.seconds[name] = round(time.monotonic() - begun, 2)
