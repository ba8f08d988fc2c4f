"""Where models lie (人脸模型库): a directory of files that are named by their own digest.

Rules:
- A model is ``<sha256>.onnx``. Its manifest is the one that the program ships for this digest; an
  operator's own lies beside it as ``<sha256>.yaml`` and comes first.
- A file is written whole, for its owner alone, after its bytes were compared with the manifest and
  after it opened. It is compared again whenever it is read.
- The directory is the operator's. Whoever may write there chooses manifests, but no bytes: a
  digest is part of every event and of every calibration.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_devices.models.opening import open_model
from scoring_kernel.errors import CatalogError, FaceModelError
from scoring_kernel.faces.manifest import MAX_MODEL_BYTES, FaceModelManifest, ModelKind
from scoring_kernel.faces.manifest_files import parse_manifest, shipped_manifests
from scoring_kernel.strict_yaml import MAX_BYTES as MAX_MANIFEST_BYTES
from security.private_files import write_private

__all__ = ["Installed", "ModelFault", "ModelStore", "digest_refusal", "read_manifest", "read_model"]

_MODEL: Final = ".onnx"
_MANIFEST: Final = ".yaml"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A model that lies in the store.

    Attributes:
        manifest: What is known of it.
        own: Whether the manifest is the operator's, not one that the program ships.
        path: Its file.
    """

    manifest: FaceModelManifest
    own: bool
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFault:
    """A file of the store that is not what it should be.

    Attributes:
        file: Its name.
        problem: What is wrong and how to mend it.
    """

    file: str
    problem: str


class ModelStore:
    """Models of one device.

    Args:
        directory: Where they lie; made by the first ``install``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory: Final = directory

    def install(
        self,
        content: bytes,
        manifests: Mapping[str, FaceModelManifest],
        own_text: str | None = None,
    ) -> Installed:
        """Verify a model's bytes, open them, and keep them.

        Args:
            content: The file.
            manifests: Manifests by SHA-256, of which one must name it.
            own_text: The operator's own manifest as written, kept beside it; None for a shipped
                one.

        Raises:
            FaceModelError: No manifest names these bytes, they do not open as it says, or another
                file of this id is installed.
            KeyFileError: The store cannot be written.
        """
        found = digest_of(content)
        manifest = manifests.get(found)
        if manifest is None:
            raise digest_refusal(found, manifests)
        other = next((one for one in self._sound() if _same_name(one, manifest)), None)
        if other is not None:
            raise FaceModelError(
                f"model {manifest.id}: the file {other.manifest.sha256[:12]} of this id is "
                f"installed: give the new manifest another id, or delete {other.path}"
            )
        open_model(manifest, content)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{found}{_MODEL}"
        beside = path.with_suffix(_MANIFEST)
        if own_text is None:
            beside.unlink(missing_ok=True)
        else:
            write_private(beside, own_text.encode(), replace=True)
        write_private(path, content, replace=True)
        return Installed(manifest=manifest, own=own_text is not None, path=path)

    def installed(self) -> tuple[Installed, ...]:
        """Models with a sound manifest, by kind and id; their bytes are not read.

        Raises:
            FaceModelError: An operator's manifest is not sound, or a file has none.
        """
        found = [self._installed(path) for path in self._files() if path.suffix == _MODEL]
        return tuple(sorted(found, key=lambda one: (one.manifest.kind, one.manifest.id)))

    def find(self, kind: ModelKind, model_id: str | None = None) -> FaceModelManifest | None:
        """The manifest of the model to use; None where none of the kind is installed.

        Args:
            kind: What it is for.
            model_id: Which one; None where one is installed.

        Raises:
            FaceModelError: Several are installed and none was named, or the named one is not.
        """
        of_kind = [one.manifest for one in self.installed() if one.manifest.kind is kind]
        named = [one for one in of_kind if model_id in {None, one.id}]
        if len(named) == 1:
            return named[0]
        ids = ", ".join(one.id for one in of_kind) or "none"
        if model_id is not None:
            raise FaceModelError(
                f"no {kind} model {model_id} in {self._directory}; installed: {ids}. "
                "Install it: yixin device models install FILE|URL"
            )
        if named:
            raise FaceModelError(
                f"{len(named)} {kind} models in {self._directory}: {ids}; name one, or delete the "
                "files of the others"
            )
        return None

    def load(self, kind: ModelKind, model_id: str | None = None) -> tuple[FaceModelManifest, bytes]:
        """The manifest and the bytes of a model, compared with each other.

        Args:
            kind: What it is for.
            model_id: Which one; None where one is installed.

        Raises:
            FaceModelError: It is not installed, damaged, another, or ambiguous.
        """
        manifest = self.find(kind, model_id)
        if manifest is None:
            raise FaceModelError(
                f"no {kind} model in {self._directory}: yixin device models install FILE|URL"
            )
        content = read_model(self._directory / f"{manifest.sha256}{_MODEL}")
        found = digest_of(content)
        if found != manifest.sha256:
            raise FaceModelError(
                f"model {manifest.id}: found SHA-256 {found}, expected {manifest.sha256}: the file "
                "was changed or is damaged; install it again"
            )
        return manifest, content

    def verify(self) -> tuple[ModelFault, ...]:
        """Read every file again, compare its digest and open it.

        Returns:
            What is wrong; nothing where all is well.
        """
        faults = []
        for path in self._files():
            try:
                self._verify(path)
            except FaceModelError as error:
                faults.append(ModelFault(file=path.name, problem=str(error)))
        return tuple(faults)

    def _verify(self, path: Path) -> None:
        if _DIGEST.fullmatch(path.stem) is None or path.suffix not in {_MODEL, _MANIFEST}:
            raise FaceModelError("not a file of the store: move it away")
        if path.suffix == _MANIFEST:
            if not path.with_suffix(_MODEL).exists():
                raise FaceModelError(
                    "a manifest without its model: delete it, or install the model"
                )
            return
        manifest = self._installed(path).manifest
        open_model(manifest, read_model(path))

    def _sound(self) -> Iterator[Installed]:
        """Models with a sound manifest; installing mends the others."""
        for path in self._files():
            if path.suffix == _MODEL:
                with suppress(FaceModelError):
                    yield self._installed(path)

    def _installed(self, path: Path) -> Installed:
        beside = path.with_suffix(_MANIFEST)
        if beside.exists():
            manifest = read_manifest(beside)[0]
            if manifest.sha256 != path.stem:
                raise FaceModelError(
                    f"{beside.name} names the file {manifest.sha256[:12]}, not the one beside it: "
                    "install it again"
                )
            return Installed(manifest=manifest, own=True, path=path)
        shipped = shipped_manifests().get(path.stem)
        if shipped is None:
            raise FaceModelError(
                f"no manifest names {path.name}: install it again with --manifest, or delete it"
            )
        return Installed(manifest=shipped, own=False, path=path)

    def _files(self) -> list[Path]:
        """Files of the directory but those that are being written."""
        if not self._directory.exists():
            return []
        return sorted(one for one in self._directory.iterdir() if not one.name.startswith("."))


def digest_of(content: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_refusal(found: str, manifests: Mapping[str, FaceModelManifest]) -> FaceModelError:
    """Build (not raise) the error of a file that no manifest names."""
    expected = "; ".join(f"{one.sha256} ({one.id})" for one in manifests.values())
    return FaceModelError(
        f"found SHA-256 {found}, expected one of: {expected}. Take one of these files, or write a "
        "manifest for yours and give it with --manifest"
    )


def read_manifest(path: Path) -> tuple[FaceModelManifest, str]:
    """Read a manifest file.

    Returns:
        The manifest, and the text.

    Raises:
        FaceModelError: It cannot be read or is not sound; names file and line.
    """
    try:
        text = _read(path, MAX_MANIFEST_BYTES).decode()
        return parse_manifest(text, path.name), text
    except UnicodeDecodeError as error:
        raise FaceModelError(f"{path.name}: not UTF-8: save it so") from error
    except CatalogError as error:
        raise FaceModelError(f"the manifest is not sound: {error}") from error


def read_model(path: Path) -> bytes:
    """Read a model's file.

    Raises:
        FaceModelError: It cannot be read, or is larger than any model.
    """
    return _read(path, MAX_MODEL_BYTES)


def _read(path: Path, most: int) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its writer before it can be refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FaceModelError(f"{path} is not a regular file")
            content = file.read(most + 1)
    except OSError as error:
        raise FaceModelError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise FaceModelError(f"{path} is larger than {most} bytes: it is no such file")
    return content


def _same_name(one: Installed, manifest: FaceModelManifest) -> bool:
    return one.manifest.id == manifest.id and one.manifest.sha256 != manifest.sha256
