"""The steps of the rules' benchmark, each in a process of its own so that its peak is its own.

``build`` makes a node of so many lines, ``run`` runs every monitoring rule over it and keeps the
hits, ``scan`` reads every column of every record that the rules read, once. Prints one JSON object.
"""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from deploy.benchmarks.measuring import stopwatch
from deploy.benchmarks.peak import peak_bytes
from deploy.benchmarks.rules_goods import goods_records, register_records
from deploy.benchmarks.rules_items import make_items
from deploy.benchmarks.rules_lines import make_lines
from deploy.benchmarks.rules_records import month_records
from deploy.benchmarks.rules_world import MONTHS, make_visits, make_world
from node.domain.institutions import Institution
from node.store import NodeStore
from node.store.commit import Commit
from node.store.knowledge import NewImport
from node.supervision.batch import RunOrder, run_rules
from scoring_kernel.rules import Rule, RuleBook, load_rules
from security.at_rest import Vault
from security.progress import no_progress

__all__ = ["build", "run", "scan"]

SEED: Final = 20_261_122
_KEY: Final = "node.key"
_DAY: Final = "2021-05-01"

Found = dict[str, Any]


def build(directory: Path, lines: int) -> Found:
    """Make a node's store.

    Args:
        directory: Empty directory for the store.
        lines: Detail lines, roughly.

    Returns:
        ``lines``, the number of lines, and ``seconds``.
    """
    rng = np.random.default_rng(SEED)
    book = load_rules()
    items = make_items(book, rng)
    world = make_world(lines, items, rng)
    made = first = 0
    with stopwatch() as watch, NodeStore(directory, Vault.create(directory / _KEY)) as store:
        codes = [str(code) for code in world.institutions]
        store.set_institutions([Institution(code=code, name=code) for code in codes])
        store.commit(Commit(records=register_records(world, store.schemas, rng)))
        for at in range(len(MONTHS)):
            visits = make_visits(world, at, first, rng)
            charged = make_lines(world, visits, rng)
            of_month = (world, visits, charged, store.schemas, rng)
            store.commit(Commit(records=month_records(*of_month)))
            store.commit(Commit(records=goods_records(*of_month)))
            store.flush_if_large()
            first += visits.count
            made += len(charged.item)
        store.flush()
        store.supervision.import_knowledge(
            NewImport(
                sha256=bytes(32),
                source="benchmark",
                begins_on=_DAY,
                imported_at=_DAY,
                operator="benchmark",
                unbound=0,
                tables=items.knowledge,
            )
        )
    return {"lines": made, "seconds": watch.core_s}


def run(directory: Path, _lines: int) -> Found:
    """Run every monitoring rule and keep what it finds.

    Returns:
        ``seconds``, ``peak_bytes``, ``hits`` and ``ms`` by rule, ``stopped`` by rule.
    """
    book = load_rules()
    with NodeStore(directory, Vault.load(directory / _KEY)) as store, stopwatch() as watch:
        report = run_rules(
            store,
            store.supervision,
            store.supervision,
            book,
            RunOrder(rules=_rules(book), kinds=frozenset(store.schemas)),
            now=lambda: datetime.now(tz=UTC),
            progress=no_progress,
        )
    return {
        "seconds": watch.core_s,
        "peak_bytes": peak_bytes(),
        "hits": {one.rule: one.hits for one in report.outcomes},
        "ms": {one.rule: one.ms for one in report.outcomes},
        "stopped": {one.rule: one.error for one in report.stopped},
    }


def scan(directory: Path, _lines: int) -> Found:
    """Read every column of what the rules read, once.

    Returns:
        ``seconds`` and ``rows``.
    """
    book = load_rules()
    rows = 0
    with NodeStore(directory, Vault.load(directory / _KEY), writer=False) as store:
        kinds = book.kinds(_rules(book))
        engine = store.relations(kinds)
        with stopwatch() as watch:
            for kind in kinds:
                counts = ", ".join(f'count("{name}")' for name in store.schemas[kind].names)
                (found,) = engine.execute(f"select count(*), {counts} from {kind}").fetchall()  # noqa: S608  # Names of the catalogue.
                rows += int(found[0])
        engine.close()
    return {"seconds": watch.core_s, "rows": rows}


def _rules(book: RuleBook) -> tuple[Rule, ...]:
    return tuple(one for one in book.runnable if one.set != "warning")


STEPS: Final[Mapping[str, Callable[[Path, int], Found]]] = {
    "build": build,
    "run": run,
    "scan": scan,
}


def main() -> None:
    """Run with the arguments STEP DIRECTORY LINES."""
    step, directory, lines = sys.argv[1:]
    found = STEPS[step](Path(directory), int(lines))
    sys.stdout.buffer.write(orjson.dumps(found) + b"\n")


if __name__ == "__main__":
    main()
