"""``python -m tests.fuzz.messages --count 1000000``: no mutated message does any harm.

What MUST hold of every line, whatever it is:
0. the intake raises nothing and says of each line what became of it, in order;
1. the answer is a whole official envelope;
2. what was refused leaves no record, and every record is of an accepted message;
3. whole messages between mutated ones go in whole.

Every other batch goes through the interface's own desk: screening, group commit, answers.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from node.domain.official_answers import FAILED, MAX_MESSAGE, RECEIVED, reference_id, respond
from node.domain.records import MESSAGE
from node.intake.answers import taken_text
from node.intake.batch import BatchIntake
from node.intake.field_rules import compile_intake
from node.intake.lines import Line
from node.intake.outcomes import Outcome, Taken
from node.intake.report import Tally
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.fuzz.desk import call_all
from tests.fuzz.mutations import mutated, seeds
from tests.support import node_messages as m

__all__ = ["Fuzzed", "fuzz"]

BATCH: Final = 1_000
PER_STORE: Final = 20_000
"""Lines until the store is looked through, and the next begins with an empty one."""
_MSGID_CHARS: Final = 30


@dataclass(slots=True, kw_only=True)
class Fuzzed:
    """What came of a run."""

    lines: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)


def fuzz(directory: Path, random: Random, count: int, fuzzed: Fuzzed) -> None:
    """Take mutated messages into stores and check what must hold.

    Args:
        directory: Where the stores go.
        random: Chooses everything.
        count: Lines to take in.
        fuzzed: Takes the counts.

    Raises:
        AssertionError: Something does not hold; the batch is beside the store.
    """
    documents = seeds()
    for first in range(0, count, PER_STORE):
        place = directory / f"store-{first}"
        with m.open_store(place) as store:
            run = _Run(store=store, random=random, documents=documents, fuzzed=fuzzed)
            last = min(first + PER_STORE, count)
            for start in range(first, last, BATCH):
                run.take(start, min(BATCH, last - start), place)
            run.look_through()
        sys.stderr.write(f"{last:,} of {count:,} mutated messages\n")


@dataclass(slots=True, kw_only=True)
class _Run:
    """One store."""

    store: NodeStore
    random: Random
    documents: Sequence[bytes]
    fuzzed: Fuzzed
    refused: set[tuple[str, str]] = field(default_factory=set)
    taken_in: set[tuple[str, str]] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)

    def take(self, start: int, count: int, place: Path) -> None:
        """Take one batch, a whole message first and last."""
        bodies = [mutated(self.random, self.documents, start + n) for n in range(count)]
        bodies[:0] = [self._whole(2 * start + 1)]
        bodies.append(self._whole(2 * start + 2))
        try:
            if start // BATCH % 2:
                self._judge(call_all(self.store, self.random, bodies))
            else:
                lines = [Line(number=n, body=body) for n, body in enumerate(bodies, start=1)]
                intake = BatchIntake(self.store, _RULES, now=m.NOW)
                taken = intake.take("fuzz", lines, Tally())
                assert [one.line for one in taken] == [line.number for line in lines]
                self._judge(taken)
        except Exception:
            (place / "failed.jsonl").write_bytes(b"\n".join(bodies))
            raise
        self.fuzzed.lines += count

    def _whole(self, number: int) -> bytes:
        document = m.fees(number % 10_000, 2, mdtrt_id=f"W{number}")
        document["request"]["msgid"] = f"{m.HOSPITAL}2025{number:014d}"
        for row in document["request"]["input"]["feedetail"]:
            row["mdtrt_id"] = f"W{number}"
        self.whole.add(document["request"]["msgid"])
        return json.dumps(document).encode()

    def _judge(self, taken: Sequence[Taken]) -> None:
        assert {taken[0].standing, taken[-1].standing} == {Outcome.STORED}
        for one in taken:
            assert (one.fault is not None) == (one.standing is Outcome.REFUSED)
            for elsewhere in (True, False):
                _judge_answer(*taken_text(one, settles_elsewhere=elsewhere))
            self.fuzzed.outcomes[one.standing] += 1
            if one.fault is not None:
                self.fuzzed.rules[one.fault.rule] += 1
                self.refused.add((one.infno, one.msgid))
            else:
                self.taken_in.add((one.infno, one.msgid))

    def look_through(self) -> None:
        """Compare the records with the ledger and with what was said of each message."""
        self.store.flush()
        kinds = sorted(self.store.schemas)
        with self.store.relations([*kinds, MESSAGE]) as engine:
            ledger = engine.execute("select infno, msgid, accepted from message").fetchall()
            assert {(infno, msgid) for infno, msgid, _ in ledger} == self.taken_in
            accepted = {msgid for _, msgid, is_accepted in ledger if is_accepted}
            lines: Counter[str] = Counter()
            for kind in kinds:
                ids = engine.execute(f"select record_id from {kind}").fetchall()  # noqa: S608 - a kind of the catalogue
                self.fuzzed.records[kind] += len(ids)
                owners = [record_id[:_MSGID_CHARS] for (record_id,) in ids]
                assert accepted.issuperset(owners), kind
                if kind == "fee_detail":
                    lines.update(owners)
        assert {lines[msgid] for msgid in self.whole} == {2}


_RULES: Final = compile_intake(load_catalog())


def _judge_answer(infcode: int, text: str) -> None:
    body = respond(
        infcode,
        text,
        reference=reference_id("330302", m.NOW, 1),
        received_at=m.NOW,
        answered_at=m.NOW,
    )
    answer = json.loads(body)
    assert set(answer) == {
        *("infcode", "inf_refmsgid", "refmsg_time", "respond_time", "err_msg", "output")
    }
    assert answer["infcode"] in {RECEIVED, FAILED}
    assert len(answer["err_msg"]) <= MAX_MESSAGE
    assert answer["err_msg"].isprintable()
    assert bool(answer["err_msg"]) or answer["infcode"] == RECEIVED


def main() -> None:
    """Run and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    fuzzed = Fuzzed()
    random = Random(given.seed)  # noqa: S311  # Repeatable, not secret.
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        fuzz(Path(directory), random, given.count, fuzzed)
    seconds = time.monotonic() - begun
    out = [
        f"{fuzzed.lines:,} mutated messages, seed {given.seed}, in {seconds:,.0f} s:",
        "nothing that must hold was broken",
        *_counts("outcome", fuzzed.outcomes),
        *_counts("rule", fuzzed.rules),
        *_counts("records", fuzzed.records),
    ]
    sys.stdout.write("\n".join(out) + "\n")


def _counts(title: str, counts: Counter[str]) -> list[str]:
    return [f"  {title:8} {name:26} {n:>12,}" for name, n in counts.most_common() if n]


if __name__ == "__main__":
    main()
