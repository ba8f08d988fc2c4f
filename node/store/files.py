"""Files that a ledger names (记录文件): what a copy of the node must hold beside its databases."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from node.store.leaf_files import recorded_files
from node.store.record_store import KEYS_DIRECTORY, RECORDS_DIRECTORY
from node.store.tree import TREE_DIRECTORY
from security.at_rest.segments import SUFFIX

__all__ = ["FILE_DIRECTORIES", "NamedFile", "count_records", "named_files"]

FILE_DIRECTORIES: Final = frozenset((RECORDS_DIRECTORY, KEYS_DIRECTORY, TREE_DIRECTORY))
"""Directories that hold nothing but files a ledger names, and leftovers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """One file that a ledger names."""

    path: str
    """Path below the node's directory."""
    bytes: int | None
    """So much of it counts; None for the whole file."""
    sha256: str
    """Hexadecimal; empty for files that only grow."""


def named_files(connection: sqlite3.Connection) -> tuple[NamedFile, ...]:
    """List the files that the ledger of a database names, by path."""
    segments = connection.execute(
        "select name, bytes, sha256 from segment"
        " union all select name, bytes, sha256 from superseded_segment"
    )
    runs = connection.execute("select name, sha256 from key_run")
    settled = connection.execute("select settled from tree_state").fetchone()
    found = [
        NamedFile(path=_path(RECORDS_DIRECTORY, name + SUFFIX), bytes=size, sha256=digest.hex())
        for name, size, digest in segments
    ]
    found += [
        NamedFile(path=_path(KEYS_DIRECTORY, name), bytes=None, sha256=digest.hex())
        for name, digest in runs
    ]
    found += [
        NamedFile(path=_path(TREE_DIRECTORY, name), bytes=size, sha256="")
        for name, size in recorded_files(settled[0] if settled else 0).items()
    ]
    return tuple(sorted(found, key=lambda file: file.path))


def count_records(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Count the records of every kind that count, in segments and staged."""
    rows = connection.execute(
        "select kind, sum(rows) from (select kind, rows from segment"
        " union all select kind, rows from staged"
        " union all select kind, -1 from deleted_record) group by kind order by kind"
    )
    return {kind: int(count) for kind, count in rows if count}


def _path(directory: str, name: str) -> str:
    return str(PurePosixPath(directory, name))
