"""Re-keying: everybody is matched as before, at every moment, and the old key opens nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from node.domain.face_templates import Purpose
from node.errors import TemplateError
from node.presence.enrolling import ProtectedTemplate
from node.presence.rekeying import rekey
from scoring_kernel.faces.matching import parse_vector, score_e4
from tests.support import face_templates as f
from tests.support.face_vectors import units
from tests.support.node_messages import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.store import NodeStore

COUNT = 10
FACES = units(COUNT, f.DIMENSION)
MIXED = [
    ((face + other) / np.linalg.norm(face + other)).astype(np.float32)
    for face, other in zip(FACES, units(COUNT, f.DIMENSION, 9), strict=True)
]
"""Other pictures of the same people."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        enrol(opened)
        yield opened


def enrol(store: NodeStore) -> None:
    terminal = f.terminal(store)
    for number, face in enumerate(FACES):
        terminal.enrol(f"P{number}", face)


def scores(store: NodeStore) -> list[int]:
    """How like the people are to other pictures of them, and to the next ones, at a terminal."""
    window = f.terminal(store)
    epoch = window.desk.transform(f.NOW).epoch
    found = []
    for number in range(COUNT):
        answer = window.desk.find(f"P{number}", Purpose.VISIT, f.MODEL, f.NOW)
        assert isinstance(answer, ProtectedTemplate)
        assert answer.epoch == epoch
        kept = parse_vector(answer.vector, f.DIMENSION)
        probes = window.protected(MIXED[number], MIXED[number - 1])
        found += [score_e4(parse_vector(one, f.DIMENSION), kept) for one in probes]
    return found


def alike(one: list[int], other: list[int]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 1


def epochs(store: NodeStore) -> list[int]:
    return [
        row.epoch for number in range(COUNT) for row in store.edge.templates.rows(f"P{number}", 5)
    ]


def test_scores_stay_and_the_old_transform_is_destroyed(store: NodeStore) -> None:
    before, transforms = scores(store), store.edge.templates.transforms
    old = transforms.newest()
    assert old is not None
    window = f.terminal(store)
    (stale,) = window.protected(MIXED[0])

    assert rekey(store.edge.templates, f.CLERK) == (2, COUNT)
    assert alike(scores(store), before)
    assert epochs(store) == [2] * COUNT
    with pytest.raises(TemplateError, match="transform epoch 1"):
        transforms.find(1)
    answer = window.desk.find("P0", Purpose.VISIT, f.MODEL, f.NOW)
    assert isinstance(answer, ProtectedTemplate)
    new = parse_vector(answer.vector, f.DIMENSION)
    # A stranger's score: what was stolen under the old transform meets nobody any more.
    assert abs(score_e4(parse_vector(stale, f.DIMENSION), new)) < 5_000 < before[0]


def test_many_re_keyings_do_not_wear_templates_out(store: NodeStore) -> None:
    before = scores(store)
    for _ in range(12):
        rekey(store.edge.templates, f.CLERK)
    assert alike(scores(store), before)


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_between_batches_everybody_is_matched_and_it_resumes(
    store: NodeStore, batches: int
) -> None:
    before, templates = scores(store), store.edge.templates
    templates.begin_rekey(f.CLERK)
    for _ in range(batches):
        assert templates.rekey_batch(3, f.NOW) == 3

    assert alike(scores(store), before)
    (count,) = templates.counts(f.CLERK.day)
    assert (count.active, count.older) == (COUNT, COUNT - 3 * batches)
    f.terminal(store).enrol("P99", MIXED[0])
    assert rekey(templates, f.CLERK, resume=True) == (2, COUNT - 3 * batches)
    assert alike(scores(store), before)
    assert epochs(store) == [2] * COUNT


def test_a_second_one_over_an_unfinished_one_carries_all(store: NodeStore) -> None:
    before, templates = scores(store), store.edge.templates
    templates.begin_rekey(f.CLERK)
    templates.rekey_batch(4, f.NOW)
    assert rekey(templates, f.CLERK) == (3, COUNT)
    assert alike(scores(store), before)
    for epoch in (1, 2):
        with pytest.raises(TemplateError):
            templates.transforms.find(epoch)


@pytest.mark.parametrize("batches", [1, 2])
def test_a_process_killed_between_batches_leaves_nothing_unmatched(
    tmp_path: Path, batches: int
) -> None:
    home = tmp_path / "killed"
    with open_store(home) as store:
        enrol(store)
        before = scores(store)
    killed = subprocess.run(  # noqa: S603 - our own process
        [sys.executable, "-m", "tests.support.killed_rekey", str(home), str(batches)],
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with open_store(home) as store:
        assert sorted(epochs(store)) == [1] * (COUNT - 3 * batches) + [2] * 3 * batches
        assert alike(scores(store), before)
        assert rekey(store.edge.templates, f.CLERK, resume=True) == (2, COUNT - 3 * batches)
        assert alike(scores(store), before)
        actions = [one.action for one in store.desk.entries(500)]
        assert actions.count("template_rekey") == 1


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with open_store(tmp_path / "empty") as store:
        with pytest.raises(TemplateError, match="nobody was enrolled"):
            rekey(store.edge.templates, f.CLERK, resume=True)
        assert rekey(store.edge.templates, f.CLERK) == (1, 0)
        assert rekey(store.edge.templates, f.CLERK, resume=True) == (1, 0)


def test_the_same_face_under_two_keys_looks_like_a_strangers(tmp_path: Path) -> None:
    kept = []
    for name in ("a", "b"):
        with open_store(tmp_path / name) as store:
            enrol(store)
            answers = [
                f.terminal(store).desk.find(f"P{number}", Purpose.VISIT, f.MODEL, f.NOW)
                for number in range(COUNT)
            ]
            kept.append(
                [
                    parse_vector(one.vector, f.DIMENSION)
                    for one in answers
                    if isinstance(one, ProtectedTemplate)
                ]
            )
    found = [score_e4(one, other) for one, other in zip(*kept, strict=True)]
    assert len(found) == COUNT
    # Cosines of unrelated vectors of 64 numbers: standard deviation 0.125.
    assert max(map(abs, found)) < 6_000
