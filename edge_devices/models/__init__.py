"""Face models of a device: fetched, verified against their manifests, kept, and joined."""

from edge_devices.models.opening import open_model, open_pipeline
from edge_devices.models.store import Installed, ModelFault, ModelStore

__all__ = ["Installed", "ModelFault", "ModelStore", "open_model", "open_pipeline"]
