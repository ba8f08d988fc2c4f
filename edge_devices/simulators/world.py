"""People with faces, for simulations: folders of pictures, or vectors that were drawn.

Rules:
- A person is a folder of pictures; the folder's name is the person's.
- Drawn vectors are unit vectors: two of one person are near each other, of two persons they are
  not. They need no model, and say nothing of any.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_devices.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from scoring_kernel.faces.arrays import FloatMatrix, FloatVector

__all__ = ["DrawnFaces", "FaceFolders", "write_pairs"]

PICTURES: Final = frozenset((".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp"))
_DIGITS: Final = re.compile(r"([0-9]+)")
_SPREAD: Final = 0.5
"""Of what differs from picture to picture, against what stays: cosines of about 0.8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFolders:
    """People of a directory.

    Attributes:
        directory: Where the folders lie.
        pictures: Files of every person, in the order of their numbers.
    """

    directory: Path
    pictures: Mapping[str, tuple[Path, ...]]

    @property
    def persons(self) -> tuple[str, ...]:
        """Names, in the order of their numbers."""
        return tuple(self.pictures)

    @classmethod
    def read(cls, directory: Path) -> FaceFolders:
        """Find the people of a directory.

        Args:
            directory: One folder a person; files beside them do not count.

        Returns:
            The people.

        Raises:
            SourceError: It cannot be read, or no folder of it holds a picture.
        """
        try:
            folders = sorted((one for one in directory.iterdir() if one.is_dir()), key=_number)
            found = {
                folder.name: tuple(
                    sorted(
                        (one for one in folder.iterdir() if one.suffix.lower() in PICTURES),
                        key=_number,
                    )
                )
                for folder in folders
            }
        except OSError as error:
            raise SourceError(f"{directory} cannot be read ({error.strerror})") from error
        people = {name: pictures for name, pictures in found.items() if pictures}
        if not people:
            raise SourceError(
                f"{directory} holds no folder with pictures, expected one folder a person"
            )
        return cls(directory=directory, pictures=people)


def write_pairs(folders: FaceFolders, persons: Sequence[str], path: Path) -> int:
    """Write all pairs of pictures of some people, to calibrate with.

    Args:
        folders: The people.
        persons: Whose pictures, by name.
        path: File to write, above the pictures:
            ``left,right,same,left_subject,right_subject``.

    Returns:
        Pairs that were written.
    """
    pictures = [(name, picture) for name in persons for picture in folders.pictures[name]]
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("left", "right", "same", "left_subject", "right_subject"))
        for (left, one), (right, other) in combinations(pictures, 2):
            names = (picture.relative_to(path.parent) for picture in (one, other))
            writer.writerow((*names, int(left == right), left, right))
            count += 1
    return count


class DrawnFaces:
    """Vectors of people whom nobody ever saw.

    >>> faces = DrawnFaces(2, 128, seed=1)
    >>> own, strange = faces.enrolled
    >>> bool(faces.picture(0, 1) @ own > 0.6 > faces.picture(0, 1) @ strange)
    True
    """

    def __init__(self, count: int, dimension: int, *, seed: int) -> None:
        """Draw people.

        Args:
            count: How many.
            dimension: Length of a vector.
            seed: Of the draws.
        """
        self._seed: Final = seed
        self.enrolled: Final[FloatMatrix] = _units(self._draw((count, dimension)))

    def picture(self, person: int, shot: int) -> FloatVector:
        """Draw a picture's vector.

        Args:
            person: Who, from 0.
            shot: Which picture of that person, from 0.

        Returns:
            Unit vector, the same each time.
        """
        centre = self.enrolled[person]
        noise = self._draw((centre.size,), person, shot) / np.sqrt(centre.size)
        picture: FloatVector = _units((centre + _SPREAD * noise)[None])[0]
        return picture

    def _draw(self, shape: tuple[int, ...], *place: int) -> npt.NDArray[np.float64]:
        rng = np.random.default_rng((self._seed, *place))  # noqa: TID251 - a simulation's own
        return rng.standard_normal(shape)


def _units(rows: npt.NDArray[np.float64]) -> FloatMatrix:
    made: FloatMatrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return made


def _number(path: Path) -> list[tuple[int, str]]:
    """Order by name, numbers by their value: s2 before s10."""
    return [
        (int(part), "") if part.isdigit() and part.isascii() else (-1, part)
        for part in _DIGITS.split(path.name)
    ]
