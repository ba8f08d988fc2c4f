"""The index of keys: what a node holds under each primary key, as a log-structured merge tree.

0. A commit adds one sorted batch per kind: a row of ``key_batch``, in the commit's transaction.
1. Batches that are not in a run yet are also in memory, merged so that there are few of them.
2. A flush merges the batches of a kind into a new run; four runs of like size become one.
3. A lookup asks runs and batches from the oldest to the newest: what was written last counts.
Only the one writer has an index; that nobody else wrote meanwhile is checked in each transaction.
"""

import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from node.errors import StoreError
from node.store.key_runs import (
    ENTRY,
    Entries,
    KeyRun,
    merge_entries,
    merge_runs,
    open_run,
    write_run,
)
from node.store.transactions import transaction
from security.at_rest import DISK, FileLayer

__all__ = ["ABSENT", "KEY_TABLES", "KeyIndex"]

KEY_TABLES: Final = (
    # What keys are digested under, wrapped by the vault.
    """create table key_secret(
        id integer primary key check(id = 1),
        wrapped blob not null
    ) strict""",
    # Keys of one commit and kind that are in no run yet.
    """create table key_batch(
        id integer primary key autoincrement,
        kind text not null,
        body blob not null
    ) strict""",
    # Sorted files of keys; of one kind the greater id is the newer.
    """create table key_run(
        id integer primary key autoincrement,
        kind text not null,
        name text not null unique,
        count integer not null,
        room integer not null,
        sha256 blob not null
    ) strict""",
)
ABSENT: Final = -1
"""Place of a key that is not in the index."""
_SUFFIX: Final = ".run"
_FAN: Final = 4
"""So many runs of like size are merged into one, of which the largest may be as many times
the smallest."""


class KeyIndex:
    """Keys of one node by kind; one writer."""

    def __init__(
        self, connection: sqlite3.Connection, directory: Path, files: FileLayer = DISK
    ) -> None:
        """Open the index, removing what an interrupted flush left.

        Raises:
            StoreError: A run is missing or was changed.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = connection
        self._directory = directory
        self._files = files
        self._runs: dict[str, list[tuple[int, KeyRun]]] = {}
        self._recent: dict[str, list[Entries]] = {}
        self._state = self._written = (-1, -1)
        self.refresh()
        named = {run.path.name for runs in self._runs.values() for _, run in runs}
        for path in sorted(directory.iterdir()):
            if path.name not in named and path.suffix in {_SUFFIX, ".tmp"}:
                files.unlink(path)

    def find(self, kind: str, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]) -> Entries:
        """Look keys up.

        Args:
            kind: Kind of the records.
            hi: First halves of the keys, shape (n,).
            lo: Second halves, shape (n,).

        Returns:
            What stands under each, shape (n,); ``place`` is ``ABSENT`` where nothing does.
        """
        found = np.zeros(len(hi), ENTRY)
        found["place"] = ABSENT
        turn = np.argsort(hi)
        hi, lo = hi[turn], lo[turn]
        for _, run in self._runs.get(kind, ()):
            run.find(hi, lo, found)
        for batch in self._recent.get(kind, ()):
            _find_in(batch, hi, lo, found)
        back = np.empty_like(found)
        back[turn] = found
        return back

    def write(self, batches: Mapping[str, Entries]) -> None:
        """Add entries, one sorted batch per kind; inside the caller's transaction.

        Raises:
            StoreError: Another process wrote since this index was read.
        """
        self._verify_alone()
        self._connection.executemany(
            "insert into key_batch(kind, body) values(?, ?)",
            [(kind, entries.tobytes()) for kind, entries in batches.items()],
        )
        self._written = self._read_state()

    def adopt(self, batches: Mapping[str, Entries]) -> None:
        """Know the entries of the last ``write``; after its transaction."""
        for kind, entries in batches.items():
            self._remember(kind, entries)
        self._state = self._written

    def refresh(self) -> None:
        """Read what another process wrote, if one did, before this one took over."""
        state = self._read_state()
        if state == self._state:
            return
        self._runs, self._recent = {}, {}
        for number, kind, name, count, room, sha256 in self._connection.execute(
            "select id, kind, name, count, room, sha256 from key_run order by id"
        ):
            run = open_run(self._directory / name, count=count, room=room, sha256=sha256)
            self._runs.setdefault(kind, []).append((number, run))
        batches = defaultdict(list)
        for kind, body in self._connection.execute("select kind, body from key_batch order by id"):
            batches[kind].append(np.frombuffer(body, ENTRY))
        for kind, parts in batches.items():
            while len(parts) > 1:
                parts[:] = [merge_entries(parts[at : at + 64]) for at in range(0, len(parts), 64)]
            self._remember(kind, parts[0])
        self._state = state

    def pending(self) -> int:
        """Count the keys that are in batches."""
        return sum(len(part) for parts in self._recent.values() for part in parts)

    def count(self, kind: str) -> int:
        """Count the entries of a kind; replaced ones count until their runs are merged."""
        parts = self._recent.get(kind, ())
        return sum(run.count for _, run in self._runs.get(kind, ())) + sum(map(len, parts))

    def flush(self, min_keys: int) -> int:
        """Move batches into runs and merge runs of like size; returns the runs written.

        Args:
            min_keys: Leave a kind alone that has fewer keys in batches.
        """
        written = 0
        for kind, parts in sorted(self._recent.items()):
            if sum(map(len, parts)) < min_keys:
                continue
            self._flush(kind)
            written += 1
            while old := self._like(kind):
                room = sum(run.count for _, run in old)
                self._replace(kind, old, merge_runs([run for _, run in old]), room)
                written += 1
        return written

    def drop(self, kind: str, gone: Callable[[Entries], npt.NDArray[np.bool_]]) -> int:
        """Erase the keys of a kind under which certain entries stand; returns how many.

        Args:
            kind: Kind of the records.
            gone: Tells which entries go.
        """
        self._flush(kind)
        old = tuple(self._runs.get(kind, ()))
        runs = [run for _, run in old]
        if not any(gone(chunk).any() for run in runs for chunk in run.chunks()):
            return 0
        erased = 0

        def keep(entries: Entries) -> npt.NDArray[np.bool_]:
            nonlocal erased
            going = gone(entries)
            erased += int(going.sum())
            return ~going

        # All runs at once: what an erased entry had replaced must not come back.
        self._replace(kind, old, merge_runs(runs, keep), sum(run.count for run in runs))
        return erased

    def _flush(self, kind: str) -> None:
        parts = self._recent.get(kind)
        if parts:
            self._replace(kind, [], iter([merge_entries(parts)]), sum(map(len, parts)))

    def _like(self, kind: str) -> list[tuple[int, KeyRun]]:
        """The newest runs of a kind, if they are enough and alike."""
        last = self._runs[kind][-_FAN:]
        if len(last) < _FAN or last[0][1].count >= _FAN * max(run.count for _, run in last[1:]):
            return []
        return last

    def _replace(
        self,
        kind: str,
        old: Sequence[tuple[int, KeyRun]],
        parts: Iterator[Entries],
        room: int,
    ) -> None:
        """Write a run in place of old ones that follow each other, or of the batches."""
        name = f"{kind}-{secrets.token_hex(8)}{_SUFFIX}"
        run = write_run(self._directory / name, self._files, parts, room)
        with transaction(self._connection) as connection:
            self._verify_alone()
            if old:
                connection.executemany(
                    "delete from key_run where id = ?", [(number,) for number, _ in old]
                )
            else:
                connection.execute("delete from key_batch where kind = ?", (kind,))
            # In place of old ones it is as old as the newest of them.
            number = connection.execute(
                "insert into key_run values(?, ?, ?, ?, ?, ?) returning id",
                (old[-1][0] if old else None, kind, name, run.count, run.room, run.sha256),
            ).fetchone()[0]
            state = self._read_state()
        runs = self._runs.setdefault(kind, [])
        at = runs.index(old[0]) if old else len(runs)
        runs[at : at + len(old)] = [(number, run)]
        if not old:
            self._recent[kind] = []
        self._state = state
        for _, gone in old:
            self._files.unlink(gone.path)

    def _remember(self, kind: str, entries: Entries) -> None:
        parts = self._recent.setdefault(kind, [])
        parts.append(entries)
        while len(parts) > 1 and len(parts[-2]) < _FAN * len(parts[-1]):
            parts[-2:] = [merge_entries(parts[-2:])]

    def _read_state(self) -> tuple[int, int]:
        """Numbers given so far: they tell whether anyone wrote."""
        numbers = dict(self._connection.execute("select name, seq from sqlite_sequence"))
        return numbers.get("key_batch", 0), numbers.get("key_run", 0)

    def _verify_alone(self) -> None:
        if self._read_state() != self._state:
            raise StoreError(
                "another process writes to this node; stop it and ingest the file again"
            )


def _find_in(
    batch: Entries, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], out: Entries
) -> None:
    """Look keys up in a batch in memory, as ``KeyRun.find`` does in a file."""
    held, rows = batch["hi"], np.arange(len(hi))
    at = np.searchsorted(held, hi, "left")
    while len(rows):
        here = at < len(batch)
        rows, at = rows[here], at[here]
        here = held[at] == hi[rows]
        rows, at = rows[here], at[here]
        same = batch["lo"][at] == lo[rows]
        out[rows[same]] = batch[at[same]]
        rows, at = rows[~same], at[~same] + 1
