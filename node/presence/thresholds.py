"""Which threshold is in force for a face model at a site.

Rules:
- A calibration of the site counts. Where there is none, nothing is judged, unless the operator
  says (`[faces] uncalibrated = "manifest"`) that the model's own number is good enough.
- A search over many templates has a calibration of its own: at the target it was made for, at
  most one false candidate is to be expected in a search over all templates that are kept.
"""

from typing import Final

from node.edge_settings import FaceSettings
from node.errors import TemplateError
from node.store import NodeStore
from node.store.calibrations import CalibrationUse
from scoring_kernel.faces.calibration import Calibration
from scoring_kernel.faces.manifest import FaceModelManifest
from scoring_kernel.faces.manifest_files import shipped_manifests

__all__ = ["calibration_at", "known_manifest", "search_threshold", "threshold_at"]

_MANIFEST: Final = "manifest"
_MICRO: Final = 1_000_000


def calibration_at(store: NodeStore, model: bytes, institution: str) -> Calibration | None:
    """Find the calibration in force for comparing one to one.

    Args:
        store: The node's store.
        model: SHA-256 of the embedding model's file, 32 bytes.
        institution: Code of the institution.

    Raises:
        StoreError: It was changed on disk.
    """
    return store.edge.calibrations.at(model, institution)


def threshold_at(
    store: NodeStore, settings: FaceSettings, model: bytes, institution: str
) -> int | None:
    """Find the threshold in force for comparing one to one.

    Args:
        store: The node's store.
        settings: Say what counts where nothing is calibrated.
        model: SHA-256 of the embedding model's file, 32 bytes.
        institution: Code of the institution.

    Returns:
        Ten-thousandths, rounded up; None: nothing may be judged there.

    Raises:
        StoreError: The calibration was changed on disk.
    """
    calibration = calibration_at(store, model, institution)
    if calibration is not None:
        return calibration.threshold_e4
    manifest = known_manifest(model) if settings.uncalibrated == _MANIFEST else None
    return None if manifest is None else manifest.default_threshold_e4


def search_threshold(store: NodeStore, model: bytes, institution: str, templates: int) -> int:
    """Find the threshold in force for searching one to many.

    Args:
        store: The node's store.
        model: SHA-256 of the embedding model's file, 32 bytes.
        institution: Code of the institution.
        templates: How many are searched.

    Returns:
        Ten-thousandths, rounded up.

    Raises:
        TemplateError: Nothing is calibrated for it, or for fewer templates.
        StoreError: The calibration was changed on disk.
    """
    found = store.edge.calibrations.at(model, institution, CalibrationUse.IDENTIFY)
    how = "yixin node faces calibration import FILE --for identify"
    if found is None:
        raise TemplateError(
            f"no calibration for searches with the model {model.hex()[:12]} at {institution}, "
            f"expected one: {how}"
        )
    if found.result.target_far_e6 * templates > _MICRO:
        raise TemplateError(
            f"the calibration for searches at {institution} holds for "
            f"{_MICRO // found.result.target_far_e6} templates, found {templates}: calibrate with "
            f"a false-accept rate of at most 1 in {templates}, then {how}"
        )
    return found.threshold_e4


def known_manifest(model: bytes) -> FaceModelManifest | None:
    """Find what the program knows of a model; None for a model of the operator's own.

    Args:
        model: SHA-256 of the model's file, 32 bytes.
    """
    return shipped_manifests().get(model.hex())
