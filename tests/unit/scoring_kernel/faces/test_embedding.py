from __future__ import annotations

import numpy as np
import pytest

from scoring_kernel.faces.embedding import Embedder
from scoring_kernel.faces.manifest_files import parse_manifest, shipped_manifests
from tests.support.faces import embedding, picture, stand_in

CROP = picture(1)[:112, :112]
SFACE = next(one for one in shipped_manifests().values() if one.id == "sface_2021dec")


@pytest.mark.parametrize("size", [128, 512])
def test_a_vector_has_the_length_of_its_manifest_and_the_unit_length(size: int) -> None:
    model = embedding(size)
    vector = Embedder.load(model.manifest, model.content).embed(CROP)
    assert vector.shape == (size,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector.astype(np.float64))) == pytest.approx(1.0, abs=1e-6)


def test_a_model_with_the_tensors_of_sface_runs_by_the_shipped_manifest_alone() -> None:
    # Its weights are not here: the graph is a stand-in, the manifest is SFace's but for the file.
    made = embedding(SFACE.output.size, source=SFACE.input.name, made=SFACE.output.name)
    said = stand_in("sface", made.content, made.text.split("\n", 3)[3]).manifest
    assert (said.input, said.crop, said.output) == (SFACE.input, SFACE.crop, SFACE.output)
    vector = Embedder.load(said, made.content).embed(CROP)
    # What SFace's own wrapper in OpenCV feeds: red, green, blue, 0 to 255.
    fed = CROP[:, :, ::-1].astype(np.float64).transpose(2, 0, 1)
    cells = fed.reshape(3, 16, 7, 16, 7).mean(axis=(2, 4)).ravel() - 128
    rng = np.random.default_rng((1,))  # noqa: TID251  # the seed of the stand-in
    expected = cells @ rng.standard_normal((768, 128)).astype(np.float32)
    assert np.abs(vector - expected / np.linalg.norm(expected)).max() < 1e-5


def test_another_model_of_512_numbers_runs_by_an_operators_manifest_alone() -> None:
    model = embedding(512, source="input.1", made="683", seed=9)
    text = model.text.replace('mean: ["0", "0", "0"]', 'mean: ["127.5", "127.5", "127.5"]')
    manifest = parse_manifest(text.replace('["1", "1", "1"]', '["128", "128", "128"]'), "own.yaml")
    vector = Embedder.load(manifest, model.content).embed(CROP)
    assert vector.shape == (512,)
    assert manifest.digest != model.manifest.digest
