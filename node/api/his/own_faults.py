"""What may be logged of a fault of this program: its type and place, never its text.

The text of an exception may quote a record; the names of functions and files cannot.
"""

import traceback
from pathlib import PurePath

__all__ = ["place_of"]

_FRAMES = 3


def place_of(error: Exception) -> str:
    """Name an exception's type and the innermost places it came through.

    >>> try:
    ...     {}["psn_name"]
    ... except KeyError as error:
    ...     place_of(error).partition(" ")[0]
    'KeyError'
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(
        f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    return f"{type(error).__name__} at {places}"
