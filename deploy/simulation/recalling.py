"""Compares what a node finds with what was injected into its city.

Rules:
- Hits come from the node's store, opened for reading; warnings from the node's own interface,
  which is asked every question of the city (``requests/``).
- Only what was injected at institutions under the node's custody counts.
- A question that is not judged whole ends the comparison: nothing would follow from the rest.
"""

import csv
import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from deploy.errors import SimulationError
from deploy.simulation.injected.recall import Found, RuleRecall, measure_recall, read_truth
from deploy.simulation.injected.truth import TRUTH_COLUMNS, Injected
from node.api.his import UNIFORM_PATH
from node.app import opened
from node.store.hits import HitFilter

__all__ = ["message_ids", "recall_of"]

_PAGE: Final = 1_000
_CALL_S: Final = 30.0
_READY_S: Final = 60.0
_WAIT_S: Final = 0.25
_PER_YUAN: Final = 100
_DIGITS: Final = 4
"""Of a message id, the last ones: its number within the second."""


def recall_of(city: Path, node: Path, url: str | None) -> tuple[RuleRecall, ...]:
    """Compare what a node finds with the truth of a city.

    Args:
        city: The city's directory.
        node: The node's directory.
        url: Address of its interface; None to leave the warnings out.

    Returns:
        One result a rule, in order of the rules.

    Raises:
        SimulationError: There is no truth, or the interface does not answer or judge.
        StoreError: The node's store cannot be read.
    """
    truth = _truth(city)
    with opened(node, writer=False) as jobs:
        keeper = jobs.store.supervision
        codes = jobs.store.institution_codes()
        hits = []
        for row in _pages(lambda at: keeper.hits(HitFilter(), limit=_PAGE, offset=at)):
            body = keeper.body(row.id)
            hits.append(
                Found(
                    rule=row.rule,
                    institution=row.institution,
                    visits=body.visits,
                    keys=body.keys,
                    amount_fen=row.amount_fen,
                )
            )
    asked: list[Mapping[str, Any]] = []
    if url is not None:
        requests = (
            orjson.loads(line)
            for path in sorted(city.glob("requests/*.jsonl"))
            for line in path.read_bytes().splitlines()
        )
        asked = [one for one in requests if one["fixmedins_code"] in codes]
        hits += _warnings(url, asked)
    visits = {_visit(one) for one in asked}
    warned = {one.rule for one in truth if one.mdtrt_id in visits}
    kept = [one for one in truth if one.institution in codes]
    if url is None:
        kept = [one for one in kept if not one.rule.startswith("W")]
    elif lacking := {one.rule for one in kept if one.rule.startswith("W")} - warned:
        raise SimulationError(f"found no requests for {', '.join(sorted(lacking))}; simulate anew")
    return measure_recall(kept, hits)


def _truth(city: Path) -> tuple[Injected, ...]:
    path = city / "rule_truth.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != TRUTH_COLUMNS:
                raise SimulationError(f"{path} has not the columns {', '.join(TRUTH_COLUMNS)}")
            return read_truth(rows)
    except OSError as error:
        raise SimulationError(
            f"{path} cannot be read ({error.strerror}); simulate a city with --cases"
        ) from error


def _pages(page: Callable[[int], Sequence[Any]]) -> Iterator[Any]:
    offset = 0
    while rows := page(offset):
        yield from rows
        offset += len(rows)


def _visit(request: Mapping[str, Any]) -> str:
    patient = request["input"]["data"]["patient_dtos"][0]
    return str(patient["curr_mdtrt_id"])


def _warnings(url: str, requests: Sequence[Mapping[str, Any]]) -> list[Found]:
    """Ask every question."""
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname is None:
        raise SimulationError(f"found address {url[:80]!r}; expected one like http://127.0.0.1:1")
    link = http.client.HTTPConnection(address.hostname, address.port, timeout=_CALL_S)
    try:
        ids = message_ids([one["msgid"] for one in requests])
        return [
            found
            for one, own in zip(requests, ids, strict=True)
            for found in _warned(one, _judged(link, one, own))
        ]
    except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
        raise SimulationError(
            f"{url[:80]} gave no answer ({type(error).__name__}); start the node with its interface"
        ) from error
    finally:
        link.close()


def _call(link: http.client.HTTPConnection, request: Mapping[str, Any]) -> Mapping[str, Any]:
    head = {"Content-Type": "application/json;charset=UTF-8"}
    link.request("POST", UNIFORM_PATH, body=orjson.dumps(request), headers=head)
    answer = orjson.loads(link.getresponse().read())
    return answer if isinstance(answer, dict) else {}


def message_ids(msgids: Sequence[str]) -> list[Iterator[str]]:
    """Give each question ids of its own, one for each time that it is asked.

    What was answered once is answered so again, and one id with two contents is a conflict: the
    last four digits count through all questions of one institution and second, again and again.

    >>> [[next(own), next(own)] for own in message_ids(["H-0007", "H-0000", "P-0007"])]
    [['H-0000', 'H-0002'], ['H-0001', 'H-0003'], ['P-0000', 'P-0001']]
    """
    alike = Counter(one[:-_DIGITS] for one in msgids)
    before: Counter[str] = Counter()
    found: list[Iterator[str]] = []
    for one in msgids:
        prefix = one[:-_DIGITS]
        numbers = range(before[prefix], 10**_DIGITS, alike[prefix])
        found.append(map(f"{prefix}{{:0{_DIGITS}d}}".format, cycle(numbers)))
        before[prefix] += 1
    return found


def _judged(
    link: http.client.HTTPConnection, request: Mapping[str, Any], own: Iterator[str]
) -> Mapping[str, Any]:
    """Ask until the question is judged whole: a node reads first what it holds, or is busy."""
    until = time.monotonic() + _READY_S
    while True:
        answer = _call(link, {**request, "msgid": next(own)})
        words = answer.get("err_msg")
        if not words:
            return answer
        if time.monotonic() > until:
            raise SimulationError(f"{request['msgid']} was not judged: {words}")
        time.sleep(_WAIT_S)


def _warned(request: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[Found]:
    patient = request["input"]["data"]["patient_dtos"][0]
    orders = {
        order["rx_id"]: order["hilist_code"]
        for encounter in patient["fsi_encounter_dtos"]
        for order in encounter["fsi_order_dtos"]
    }
    for one in answer.get("output", {}).get("result", ()):
        details = one["judge_result_detail_dtos"]
        yield Found(
            rule=one["warn_id"],
            institution=request["fixmedins_code"],
            visits=(one["mdtrt_id"],),
            keys=tuple(orders[detail["rx_id"]] for detail in details),
            amount_fen=round(one["vola_amt"] * _PER_YUAN),
        )
