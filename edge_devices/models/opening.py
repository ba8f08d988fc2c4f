"""Open models. OpenCV is imported here when it is needed, and its absence told.

The commands of a device import this module, so that ``--help`` works without OpenCV.
"""

from typing import TYPE_CHECKING

from edge_devices.errors import FacesNotInstalledError
from scoring_kernel.faces.manifest import FaceModelManifest, ModelKind
from scoring_kernel.faces.quality import QualityGate

if TYPE_CHECKING:
    from edge_devices.models.store import ModelStore
    from scoring_kernel.faces.pipeline import FacePipeline

__all__ = ["open_model", "open_pipeline", "require_camera"]


def require_camera() -> None:
    """Refuse where OpenCV is not installed.

    Raises:
        FacesNotInstalledError: It is not.
    """
    try:
        import scoring_kernel.faces.opencv  # noqa: F401, PLC0415  # its presence is what is asked
    except ImportError as error:
        raise FacesNotInstalledError(
            "OpenCV is not installed on this machine: pip install 'yixin[faces]'"
        ) from error


def open_model(manifest: FaceModelManifest, content: bytes) -> None:
    """Compare a model's bytes with its manifest and open it, as the program will.

    Args:
        manifest: What is known of it.
        content: The file.

    Raises:
        FaceModelError: It is another file, damaged, or has other inputs or outputs.
        FacesNotInstalledError: OpenCV is not installed.
    """
    require_camera()
    from scoring_kernel.faces.detection import FaceDetector  # noqa: PLC0415  # needs OpenCV
    from scoring_kernel.faces.embedding import Embedder  # noqa: PLC0415  # needs OpenCV
    from scoring_kernel.faces.liveness import LivenessModel  # noqa: PLC0415  # needs OpenCV

    loaders = {
        ModelKind.DETECTOR: FaceDetector.load,
        ModelKind.EMBEDDING: Embedder.load,
        ModelKind.LIVENESS: LivenessModel.load,
    }
    loaders[manifest.kind](manifest, content)


def open_pipeline(
    store: "ModelStore", *, embedding: str | None = None, gate: QualityGate
) -> "FacePipeline":
    """Join the installed models; without a model of liveness nothing is checked for it.

    Args:
        store: Where they lie.
        embedding: Id of the embedding model; None where one is installed.
        gate: Limits of quality.

    Raises:
        FaceModelError: A detector or an embedding model is not installed, damaged or ambiguous.
        FacesNotInstalledError: OpenCV is not installed.
    """
    require_camera()
    from scoring_kernel.faces.detection import FaceDetector  # noqa: PLC0415  # needs OpenCV
    from scoring_kernel.faces.embedding import Embedder  # noqa: PLC0415  # needs OpenCV
    from scoring_kernel.faces.liveness import LivenessModel  # noqa: PLC0415  # needs OpenCV
    from scoring_kernel.faces.pipeline import FacePipeline  # noqa: PLC0415  # needs OpenCV

    checked = store.find(ModelKind.LIVENESS) is not None
    return FacePipeline(
        FaceDetector.load(*store.load(ModelKind.DETECTOR)),
        Embedder.load(*store.load(ModelKind.EMBEDDING, embedding)),
        LivenessModel.load(*store.load(ModelKind.LIVENESS)) if checked else None,
        gate,
    )
