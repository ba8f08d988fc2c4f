from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring_kernel.faces.manifest import ChannelOrder
from scoring_kernel.faces.manifest_files import shipped_manifests
from scoring_kernel.faces.preprocessing import Preprocessing
from tests.support.faces import picture

SPECS = {one.id: one.input for one in shipped_manifests().values()}
IMAGE = picture(3)[:112, :112].copy()
IMAGE[:, :, 2] //= 2  # No channel is another.
IMAGE[:, :, 1] //= 3


@pytest.mark.parametrize("model", ["mobilefacenet_foamliu_128d", "sface_2021dec"])
def test_the_table_gives_what_the_formula_gives(model: str) -> None:
    spec = SPECS[model]
    mean, scale = (np.array(one, np.float64).astype(np.float32) for one in (spec.mean, spec.scale))
    expected = ((IMAGE[:, :, ::-1].astype(np.float32) - mean) / scale).transpose(2, 0, 1)[None]
    made = Preprocessing(spec).tensor(IMAGE)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    assert np.array_equal(made, expected)


def test_channels_come_in_the_order_of_the_manifest() -> None:
    spec = SPECS["sface_2021dec"]
    turned = Preprocessing(replace(spec, channels=ChannelOrder.BGR)).tensor(IMAGE)
    assert np.array_equal(turned[:, ::-1], Preprocessing(spec).tensor(IMAGE))
    assert np.array_equal(turned[0, 0], IMAGE[:, :, 0].astype(np.float32))


def test_a_picture_of_another_size_is_made_of_the_models() -> None:
    spec = replace(SPECS["sface_2021dec"], width=48, height=64)
    assert Preprocessing(spec).tensor(IMAGE).shape == (1, 3, 64, 48)
