"""Install a model from a file or from an address."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from edge_devices.errors import DeviceConfigurationError
from edge_devices.models.download import download
from edge_devices.models.store import (
    Installed,
    ModelStore,
    digest_refusal,
    read_manifest,
    read_model,
)
from scoring_kernel.faces.manifest_files import shipped_manifests
from security.progress import ProgressReporter

__all__ = ["install"]

_ADDRESS = "://"


def install(
    directory: Path,
    source: str,
    *,
    manifest: Path | None,
    clock: Callable[[], float],
    progress: ProgressReporter,
) -> Installed:
    """Take a model from a file or an address into the store.

    Args:
        directory: The store; made where it is not there.
        source: A path, or an address with https.
        manifest: The operator's own manifest; None: one that the program ships must name it.
        clock: Seconds that only grow.
        progress: Told of the download.

    Raises:
        FaceModelError: It cannot be read or fetched, no manifest names it, or it does not open.
        DeviceConfigurationError: The address is not one with https, or the store no directory.
        KeyFileError: The store cannot be written.
        FacesNotInstalledError: OpenCV is not installed.
    """
    own, text = (None, None) if manifest is None else read_manifest(manifest)
    manifests = shipped_manifests() if own is None else {own.sha256: own}
    if directory.exists() and not directory.is_dir():
        raise DeviceConfigurationError(f"{directory} is not a directory: name one with --models")
    if _ADDRESS not in source:
        content = read_model(Path(source))
    else:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            found = download(source, file, clock=clock, progress=progress)
            if found not in manifests:
                raise digest_refusal(found, manifests)
            file.seek(0)
            content = file.read()
    return ModelStore(directory).install(content, manifests, text)
