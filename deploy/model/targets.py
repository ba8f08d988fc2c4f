"""Where results go: refused before work begins, and written whole or not at all.

Rules:
- A result never takes the place of a file that was read for it, by whatever name or link.
- A result is written beside its place and moved there when it is whole.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from deploy.errors import InputFileError, ModelChoiceError
from deploy.model.table_files import ending_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def refuse_target(
    target: Path, option: str, *, inputs: Sequence[Path | None], ending: str | None = None
) -> None:
    """Refuse a place for results before work begins.

    Args:
        target: Where a result is to go.
        option: The option that names it, for the message.
        inputs: Files that are read; None for options not given.
        ending: Ending its name must have; None for a table's.

    Raises:
        InputFileError: The name ends otherwise.
        ModelChoiceError: It is an input, no file, or in no directory.
    """
    if ending is None:
        ending_of(target)
    elif target.suffix.lower() != ending:
        raise InputFileError(f"{option} {target.name}: expected a name ending in {ending}")
    if not target.resolve().parent.is_dir():
        raise ModelChoiceError(f"{option} {target}: its directory does not exist: make it first")
    if target.exists() and not target.is_file():
        raise ModelChoiceError(f"{option} {target}: not a file that could be replaced")
    for one in inputs:
        if one is not None and _is_same(one, target):
            raise ModelChoiceError(
                f"{option} {target}: this is the input {one}, which would be lost: name another"
            )


def _is_same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place; it is moved there when the body ends without an error.

    Raises:
        OSError: It cannot be written; the error names the path.
    """
    place = path.resolve()
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(place)
    except OSError as error:
        if error.filename in {None, str(part)}:
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as CSV, Parquet or Arrow, by the name's ending.

    Raises:
        InputFileError: The ending is another.
        OSError: It cannot be written; the error names the path.
    """
    ending = ending_of(path)
    with replacing(path) as file:
        match ending:
            case ".csv":
                pa.csv.write_csv(table, file)
            case ".parquet":
                pa.parquet.write_table(table, file, compression="zstd")
            case _:
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
