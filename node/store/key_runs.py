"""Runs of keys: immutable sorted files, looked up without reading them into memory.

0. A file has two regions: the first halves of all keys, then what belongs to them, 32 bytes each.
1. Every 1,024th first half stays in memory; a lookup reads only what lies between two of them.
2. A run is made of others by merging them in chunks: of equal keys the newest stays.
3. It is on disk under its name when it is whole (temporary file, fsync, rename, fsync of the
   directory); its row holds a SHA-256 over both regions, compared when the run is opened.

Keys are digests under a secret, so a file tells nothing about a person, and first halves are
spread evenly. Source: P. O'Neil et al., The log-structured merge-tree (1996).
"""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from node.errors import StoreError
from security.at_rest import FileLayer

__all__ = ["ENTRY", "Entries", "KeyRun", "merge_entries", "merge_runs", "open_run", "write_run"]

ENTRY: Final = np.dtype(
    [("hi", "<u8"), ("lo", "<u8"), ("value", "<u8"), ("order", "<i8"), ("place", "<i8")]
)
"""A key in two halves; a digest of what stands under it; which of two messages was sent first;
where the record lies."""
Entries: TypeAlias = npt.NDArray[np.void]
"""Structured array of ENTRY, sorted by key, each key once."""

_HI: Final = np.dtype("<u8")
_REST: Final = np.dtype([("lo", "<u8"), ("value", "<u8"), ("order", "<i8"), ("place", "<i8")])
_FENCE: Final = 1_024
_GAP: Final = 16 * _FENCE
"""Between two wanted entries nearer than this, the bytes are read rather than skipped."""
_WINDOW: Final = 1 << 20
"""Entries looked at in one piece: bounds the memory of a lookup."""
_CHUNK: Final = 1 << 18
"""Entries of each run in memory during a merge."""
_WORDS: Final = ("lo", "value", "order", "place")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRun:
    """One run, open for lookups."""

    path: Path
    count: int
    room: int
    """Entries that the regions have room for: the second begins behind the room of the first."""
    sha256: bytes
    fences: npt.NDArray[np.uint64] = field(repr=False)
    """Every 1,024th first half."""

    def find(self, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], out: Entries) -> None:
        """Look keys up; entries of those that are here are put into ``out``.

        Args:
            hi: First halves, sorted, shape (n,).
            lo: Second halves, shape (n,).
            out: Shape (n,); rows whose key is not here stay as they are.
        """
        if not self.count or not len(hi):
            return
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            block = np.maximum(np.searchsorted(self.fences, hi, "left").astype(np.int64) - 1, 0)
            for first, last in _pieces(block * _FENCE, _FENCE + 1):
                start = int(block[first]) * _FENCE
                stop = min(int(block[last - 1]) * _FENCE + _FENCE + 1, self.count)
                held = self._read(descriptor, _HI, start, stop)
                at = np.searchsorted(held, hi[first:last], "left")
                near = held[np.minimum(at, len(held) - 1)]
                rows = np.flatnonzero((at < len(held)) & (near == hi[first:last]))
                self._take(descriptor, rows + first, at[rows] + start, (hi, lo, out))
        finally:
            os.close(descriptor)

    def chunks(self, size: int = _CHUNK) -> Iterator[Entries]:
        """Read the run in order."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for start in range(0, self.count, size):
                yield self._entries(descriptor, start, min(start + size, self.count))
        finally:
            os.close(descriptor)

    def _take(
        self,
        descriptor: int,
        rows: npt.NDArray[np.int64],
        at: npt.NDArray[np.int64],
        lookup: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], Entries],
    ) -> None:
        """Compare second halves at places where the first are equal, and at those that follow."""
        hi, lo, out = lookup
        while len(rows):
            for first, last in _pieces(at, 1):
                part = rows[first:last]
                start = int(at[first])
                rest = self._read(descriptor, _REST, start, int(at[last - 1]) + 1)[
                    at[first:last] - start
                ]
                same = rest["lo"] == lo[part]
                found = part[same]
                out["hi"][found] = hi[found]
                for word in _WORDS:
                    out[word][found] = rest[word][same]
                rows[first:last][same] = -1
            # Two keys with one first half: one chance in 2^64 for each pair, but never an error.
            following = (rows >= 0) & (at + 1 < self.count)
            rows, at = rows[following], at[following] + 1
            equal = [
                self._read(descriptor, _HI, place, place + 1)[0] == hi[row]
                for row, place in zip(rows.tolist(), at.tolist(), strict=True)
            ]
            rows, at = rows[np.array(equal, np.bool_)], at[np.array(equal, np.bool_)]

    def _entries(self, descriptor: int, start: int, stop: int) -> Entries:
        entries = np.empty(stop - start, ENTRY)
        entries["hi"] = self._read(descriptor, _HI, start, stop)
        rest = self._read(descriptor, _REST, start, stop)
        for word in _WORDS:
            entries[word] = rest[word]
        return entries

    def _read(self, descriptor: int, kind: np.dtype, start: int, stop: int) -> npt.NDArray[Any]:
        base = 0 if kind is _HI else self.room * _HI.itemsize
        content = bytearray((stop - start) * kind.itemsize)
        view, offset = memoryview(content), base + start * kind.itemsize
        while view:
            got = os.preadv(descriptor, [view], offset)
            if got == 0:
                raise _damaged(self.path)
            view, offset = view[got:], offset + got
        return np.frombuffer(content, kind)


def open_run(path: Path, *, count: int, room: int, sha256: bytes) -> KeyRun:
    """Open a run that a row describes.

    Raises:
        StoreError: The file is missing or is not the one the row describes.
    """
    digest, fences = hashlib.sha256(), []
    run = KeyRun(path=path, count=count, room=room, sha256=sha256, fences=np.empty(0, _HI))
    try:
        for entries in run.chunks():
            fences.append(entries["hi"][::_FENCE].copy())
            digest.update(entries.tobytes())
    except OSError as error:
        raise _damaged(path) from error
    if digest.digest() != sha256:
        raise _damaged(path)
    return KeyRun(
        path=path,
        count=count,
        room=room,
        sha256=sha256,
        fences=np.concatenate([np.empty(0, _HI), *fences]),
    )


def write_run(path: Path, files: FileLayer, parts: Iterator[Entries], room: int) -> KeyRun:
    """Write a run; it is durable when this returns.

    Args:
        path: Where; nothing is there yet.
        files: Does the steps.
        parts: Entries in the order of their keys.
        room: At least as many entries as there are.

    Raises:
        OSError: The disk is full or fails; nothing is left under the name.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    digest, count = hashlib.sha256(), 0
    fences: list[npt.NDArray[np.uint64]] = []
    try:
        files.create(temporary)
        for entries in parts:
            fences.append(entries["hi"][-count % _FENCE :: _FENCE].copy())
            rest = np.empty(len(entries), _REST)
            for word in _WORDS:
                rest[word] = entries[word]
            hi = np.ascontiguousarray(entries["hi"])
            files.write(temporary, count * _HI.itemsize, hi.tobytes())
            files.write(temporary, room * _HI.itemsize + count * _REST.itemsize, rest.tobytes())
            digest.update(entries.tobytes())
            count += len(entries)
        files.fsync(temporary)
        files.rename(temporary, path)
    except BaseException:
        files.unlink(temporary)
        raise
    files.fsync_directory(path.parent)
    return KeyRun(
        path=path,
        count=count,
        room=room,
        sha256=digest.digest(),
        fences=np.concatenate([np.empty(0, _HI), *fences]),
    )


def merge_entries(parts: Sequence[Entries]) -> Entries:
    """Merge sorted entries; of equal keys the one of the latest part stays."""
    if len(parts) == 1:
        return parts[0]
    entries = np.concatenate(parts)
    entries = entries[np.argsort(entries["hi"], kind="stable")]
    hi, lo = entries["hi"], entries["lo"]
    twin = hi[1:] == hi[:-1]
    if not twin.any():
        return entries
    if (lo[1:] != lo[:-1])[twin].any():
        entries = entries[np.lexsort((lo, hi))]
        hi, lo = entries["hi"], entries["lo"]
    last = np.append((hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1]), True)
    kept: Entries = entries[last]
    return kept


def merge_runs(
    runs: Sequence[KeyRun], keep: Callable[[Entries], npt.NDArray[np.bool_]] | None = None
) -> Iterator[Entries]:
    """Merge runs, the oldest first, in chunks of bounded size.

    Args:
        runs: Runs in the order they were written.
        keep: Tells which entries stay; all when None.
    """
    sources = [run.chunks() for run in runs]
    ahead = [next(source, None) for source in sources]
    while any(chunk is not None for chunk in ahead):
        # Whole up to the least of the last keys in memory; keys beyond it may still come.
        bounds = [chunk["hi"][-1] for chunk in ahead if chunk is not None]
        bound, parts = min(bounds), []
        for number, chunk in enumerate(ahead):
            if chunk is None:
                continue
            held = chunk
            while held["hi"][-1] <= bound:
                more = next(sources[number], None)
                if more is None:
                    break
                held = np.concatenate([held, more])
            cut = int(np.searchsorted(held["hi"], bound, "right"))
            parts.append(held[:cut])
            ahead[number] = held[cut:] if cut < len(held) else next(sources[number], None)
        merged = merge_entries(parts)
        yield merged if keep is None else merged[keep(merged)]


def _pieces(at: npt.NDArray[np.int64], reach: int) -> Iterator[tuple[int, int]]:
    """Cut sorted places into stretches to read at once: (first, last + 1) of the places."""
    cuts = np.flatnonzero(np.diff(at) > _GAP) + 1
    edges = [0, *cuts.tolist(), len(at)] if len(at) else [0]
    for first, last in itertools.pairwise(edges):
        while first < last:
            stop = first + int(
                np.searchsorted(at[first:last], at[first] + _WINDOW - reach, "right")
            )
            yield first, max(stop, first + 1)
            first = max(stop, first + 1)  # noqa: PLW2901 - the stretch is cut piece by piece


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"key run {path.name} is missing or is not the file its row describes; restore the node's"
        " directory from its backup"
    )
