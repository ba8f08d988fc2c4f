"""A data set of stand-in people, a store of stand-in models, and tables of pairs of them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from edge_devices.models import ModelStore
from tests.support.faces import StandIn, picture, png, stand_ins

if TYPE_CHECKING:
    from pathlib import Path

SUBJECTS = 20
PAIRED = 11
"""Of them, in tables of pairs: 33 pairs of one person, 495 of two."""
SHOTS = 3


def store_at(directory: Path, models: tuple[StandIn, ...] = ()) -> ModelStore:
    """A store with the stand-in models, or with those given."""
    store = ModelStore(directory)
    for one in models or stand_ins():
        store.install(one.content, {one.manifest.sha256: one.manifest}, one.text)
    return store


def write_people(folder: Path, subjects: int = SUBJECTS, shots: int = SHOTS) -> Path:
    """Pictures of some people, a folder each."""
    for subject in range(1, subjects + 1):
        place = folder / f"s{subject}"
        place.mkdir(parents=True)
        for shot in range(1, shots + 1):
            (place / f"{shot}.png").write_bytes(png(picture(subject, shot, noise=200.0)))
    return folder


def pair_lines(subjects: int = PAIRED, shots: int = SHOTS, *, labelled: bool = True) -> list[str]:
    """The table of all pairs of these people, with its header."""
    header = "left,right,same" + ",left_subject,right_subject,group" * labelled
    lines = [header]
    names = [(subject, shot) for subject in range(1, subjects + 1) for shot in range(1, shots + 1)]
    for (one, first), (other, second) in combinations(names, 2):
        pair = f"people/s{one}/{first}.png,people/s{other}/{second}.png,{int(one == other)}"
        group = "男" if one % 2 and other % 2 else ""
        lines.append(pair + f",p{one},p{other},{group}" * labelled)
    return lines
