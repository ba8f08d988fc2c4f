"""One small city, written once and read by every test here."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.simulation.simulate import Order, simulate

ORDER = Order(institutions=24, claims=2_400, seed=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A city on disk."""

    out: Path
    manifest: dict[str, Any]

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def exchanges(self, period: str = "*") -> Iterator[dict[str, Any]]:
        for path in sorted(self.out.glob(f"messages/*/{period}.jsonl")):
            with path.open("rb") as file:
                yield from map(orjson.loads, file)


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    out = tmp_path_factory.mktemp("city") / "out"
    return Written(out=out, manifest=simulate(ORDER, out, quiet))
