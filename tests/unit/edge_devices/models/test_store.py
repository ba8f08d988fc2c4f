"""The store of models: what goes in, what is found again, and what is refused."""

from __future__ import annotations

import builtins
import os
from typing import TYPE_CHECKING, Any

import pytest

from edge_devices.errors import FacesNotInstalledError
from edge_devices.models import ModelStore, open_pipeline
from edge_devices.models import store as store_module
from edge_devices.models.opening import require_camera
from edge_devices.models.store import read_manifest, read_model
from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.manifest import ModelKind
from scoring_kernel.faces.manifest_files import shipped_manifests
from scoring_kernel.faces.quality import QualityGate
from tests.support.faces import StandIn, detector, embedding, liveness, picture, stand_ins

if TYPE_CHECKING:
    from pathlib import Path


def put(store: ModelStore, *models: StandIn) -> None:
    for one in models:
        store.install(one.content, {one.manifest.sha256: one.manifest}, one.text)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    made = ModelStore(tmp_path / "models")
    put(made, *stand_ins())
    return made


def file_of(tmp_path: Path, model: StandIn, suffix: str = ".onnx") -> Path:
    return tmp_path / "models" / f"{model.manifest.sha256}{suffix}"


def test_what_was_installed_is_found_again_for_its_owner_alone(
    store: ModelStore, tmp_path: Path
) -> None:
    assert [(one.manifest.id, one.own) for one in store.installed()] == [
        ("green_blocks", True),
        ("projection_128d", True),
        ("paper_is_red", True),
    ]
    assert store.verify() == ()
    assert store.load(ModelKind.EMBEDDING) == (embedding().manifest, embedding().content)
    modes = {one.stat().st_mode & 0o777 for one in (tmp_path / "models").iterdir()}
    assert modes == {0o600}
    assert (tmp_path / "models").stat().st_mode & 0o777 == 0o700


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    empty = ModelStore(tmp_path / "none")
    assert empty.installed() == ()
    assert empty.verify() == ()
    assert empty.find(ModelKind.LIVENESS) is None
    with pytest.raises(
        FaceModelError, match=r"no detector model in .* yixin device models install"
    ):
        empty.load(ModelKind.DETECTOR)


def test_a_file_that_no_manifest_names_is_refused_with_what_was_expected(
    store: ModelStore, tmp_path: Path
) -> None:
    other = embedding(64)
    with pytest.raises(
        FaceModelError, match=f"found SHA-256 {other.manifest.sha256}, expected"
    ) as e:
        store.install(other.content, shipped_manifests())
    assert all(one.sha256 in str(e.value) for one in shipped_manifests().values())
    assert len(list((tmp_path / "models").iterdir())) == 6


@pytest.mark.parametrize("at", [0, 100, -1])
def test_one_changed_bit_is_another_file(tmp_path: Path, at: int) -> None:
    model = embedding()
    content = bytearray(model.content)
    content[at] ^= 1
    changed, manifests = bytes(content), {model.manifest.sha256: model.manifest}
    with pytest.raises(FaceModelError, match="found SHA-256"):
        ModelStore(tmp_path).install(changed, manifests)
    assert not list(tmp_path.iterdir())


def test_bytes_that_do_not_open_as_their_manifest_says_are_not_kept(tmp_path: Path) -> None:
    fits, other = embedding(64), embedding(64, source="pixels")
    text = other.text.replace("name: pixels", "name: data")
    lying = StandIn(name="lying", content=other.content, text=text)
    with pytest.raises(FaceModelError, match=r"found tensors pixels, expected data|inputs"):
        put(ModelStore(tmp_path / "models"), lying)
    assert not (tmp_path / "models").exists()
    put(ModelStore(tmp_path / "models"), fits)


def test_installing_twice_changes_nothing(store: ModelStore, tmp_path: Path) -> None:
    before = sorted(one.name for one in (tmp_path / "models").iterdir())
    put(store, *stand_ins())
    assert sorted(one.name for one in (tmp_path / "models").iterdir()) == before


def test_a_shipped_manifest_takes_the_place_of_an_own_one(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = embedding()
    shipped = {model.manifest.sha256: model.manifest}
    monkeypatch.setattr(store_module, "shipped_manifests", lambda: shipped)
    store.install(model.content, shipped)
    assert not file_of(tmp_path, model, ".yaml").exists()
    assert [one.own for one in store.installed()] == [True, False, True]
    assert store.verify() == ()


def test_another_file_of_an_installed_id_is_refused(store: ModelStore) -> None:
    other = embedding(seed=2)
    with pytest.raises(
        FaceModelError, match=r"projection_128d: the file .* of this id is installed"
    ):
        put(store, other)


def test_of_several_models_one_must_be_named(store: ModelStore) -> None:
    put(store, embedding(512))
    with pytest.raises(
        FaceModelError, match=r"2 embedding models .* projection_128d, projection_512d"
    ):
        store.find(ModelKind.EMBEDDING)
    found = store.find(ModelKind.EMBEDDING, "projection_512d")
    assert found == embedding(512).manifest
    with pytest.raises(
        FaceModelError, match=r"no embedding model arcface .* installed: projection"
    ):
        store.load(ModelKind.EMBEDDING, "arcface")


def test_the_installed_models_run_joined(store: ModelStore) -> None:
    put(store, embedding(512))
    gate = QualityGate()
    joined = open_pipeline(store, embedding="projection_512d", gate=gate)
    found = joined.examine(picture(1))
    assert found.verify_face().shape == (512,)
    assert found.liveness.answer == "live"


def test_without_a_model_of_liveness_nothing_is_checked(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    put(store, detector(), embedding())
    assert open_pipeline(store, gate=QualityGate()).examine(picture(1)).liveness.live_e4 is None


@pytest.mark.parametrize("keep", [0, 1 / 8, 1 / 2, 7 / 8])
def test_a_truncated_file_is_never_loaded(store: ModelStore, tmp_path: Path, keep: float) -> None:
    path = file_of(tmp_path, detector())
    path.write_bytes(detector().content[: int(len(detector().content) * keep)])
    with pytest.raises(FaceModelError, match=r"found SHA-256 .* expected .* install it again"):
        store.load(ModelKind.DETECTOR)
    assert [one.file for one in store.verify()] == [path.name]


def test_a_manifest_of_another_file_is_refused(store: ModelStore, tmp_path: Path) -> None:
    file_of(tmp_path, detector(), ".yaml").write_text(liveness().text)
    with pytest.raises(FaceModelError, match=r"names the file .* not the one beside it"):
        store.installed()
    assert len(store.verify()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id: x\n", ":1: key 'kind' is missing"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a: &x [*x]\n", "not sound"),
        (b" " * 600_000, "larger than"),
    ],
)
def test_a_manifest_that_is_not_sound_names_its_mistake(
    store: ModelStore, tmp_path: Path, content: bytes, words: str
) -> None:
    path = file_of(tmp_path, detector(), ".yaml")
    path.write_bytes(content)
    with pytest.raises(FaceModelError, match=words):
        read_manifest(path)
    assert [one.file for one in store.verify()] == [file_of(tmp_path, detector()).name]


def test_installing_again_mends_a_manifest_that_is_not_sound(
    store: ModelStore, tmp_path: Path
) -> None:
    file_of(tmp_path, detector(), ".yaml").write_text("junk")
    put(store, detector(), embedding(512))
    assert store.verify() == ()
    assert len(store.installed()) == 4


def test_files_that_are_no_models_are_told(store: ModelStore, tmp_path: Path) -> None:
    place = tmp_path / "models"
    (place / "notes.txt").write_text("x")
    (place / f"{'0' * 64}.onnx").write_bytes(b"x")
    (place / f"{'1' * 64}.yaml").write_text("x")
    (place / ".half.tmp").write_text("being written")
    told = {one.file: one.problem for one in store.verify()}
    assert {name[:5]: problem.split(":")[0] for name, problem in told.items()} == {
        "notes": "not a file of the store",
        "00000": f"no manifest names {'0' * 64}.onnx",
        "11111": "a manifest without its model",
    }


def test_only_files_of_bounded_size_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in (
        (pipe, "not a regular file"),
        (tmp_path, "not a regular file|cannot be read"),
        (tmp_path / "absent", "cannot be read: No such file"),
    ):
        with pytest.raises(FaceModelError, match=words):
            read_model(path)
    monkeypatch.setattr(store_module, "MAX_MODEL_BYTES", 3)
    (tmp_path / "four").write_bytes(b"1234")
    with pytest.raises(FaceModelError, match="larger than 3 bytes"):
        read_model(tmp_path / "four")


def test_without_opencv_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    true_import = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401  # import's own types
        if name == "scoring_kernel.faces.opencv":
            raise ModuleNotFoundError(name)
        return true_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FacesNotInstalledError, match=r"pip install 'yixin\[faces\]'"):
        require_camera()
