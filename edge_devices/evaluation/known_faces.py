"""Data sets of known faces: a folder for every subject, with its pictures.

Rules:
- Subjects are numbered from 1 in the order of their folders' names, numbers in names by their
  value (s2 before s10); a subject's pictures likewise.
- Photos of liveness are of one folder; their names say what they are as those of
  Silent-Face-Anti-Spoofing do: a T for a living face, an F for a false one.

Source: F. Samaria, A. Harter, "Parameterisation of a stochastic model for human face
identification", 1994 (ORL, AT&T Laboratories Cambridge: free for research with acknowledgement).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_devices.errors import DeviceConfigurationError
from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.decoding import MAX_BYTES
from scoring_kernel.faces.examined import LivenessAnswer

__all__ = ["KnownPicture", "LivenessPhoto", "known_pictures", "liveness_photos", "read_picture"]

MAX_PICTURES: Final = 100_000
_ENDINGS: Final = frozenset((".pgm", ".ppm", ".png", ".jpg", ".jpeg", ".bmp"))
_PHOTO: Final = re.compile(r"(?:.*_)?([TF])[0-9]+")
_EXPECTED: Final = {"T": LivenessAnswer.LIVE, "F": LivenessAnswer.SPOOF}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPicture:
    """A picture of a known subject."""

    subject: int
    """From 1."""
    path: Path
    """Its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessPhoto:
    """A photo of which it may be known whether somebody stood there."""

    path: Path
    """Its file."""
    expected: LivenessAnswer | None
    """What it is; None where its name does not say."""


def known_pictures(folder: Path) -> tuple[KnownPicture, ...]:
    """Pictures of a data set.

    Args:
        folder: A folder of folders.

    Raises:
        DeviceConfigurationError: It is no such folder, or holds too many pictures.
    """
    subjects = [one for one in _entries(folder, "--data") if one.is_dir()]
    found = [
        KnownPicture(subject=number, path=path)
        for number, subject in enumerate(subjects, 1)
        for path in _entries(subject, "--data")
        if path.suffix.lower() in _ENDINGS
    ]
    if not found:
        raise DeviceConfigurationError(
            f"--data {folder}: found no pictures, expected a folder for every subject with theirs"
        )
    if len(found) > MAX_PICTURES:
        raise DeviceConfigurationError(
            f"--data {folder}: {len(found)} pictures, expected at most {MAX_PICTURES}"
        )
    return tuple(found)


def liveness_photos(folder: Path) -> tuple[LivenessPhoto, ...]:
    """Photos of liveness.

    Args:
        folder: Where they lie.

    Raises:
        DeviceConfigurationError: It is no folder.
    """
    return tuple(
        LivenessPhoto(path=path, expected=_expected(path.stem))
        for path in _entries(folder, "--liveness")
        if path.suffix.lower() in _ENDINGS
    )


def read_picture(path: Path) -> bytes:
    """Read a picture's file within bounds.

    Raises:
        FaceImageError: It cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FaceImageError("unreadable", f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise FaceImageError("too_large", f"{path} is larger than {MAX_BYTES} bytes")
    return content


def _expected(name: str) -> LivenessAnswer | None:
    found = _PHOTO.fullmatch(name)
    return None if found is None else _EXPECTED[found[1]]


def _entries(folder: Path, option: str) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda one: _by_number(one.name))
    except OSError as error:
        raise DeviceConfigurationError(
            f"{option} {folder}: {error.strerror}: name a folder of pictures"
        ) from error


def _by_number(name: str) -> list[tuple[int, str]]:
    """Order of a name, its numbers by their value.

    >>> sorted(["s10", "s2", "t1"], key=_by_number)
    ['s2', 's10', 't1']
    """
    parts = re.split(r"([0-9]{1,18})", name)
    return [(int(one), "") if one.isdigit() and one.isascii() else (-1, one) for one in parts]
