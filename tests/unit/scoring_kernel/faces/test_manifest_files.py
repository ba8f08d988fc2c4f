from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from scoring_kernel.catalog_loader import read_catalog_files
from scoring_kernel.errors import CatalogError
from scoring_kernel.faces.manifest import ChannelOrder, Crop, Licence, ModelKind, ModelUse
from scoring_kernel.faces.manifest_files import parse_manifest, shipped_manifests
from tests.support.faces import embedding, stand_ins

FOLDER = Path(__file__).parents[3] / "cases" / "malformed" / "faces"
BY_ID = {one.id: one for one in shipped_manifests().values()}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_broken_manifest_is_refused_with_file_and_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    line, expected = (one.split(": ", 1)[1] for one in text.splitlines()[:2])
    with pytest.raises(CatalogError) as caught:
        parse_manifest(text, path.name)
    assert caught.value.file == path.name
    assert caught.value.line == int(line)
    assert expected in caught.value.problem


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(CatalogError, match="not UTF-8"):
        parse_manifest("id: \ud800\n", "x.yaml")


def test_four_models_are_known_by_their_bytes_and_none_is_shipped() -> None:
    assert {one.id: one.kind.value for one in BY_ID.values()} == {
        "antispoofing_print_replay_1.5_128": "liveness",
        "face_detection_yunet_2023mar": "detector",
        "mobilefacenet_foamliu_128d": "embedding",
        "sface_2021dec": "embedding",
    }
    assert all(digest == one.sha256 for digest, one in shipped_manifests().items())


def test_a_manifest_says_how_its_model_is_fed() -> None:
    model = BY_ID["mobilefacenet_foamliu_128d"]
    assert model.input.channels is ChannelOrder.RGB
    assert model.input.mean == (Fraction("123.675"), Fraction("116.28"), Fraction("103.53"))
    assert model.crop.crop is Crop.FIVE_POINT
    assert model.default_threshold_e4 == 5100
    sface = BY_ID["sface_2021dec"]
    assert (sface.input.name, sface.output.name, sface.output.size) == ("data", "fc1", 128)
    assert sface.default_threshold_e4 == 3630


def test_what_restricts_use_is_said_of_the_model() -> None:
    restricted = {one.id for one in BY_ID.values() if one.licence.use is not ModelUse.UNRESTRICTED}
    assert restricted == {"antispoofing_print_replay_1.5_128"}


def test_a_threshold_is_rounded_up_and_may_be_absent() -> None:
    text = embedding().text
    assert parse_manifest(text.replace('"0.6"', '"0.60001"'), "x").default_threshold_e4 == 6001
    without = "".join(one for one in text.splitlines(keepends=True) if "default_" not in one)
    assert parse_manifest(without, "x").default_threshold_e4 is None


def test_the_digest_covers_what_decides_answers_and_not_the_words_of_a_licence() -> None:
    model = embedding().manifest
    said = replace(model, licence=Licence(name="X", of="y", use=ModelUse.UNKNOWN), id="other")
    assert said.digest == model.digest
    fed = replace(model, input=replace(model.input, channels=ChannelOrder.BGR))
    stricter = replace(model, default_threshold_e4=9000)
    file = replace(model, sha256="0" * 64)
    assert len({one.digest for one in (model, fed, stricter, file)}) == 4
    kinds = {one.manifest.kind: one.manifest.digest for one in stand_ins()}
    assert set(kinds) == set(ModelKind)
    assert len(set(kinds.values())) == 3


def test_manifests_of_devices_are_no_part_of_the_rating_catalogue() -> None:
    texts = b"".join(read_catalog_files().values()).decode()
    assert not [one.id for one in BY_ID.values() if one.sha256 in texts]
