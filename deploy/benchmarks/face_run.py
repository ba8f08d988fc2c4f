"""One run of the face benchmarks on one core, in a process of its own.

The threads of a matrix library are settled when it is loaded, and resident memory is this
process's alone. Prints one JSON object, see ``search_many``.
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from deploy.benchmarks.measuring import alternate, stopwatch
from deploy.errors import BenchmarkError
from node.presence.gallery import MappedVectors
from scoring_kernel.faces.arrays import FloatMatrix, FloatVector

DIMENSION: Final = 128
SEARCHES: Final = 50
THRESHOLD_E4: Final = 5_500
"""Strangers reach it as good as never: in 128 dimensions their cosines deviate by 0.09."""
_CANDIDATES: Final = 5
_NOISE: Final = 0.05
"""Of each number of a probe; its cosine with the enrolled vector is about 0.87."""
_SEED: Final = 10
_BLOCK: Final = 4_096
_STATUS: Final = Path("/proc/self/status")


def search_many(templates: int, repeats: int) -> dict[str, float]:
    """Search for one face among many templates.

    Args:
        templates: How many there are.
        repeats: Runs of ours and of the bare product, in turn.

    Returns:
        Milliseconds of one search and of one bare product, ``ours_ms`` and ``reference_ms``; at a
        tenth and at ten times the templates ours, ``fewer_ms`` and ``more_ms``; ``mapped_bytes``
        of the vectors and ``beside_bytes``, what searching takes besides.

    Raises:
        BenchmarkError: A search found somebody else, or nobody.
    """
    fewer = _search(max(1, templates // 10), repeats)
    found = _search(templates, repeats)
    more = _search(templates * 10, repeats)
    return {**found, "fewer_ms": fewer["ours_ms"], "more_ms": more["ours_ms"]}


def _search(templates: int, repeats: int) -> dict[str, float]:
    rng = np.random.default_rng(_SEED)
    before = _resident_bytes()
    mapped, plain = MappedVectors(DIMENSION), np.empty((templates, DIMENSION), np.float32)
    for begin in range(0, templates, _BLOCK):
        block = draw(min(_BLOCK, templates - begin), rng)
        mapped.add([row.to_bytes(16) for row in range(begin, begin + len(block))], block)
        plain[begin : begin + len(block)] = block
    who = rng.integers(templates, size=SEARCHES).tolist()
    probes = [_probe(plain[row], rng) for row in who]

    def searched(_run: int) -> float:
        with stopwatch() as watch:
            found = [mapped.search(probe, THRESHOLD_E4, _CANDIDATES) for probe in probes]
        if [one[0][0] if one else b"" for one in found] != [row.to_bytes(16) for row in who]:
            raise BenchmarkError(f"a search among {templates:,} templates found somebody else")
        return watch.core_s / SEARCHES * 1_000

    searched(0)
    beside = _resident_bytes() - before - 2 * plain.nbytes

    def multiplied(_run: int) -> float:
        with stopwatch() as watch:
            for probe in probes:
                np.matmul(plain, probe)
        return watch.core_s / SEARCHES * 1_000

    ours, reference = alternate(searched, multiplied, repeats=repeats)
    return {
        "ours_ms": ours,
        "reference_ms": reference,
        "mapped_bytes": plain.nbytes,
        "beside_bytes": max(0, beside),
    }


def draw(count: int, rng: np.random.Generator) -> FloatMatrix:
    """Draw unit vectors.

    Args:
        count: How many.
        rng: Source of the draws.

    Returns:
        One a row, shape (count, 128).
    """
    rows = rng.standard_normal((count, DIMENSION), dtype=np.float32)
    rows /= np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return rows


def _probe(template: FloatVector, rng: np.random.Generator) -> FloatVector:
    """Draw another picture of the same face."""
    noise = rng.standard_normal(template.size, dtype=np.float32)
    probe = template + np.float32(_NOISE) * noise
    return np.asarray(probe / np.linalg.norm(probe), np.float32)


def _resident_bytes() -> int:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Run with the arguments TEMPLATES REPEATS."""
    templates, repeats = map(int, sys.argv[1:])
    sys.stdout.buffer.write(orjson.dumps(search_many(templates, repeats)) + b"\n")


if __name__ == "__main__":
    main()
