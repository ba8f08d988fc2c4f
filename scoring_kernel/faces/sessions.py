"""Files of face models, opened: only the pinned bytes, only with the tensors of their manifest.

Rules:
- The bytes are compared with the manifest's length and SHA-256 before any library reads them.
- A model is whole: one that keeps numbers in files beside it is refused, for no digest names
  those files. Only ONNX's own form is read.
- One thread: a second one makes a frame slower here, and other work waits for it.
- ONNX Runtime raises many types without a common base; all become ``FaceModelError`` here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from scoring_kernel.errors import FaceModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from scoring_kernel.faces.manifest import FaceModelManifest, ModelKind

CHANNELS: Final = 3
"""Of every picture."""
_FLOAT: Final = "tensor(float)"
_EXTERNAL: Final = onnx.TensorProto.EXTERNAL


def verify_bytes(manifest: FaceModelManifest, content: bytes, kind: ModelKind) -> None:
    """Verify that a file is the one that its manifest names, for this use.

    Raises:
        FaceModelError: Another kind, length or digest.
    """
    if manifest.kind is not kind:
        raise FaceModelError(
            f"model {manifest.id}: found a manifest of kind {manifest.kind}, expected {kind}: "
            "take a model of that kind"
        )
    if len(content) != manifest.bytes:
        raise FaceModelError(
            f"model {manifest.id}: found {len(content)} bytes, expected {manifest.bytes}: "
            "install the file again"
        )
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        raise FaceModelError(
            f"model {manifest.id}: found SHA-256 {found}, expected {manifest.sha256}: "
            "install the file that the manifest names"
        )


class Session:
    """A model of one input, ready to run."""

    def __init__(
        self,
        manifest: FaceModelManifest,
        content: bytes,
        outputs: Mapping[str, tuple[int, ...] | None],
    ) -> None:
        """Open a file whose bytes were verified.

        Args:
            manifest: Of the model.
            content: The file.
            outputs: Shapes of the tensors that come out, by name; None: any. The first is what
                a run gives.

        Raises:
            FaceModelError: No model, or one with other tensors than these.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.load_model_format", "ONNX")
        _verify_whole(manifest, content)
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:
            raise _damaged(manifest, error) from error
        spec = manifest.input
        self._id: Final = manifest.id
        self._session: Final = session
        self._input: Final = spec.name
        self._output: Final = next(iter(outputs))
        self._shape: Final = outputs[self._output]
        found = {one.name: one for one in session.get_inputs()}
        if len(found) != 1:
            raise self._foreign(f"inputs {', '.join(sorted(found))}", f"one, {spec.name}")
        self._tensor: Final = (1, CHANNELS, spec.height, spec.width)
        self._verify_tensor(found, spec.name, self._tensor)
        made = {one.name: one for one in session.get_outputs()}
        for name, shape in outputs.items():
            self._verify_tensor(made, name, shape)

    def run_once(self) -> None:
        """Run it on nothing: a model that fails is known when it is opened, not at the counter.

        Raises:
            FaceModelError: As ``run``.
        """
        self.run(np.zeros(self._tensor, np.float32))

    def run(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run it.

        Args:
            tensor: Shape (1, 3, height, width).

        Returns:
            The first output.

        Raises:
            FaceModelError: It fails, or gives another shape than the manifest says.
        """
        try:
            made: npt.NDArray[np.float32] = self._session.run(
                [self._output], {self._input: tensor}
            )[0]
        except Exception as error:
            raise FaceModelError(
                f"model {self._id}: it fails when it is run ({type(error).__name__}): install an "
                "undamaged one"
            ) from error
        if self._shape is not None and made.shape != self._shape:
            raise self._foreign(f"output of shape {made.shape}", f"{self._shape}")
        return made

    def _verify_tensor(
        self, found: Mapping[str, Any], name: str, shape: tuple[int, ...] | None
    ) -> None:
        if name not in found:
            raise self._foreign(f"tensors {', '.join(sorted(found))}", name)
        tensor = found[name]
        if tensor.type != _FLOAT:
            raise self._foreign(f"{name} of type {tensor.type}", _FLOAT)
        if shape is None:
            return
        # A dimension without a number fits any.
        given = list(tensor.shape)
        fits = len(given) == len(shape) and all(
            one == expected for one, expected in zip(given, shape, strict=True) if type(one) is int
        )
        if not fits:
            raise self._foreign(f"{name} of shape {given}", f"{list(shape)}")

    def _foreign(self, found: str, expected: str) -> FaceModelError:
        return FaceModelError(
            f"model {self._id}: found {found}, expected {expected}: mend the manifest or take "
            "its model"
        )


def _verify_whole(manifest: FaceModelManifest, content: bytes) -> None:
    # Where other files lie is said under the key "location": mostly, there is no such word.
    if b"location" not in content:
        return
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise _damaged(manifest, error) from error
    if _refers(model):
        raise FaceModelError(
            f"model {manifest.id}: found numbers kept in other files, expected them in the "
            "model: save it in one piece"
        )


def _refers(message: Any) -> bool:  # noqa: ANN401  # any message of the format
    if isinstance(message, onnx.TensorProto) and message.data_location == _EXTERNAL:
        return True
    return any(
        _refers(part)
        for field, value in message.ListFields()
        if field.message_type is not None
        for part in (value if field.is_repeated else (value,))
    )


def _damaged(manifest: FaceModelManifest, error: Exception) -> FaceModelError:
    return FaceModelError(
        f"model {manifest.id}: the file is no model that ONNX Runtime opens "
        f"({type(error).__name__}): install an undamaged one"
    )
