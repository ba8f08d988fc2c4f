"""Runs of a rule over changing thresholds: ids stay, first runs are kept, what is lost is gone.

The model is a list of which amounts each run must find.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.hits import HitFilter
from tests.support.node_messages import open_store
from tests.support.rule_facts import RuleFacts
from tests.support.rule_runs import book, put_facts, rule, run

AMOUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=6)
THRESHOLDS = st.lists(st.integers(0, 10), min_size=1, max_size=5)


@dataclass(slots=True)
class Expected:
    first: int
    last: int
    gone: int | None = None


def model(amounts: Sequence[int], thresholds: Sequence[int]) -> dict[int, Expected]:
    """What is kept of every line after all runs, by its place."""
    kept: dict[int, Expected] = {}
    for number, threshold in enumerate(thresholds, start=1):
        for place, amount in enumerate(amounts):
            known = kept.get(place)
            if amount >= threshold:
                kept[place] = Expected(first=known.first if known else number, last=number)
            elif known is not None and known.gone is None:
                known.gone = number
    return kept


@settings(max_examples=12, deadline=None)
@given(amounts=AMOUNTS, thresholds=THRESHOLDS)
def test_hits_follow_the_model_over_any_runs(amounts: list[int], thresholds: list[int]) -> None:
    facts = RuleFacts.of({"visits": {"V1": {"person": "P1"}}})
    for place, amount in enumerate(amounts):
        facts.line(visit="V1", item=f"X{place}", amount=amount)
    with tempfile.TemporaryDirectory() as work, open_store(Path(work) / "node") as store:
        put_facts(store, facts)
        ids: dict[int, bytes] = {}
        for threshold in thresholds:
            run(store, book(rule(sql=f"{rule().sql} WHERE amount_fen >= {threshold * 100}")))
            for hit in store.supervision.hits(HitFilter(gone=True)):
                (key,) = store.supervision.body(hit.id).keys
                place = int(key.removeprefix("X"))
                assert ids.setdefault(place, hit.id) == hit.id
                assert hit.amount_fen == amounts[place] * 100
        found = {
            place: Expected(first=hit.first_run, last=hit.last_run, gone=hit.gone_run)
            for hit in store.supervision.hits(HitFilter(gone=True))
            for place, name in ids.items()
            if name == hit.id
        }
    assert found == model(amounts, thresholds)
