"""Cells of a table as texts, whole numbers or real numbers; anything else is refused.

Rules:
- A message names file, line and column, what was found and how to mend it.
- Nothing is guessed, cut or rounded: a column of another type is refused as a whole.
- A subject id is printable text of at most 64 characters that no spreadsheet takes for a formula.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deploy.errors import InputFileError
from scoring_kernel.inputs import MAX_INPUT

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from deploy.model.table_files import FileTable

MAX_ID: Final = 64
"""Most characters of a subject id."""

_WHOLE: Final = r"^-?[0-9]{1,18}$"
_REAL: Final = r"^[-+]?[0-9]{1,15}(\.[0-9]{0,25})?([eE][-+]?[0-9]{1,2})?$"
_WITH_ZEROS: Final = re.compile(r"-?[0-9]{1,18}\.0+")
_PLAIN_ID: Final = rf"^[0-9A-Za-z][0-9A-Za-z_.:/-]{{0,{MAX_ID - 1}}}$"
_FORMULA: Final = ("=", "+", "-", "@")
_LARGEST: Final = float(2**53)
_EMPTY: Final = "correct it, or leave the cell empty where the value is not known"


def texts(file: FileTable, name: str) -> list[str]:
    """A column of texts without gaps.

    Raises:
        InputFileError: It holds something else, or a cell is empty.
    """
    return list(_filled(file, name).to_pylist())


def labels(file: FileTable, name: str, known: Collection[str]) -> list[str]:
    """A column of known words.

    Raises:
        InputFileError: A cell is empty or holds another word.
    """
    column = _filled(file, name)
    strange = pc.invert(pc.is_in(column, value_set=pa.array(sorted(known), pa.string())))
    mend = f"expected one of {', '.join(sorted(known))}"
    _refuse_where(file, name, column, strange, "is unknown", mend=mend)
    return list(column.to_pylist())


def subject_ids(file: FileTable, name: str) -> list[str]:
    """A column of subject ids, each once.

    Raises:
        InputFileError: A cell is empty, no id, or stands in another row too.
    """
    column = _filled(file, name)
    found: list[str] = column.to_pylist()
    plain = pc.match_substring_regex(column, _PLAIN_ID)
    for row in pc.indices_nonzero(pc.invert(plain)).to_pylist():
        problem = id_problem(found[row])
        if problem is not None:
            raise InputFileError(
                f"{file.path.name}: {file.place(row)}, column {name}: {found[row][:80]!r} "
                f"{problem}: expected an id of 1 to {MAX_ID} printable characters"
            )
    if len({*found}) < len(found):
        seen: dict[str, int] = {}
        for row, one in enumerate(found):
            if seen.setdefault(one, row) != row:
                raise InputFileError(
                    f"{file.path.name}: subject {one} stands twice, in {file.place(seen[one])} "
                    f"and {file.place(row)}: keep one"
                )
    return found


def id_problem(text: str) -> str | None:
    """What keeps a text from being a subject id; None for nothing.

    >>> id_problem("H33030200001"), id_problem("=1+2"), id_problem(" a")
    (None, "starts with '=', which a spreadsheet takes for a formula", 'has blanks around it')
    """
    if not 1 <= len(text) <= MAX_ID:
        return f"has {len(text)} characters"
    if text != text.strip():
        return "has blanks around it"
    if not text.isprintable():
        return "holds a character that cannot be seen"
    if text.startswith(_FORMULA):
        return f"starts with {text[0]!r}, which a spreadsheet takes for a formula"
    return None


def whole_numbers(
    file: FileTable, name: str, *, is_count: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """A column of whole numbers.

    Args:
        file: The table.
        name: Column.
        is_count: Whether a negative number is refused.

    Returns:
        Values, 0 where the cell is empty, and where it is not, both of shape (n,).

    Raises:
        InputFileError: A cell is no whole number, or out of bounds.
    """
    column = file.column(name)
    kind = column.type
    if _is_text(kind):
        trimmed = pc.utf8_trim_whitespace(column)
        _refuse_unlike(file, name, trimmed, _WHOLE, "is not a whole number")
        whole = _cast(file, trimmed, name)
    elif pa.types.is_float32(kind) or pa.types.is_float64(kind):
        _refuse_where(file, name, column, pc.invert(pc.is_finite(column)), "is not a finite number")
        odd = pc.not_equal(pc.floor(column), column)
        _refuse_where(file, name, column, odd, "is not a whole number")
        beyond = pc.greater(pc.abs(column), pa.scalar(_LARGEST, column.type))
        _refuse_where(file, name, column, beyond, "is out of bounds")
        whole = _cast(file, column, name)
    elif (
        pa.types.is_integer(kind)
        or pa.types.is_null(kind)
        or (pa.types.is_decimal(kind) and kind.scale == 0)
    ):
        whole = _cast(file, column, name)
    else:
        raise InputFileError(
            f"{file.path.name}: column {name} holds {kind}, expected whole numbers: convert it"
        )
    if is_count:
        problem = "is negative, but a count never is"
        _refuse_where(file, name, whole, pc.less(whole, 0), problem)
    beyond = pc.or_(pc.greater(whole, MAX_INPUT), pc.less(whole, -MAX_INPUT))
    mend = f"expected at most {MAX_INPUT} in size: look for a unit mistake"
    _refuse_where(file, name, whole, beyond, "is out of bounds", mend=mend)
    values = whole.fill_null(0).to_numpy()
    present = whole.is_valid().to_numpy()
    return values.astype(np.int64, copy=False), present.astype(np.bool_, copy=False)


def real_numbers(file: FileTable, name: str) -> npt.NDArray[np.float64]:
    """A column of real numbers, NaN where the cell is empty; shape (n,).

    Raises:
        InputFileError: A cell is no finite number: a NaN that is not an empty cell too.
    """
    column = file.column(name)
    kind = column.type
    if _is_text(kind):
        column = pc.utf8_trim_whitespace(column)
        _refuse_unlike(file, name, column, _REAL, "is not a number")
    elif pa.types.is_float32(kind) or pa.types.is_float64(kind):
        _refuse_where(file, name, column, pc.invert(pc.is_finite(column)), "is not a finite number")
    elif not (pa.types.is_integer(kind) or pa.types.is_null(kind) or pa.types.is_decimal(kind)):
        raise InputFileError(
            f"{file.path.name}: column {name} holds {kind}, expected numbers: convert it"
        )
    numbers = pc.cast(column, pa.float64(), safe=False).fill_null(np.nan)
    return np.asarray(numbers.to_numpy(), np.float64)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _filled(file: FileTable, name: str) -> pa.ChunkedArray:
    column = file.column(name)
    if not _is_text(column.type):
        raise InputFileError(
            f"{file.path.name}: column {name} holds {column.type}, expected text: convert it"
        )
    if column.null_count:
        row = pc.index(column.is_null(), value=True).as_py()
        raise InputFileError(f"{file.path.name}: {file.place(row)} has no {name}: fill it in")
    return column.cast(pa.string())


def _cast(file: FileTable, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return pc.cast(column, pa.int64())
    except pa.ArrowInvalid as error:
        raise InputFileError(
            f"{file.path.name}: column {name} holds a number out of bounds, expected at most "
            f"{MAX_INPUT} in size: look for a unit mistake"
        ) from error


def _refuse_unlike(
    file: FileTable, name: str, column: pa.ChunkedArray, pattern: str, problem: str
) -> None:
    strange = pc.invert(pc.match_substring_regex(column, pattern))
    row = pc.index(strange, value=True).as_py()
    if row < 0:
        return
    mend = _EMPTY
    if pattern == _WHOLE and _WITH_ZEROS.fullmatch(column[row].as_py()):
        mend = "write it without the point and the zeros (in pandas: as Int64 before to_csv)"
    _refuse_where(file, name, column, strange, problem, mend=mend)


def _refuse_where(
    file: FileTable,
    name: str,
    column: pa.ChunkedArray,
    bad: pa.ChunkedArray,
    problem: str,
    *,
    mend: str = _EMPTY,
) -> None:
    row = pc.index(bad, value=True).as_py()
    if row < 0:
        return
    value = str(column[row].as_py())[:40]
    raise InputFileError(
        f"{file.path.name}: {file.place(row)}, column {name}: {value!r} {problem}: {mend}"
    )
