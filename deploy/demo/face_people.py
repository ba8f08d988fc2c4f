"""Models and people of the face demonstration: found, or said in one line what is missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from deploy.protos import REPOSITORY
from edge_devices.errors import FacesNotInstalledError, SourceError
from edge_devices.models import ModelStore
from edge_devices.models.opening import require_camera
from edge_devices.simulators.world import FaceFolders
from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.manifest import ModelKind

__all__ = ["DEFAULT_FACES", "Faced", "find_faces", "link_pictures", "write_empty_bed"]

DEFAULT_FACES: Final = REPOSITORY.parent / "shared" / "data" / "faces" / "orl"
_HOW: Final = (
    "install with `yixin device models install FILE --models DIR`, then `yixin demo --models DIR`"
)
_LEAST_PEOPLE: Final = 14
"""Ten to calibrate with, three who are enrolled, and an impostor."""
_SMALL: Final = 96
"""Longest side of pictures that are enlarged, pixels."""
_UPSCALE: Final = 4
_IMPOSTOR: Final = 7
"""Place of the impostor among those who did not fit the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faced:
    """What the face demonstration works with."""

    models: Path
    """Directory of the installed models."""
    folders: FaceFolders
    """Everybody."""
    upscale: int
    """How much larger pictures are made."""

    @property
    def fitted(self) -> tuple[str, ...]:
        """People whom the threshold is fitted on: the first half, and nobody who comes."""
        return self.folders.persons[: len(self.folders.persons) // 2]

    @property
    def who(self) -> tuple[str, str, str]:
        """Those who are enrolled: the impersonated, the right one, the absent."""
        begin = len(self.fitted)
        impersonated, right, absent = self.folders.persons[begin : begin + 3]
        return impersonated, right, absent

    @property
    def impostor(self) -> str:
        """Who comes in somebody else's name."""
        persons = self.folders.persons
        return persons[min(len(self.fitted) + _IMPOSTOR, len(persons) - 1)]

    def enrolled(self, person: str) -> tuple[Path, ...]:
        """Pictures that a person is enrolled with: the first half."""
        pictures = self.folders.pictures[person]
        return pictures[: max(1, len(pictures) // 2)]

    def shown(self, person: str) -> tuple[Path, ...]:
        """Pictures that a person is verified with: those that nobody was enrolled with."""
        pictures = self.folders.pictures[person]
        return pictures[len(pictures) // 2 :]


def find_faces(models: Path | None, faces: Path | None) -> Faced | str:
    """Find what the face demonstration works with.

    Args:
        models: Directory of installed models; None: none was named.
        faces: One folder of pictures a person; None: those beside the repository.

    Returns:
        It, or one line that says what is missing and how to get it.
    """
    if models is None:
        return f"faces: no models are named; {_HOW}"
    if faces is None and not DEFAULT_FACES.is_dir():
        return (
            "faces: no faces are named; `yixin demo --faces DIR`, one folder of pictures a person"
        )
    try:
        _verify_models(models)
        return _faced(models, FaceFolders.read(faces or DEFAULT_FACES))
    except (FacesNotInstalledError, FaceModelError, SourceError) as error:
        return f"faces: {error}"


def _verify_models(models: Path) -> None:
    require_camera()
    store = ModelStore(models)
    for kind in (ModelKind.DETECTOR, ModelKind.EMBEDDING):
        if store.find(kind) is None:
            raise FaceModelError(f"no {kind} model in {models}; {_HOW}")


def _faced(models: Path, folders: FaceFolders) -> Faced:
    count = len(folders.persons)
    if count < _LEAST_PEOPLE:
        raise SourceError(
            f"{folders.directory} holds {count} people, expected at least {_LEAST_PEOPLE}; name"
            " others with --faces"
        )
    try:
        with Image.open(folders.pictures[folders.persons[0]][0]) as picture:
            upscale = _UPSCALE if max(picture.size) < _SMALL else 1
    except (OSError, UnidentifiedImageError) as error:
        raise SourceError(
            f"{folders.directory} holds pictures that cannot be read ({type(error).__name__})"
        ) from error
    return Faced(models=models.resolve(), folders=folders, upscale=upscale)


def link_pictures(pictures: Iterable[Path], directory: Path) -> Path:
    """Lay pictures into a folder of their own, as links.

    Args:
        pictures: The files.
        directory: The folder; made.

    Returns:
        The folder.
    """
    directory.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        (directory / f"{number}{picture.suffix}").symlink_to(picture.resolve())
    return directory


def write_empty_bed(directory: Path) -> Path:
    """Write pictures of a bed that nobody lies in: light and shade, and no face.

    Args:
        directory: Where; made.

    Returns:
        The directory.
    """
    directory.mkdir(parents=True)
    rng = np.random.default_rng(1)
    shade = np.linspace(60.0, 180.0, 320)[None, :] * np.ones((240, 1))
    for number in range(2):
        grey = np.clip(shade + rng.normal(0.0, 4.0, shade.shape), 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(directory / f"{number}.png")
    return directory
