"""Manifests of face models as files: strict YAML, and those that the program ships.

Rules:
- The program ships manifests, never weights. An operator's own manifest has the same form.
- Shipped manifests are no part of the rating catalogue: its digest names rules, not devices.
- Every refusal is a ``CatalogError`` with file and line.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from importlib.resources import files
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scoring_kernel.faces.manifest import (
    LIVE,
    MAX_MODEL_BYTES,
    ChannelOrder,
    Crop,
    CropSpec,
    DetectorSpec,
    FaceModelManifest,
    InputSpec,
    Licence,
    ModelKind,
    ModelUse,
    Normalisation,
    OutputSpec,
    Triple,
)
from scoring_kernel.faces.transform import MAX_DIMENSION
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.yaml_section import Section

_COMMON: Final = frozenset(("id", "kind", "file", "licence", "input"))
_KEYS: Final[Mapping[ModelKind, frozenset[str]]] = {
    ModelKind.DETECTOR: _COMMON | {"detector"},
    ModelKind.EMBEDDING: _COMMON | {"crop", "output", "similarity", "default_threshold"},
    ModelKind.LIVENESS: _COMMON | {"crop", "output", "default_threshold"},
}
_TENSOR: Final = r"[!-~]{1,128}"
_WORD: Final = r"[a-z][a-z0-9_]{0,31}"
_RAW: Final = ((Fraction(0),) * 3, (Fraction(1),) * 3)
"""Mean and scale of a detector."""
_MOST_SQUARE: Final = 4
_E4: Final = 10_000
_FACE_NUMBERS: Final = 15
"""Box 4, points 10, score 1."""


def parse_manifest(text: str, name: str) -> FaceModelManifest:
    """Read a manifest.

    Args:
        text: The file.
        name: Of the file, for messages.

    Returns:
        The manifest.

    Raises:
        CatalogError: The first mistake found, with file and line.
    """
    document = load_strict(text.encode("utf-8", "surrogatepass"), name)
    kind = ModelKind(document.choice("kind", list(ModelKind)))
    document.refuse_unknown(_KEYS[kind])
    if kind is ModelKind.EMBEDDING:
        document.choice("similarity", ("cosine",))
    file = document.section("file")
    file.refuse_unknown(("sha256", "bytes"))
    threshold, note = _threshold(document, kind)
    return FaceModelManifest(
        id=document.text("id", pattern=r"[a-z0-9][a-z0-9_.-]{0,63}"),
        kind=kind,
        sha256=file.text("sha256", pattern="[0-9a-f]{64}"),
        bytes=file.integer("bytes", least=1, most=MAX_MODEL_BYTES),
        licence=_licence(document.section("licence")),
        input=_input(document.section("input"), kind),
        crop=_crop(document, kind),
        output=_output(document, kind),
        default_threshold_e4=threshold,
        threshold_note=note,
        detector=_detector(document.section("detector")) if kind is ModelKind.DETECTOR else None,
    )


@cache
def shipped_manifests() -> Mapping[str, FaceModelManifest]:
    """Read the manifests that the program ships.

    Returns:
        Manifests by the SHA-256 of their files, hexadecimal.
    """
    folder = files("scoring_kernel.faces") / "manifests"
    entries = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".yaml")),
        key=lambda entry: entry.name,
    )
    found = [parse_manifest(entry.read_text(encoding="utf-8"), entry.name) for entry in entries]
    return MappingProxyType({manifest.sha256: manifest for manifest in found})


def _licence(section: Section) -> Licence:
    section.refuse_unknown(("name", "of", "use"))
    return Licence(
        name=section.text("name", max_chars=80),
        of=section.text("of", max_chars=200),
        use=ModelUse(section.choice("use", list(ModelUse))),
    )


def _input(section: Section, kind: ModelKind) -> InputSpec:
    section.refuse_unknown(("name", "width", "height", "channels", "layout", "mean", "scale"))
    section.choice("layout", ("nchw",))
    spec = InputSpec(
        name=section.text("name", pattern=_TENSOR),
        width=section.integer("width", least=16, most=1024),
        height=section.integer("height", least=16, most=1024),
        channels=ChannelOrder(section.choice("channels", list(ChannelOrder))),
        mean=_triple(section, "mean"),
        scale=_triple(section, "scale"),
    )
    if any(one <= 0 for one in spec.scale):
        raise section.error("scale: found 0 or less, expected three numbers above 0", "scale")
    raw = spec.channels is ChannelOrder.BGR and (spec.mean, spec.scale) == _RAW
    if kind is ModelKind.DETECTOR and not raw:
        problem = "OpenCV feeds a detector bgr with mean 0 and scale 1: state it so"
        raise section.error(problem, "channels")
    return spec


def _triple(section: Section, key: str) -> Triple:
    texts = section.texts(key, pattern=r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?")
    if len(texts) != 3:
        raise section.error(f"{key}: found {len(texts)} entries, expected 3, one a channel", key)
    first, second, third = map(Fraction, texts)
    return first, second, third


def _crop(document: Section, kind: ModelKind) -> CropSpec:
    if kind is ModelKind.DETECTOR:
        return CropSpec(crop=Crop.WHOLE)
    section = document.section("crop")
    if kind is ModelKind.EMBEDDING:
        section.refuse_unknown(("align",))
        return CropSpec(crop=Crop(section.choice("align", (Crop.FIVE_POINT,))))
    section.refuse_unknown(("square",))
    side = section.decimal("square")
    if not 1 <= side <= _MOST_SQUARE:
        problem = f"square: found {side}, expected 1 to {_MOST_SQUARE} sides of the box"
        raise section.error(problem, "square")
    return CropSpec(crop=Crop.SQUARE, square=side)


def _output(document: Section, kind: ModelKind) -> OutputSpec:
    if kind is ModelKind.DETECTOR:
        return OutputSpec(name="faces", size=_FACE_NUMBERS, normalise=Normalisation.NONE)
    section = document.section("output")
    name = section.text("name", pattern=_TENSOR)
    if kind is ModelKind.EMBEDDING:
        section.refuse_unknown(("name", "size", "normalise"))
        return OutputSpec(
            name=name,
            size=section.integer("size", least=2, most=MAX_DIMENSION),
            normalise=Normalisation(section.choice("normalise", (Normalisation.L2,))),
        )
    section.refuse_unknown(("name", "size", "normalise", "classes"))
    size = section.integer("size", least=2, most=16)
    classes = section.texts("classes", pattern=_WORD)
    if len(classes) != size or len(set(classes)) != size or LIVE not in classes:
        problem = f"classes: expected {size} different words, one of them {LIVE}"
        raise section.error(problem, "classes")
    allowed = (Normalisation.SOFTMAX, Normalisation.NONE)
    normalise = Normalisation(section.choice("normalise", allowed))
    return OutputSpec(name=name, size=size, normalise=normalise, classes=classes)


def _threshold(document: Section, kind: ModelKind) -> tuple[int | None, str]:
    """A cosine of an embedding, a probability of a liveness model; the latter needs one."""
    section = document.find_section("default_threshold")
    if section is None:
        if kind is ModelKind.LIVENESS:
            raise document.error("key 'default_threshold' is missing: add it")
        return None, ""
    section.refuse_unknown(("value", "basis", "note"))
    section.choice("basis", ("proposal",))
    value = section.decimal("value")
    if not 0 < value < 1:
        raise section.error(f"value: found {value}, expected above 0 and below 1", "value")
    return ceil(value * _E4), section.text("note", max_chars=200)


def _detector(section: Section) -> DetectorSpec:
    section.refuse_unknown(("decoder", "work_side", "score", "overlap", "most"))
    section.choice("decoder", ("yunet",))
    return DetectorSpec(
        work_side=section.integer("work_side", least=96, most=1024),
        score_e4=_share_e4(section, "score"),
        overlap_e4=_share_e4(section, "overlap"),
        most=section.integer("most", least=1, most=10_000),
    )


def _share_e4(section: Section, key: str) -> int:
    value = section.decimal(key)
    if not 0 < value < 1 or (value * _E4).denominator != 1:
        problem = f"{key}: found {value}, expected above 0 and below 1, four places at most"
        raise section.error(problem, key)
    return int(value * _E4)
