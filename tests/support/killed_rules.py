"""A process that runs rules over a node's records, to be killed at any moment.

Prints ``ready`` as it begins; kills itself when it has kept so many parts, none where that is 0.
Usage: python -m tests.support.killed_rules DIRECTORY THRESHOLD PARTS
"""

import os
import signal
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import node.supervision.batch
from node.store.hits import SealedHit
from node.supervision.batch import RunOrder, run_rules
from scoring_kernel.rules import RuleBook
from security.progress import no_progress
from tests.support.node_messages import open_store
from tests.support.rule_runs import Clock, book, rule

__all__ = ["PART_HITS", "limited"]

PART_HITS: Final = 40
"""Hits of one transaction: small ones, so that a kill falls between some."""


class Fatal:
    """Keeps what a run finds, and ends the process after some parts."""

    def __init__(self, sink: Any, parts: int) -> None:  # noqa: ANN401 - the store's own
        self._sink = sink
        self._left = parts

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self._sink, name)

    def keep(
        self, run: int, rule: str, changed: Sequence[SealedHit], same: Collection[bytes]
    ) -> None:
        """Keep a part; after the last one there is nobody any more."""
        self._sink.keep(run, rule, changed, same)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def limited(threshold: int) -> RuleBook:
    """Two rules that hit lines from an amount on."""
    tail = f" WHERE amount_fen >= {threshold:d}"
    return book(*(rule(name, sql=f"{rule().sql}{tail}") for name in ("M10", "M20")))


def main() -> None:
    """Run once."""
    directory, threshold, parts = sys.argv[1:]
    node.supervision.batch.KEPT_ROWS = PART_HITS  # type: ignore[attr-defined]
    with open_store(Path(directory)) as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        of = limited(int(threshold))
        run_rules(
            store,
            store.supervision,
            Fatal(store.supervision, int(parts)),
            of,
            RunOrder(rules=of.runnable, kinds=frozenset(store.schemas)),
            now=Clock(),
            progress=no_progress,
        )


if __name__ == "__main__":
    main()
