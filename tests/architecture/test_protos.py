"""The committed protocol modules are what the compiler makes of the sources."""

from pathlib import Path

import pytest

from deploy import protos
from deploy.errors import ProtosError


def test_the_generated_modules_are_current() -> None:
    protos.verify_current(protos.REPOSITORY)


def copy_of_the_sources(target: Path) -> Path:
    for source in protos.REPOSITORY.glob("protos/**/*.proto"):
        copy = target / source.relative_to(protos.REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
    return target


def test_a_changed_and_a_superfluous_module_are_both_named(tmp_path: Path) -> None:
    root = copy_of_the_sources(tmp_path)
    protos.generate(root, root)
    protos.verify_current(root)
    (root / "protos/yixin/v1/envelope_pb2.py").write_text("changed = True\n", encoding="utf-8")
    (root / "protos/yixin/v1/stray_pb2.py").write_text("", encoding="utf-8")
    with pytest.raises(ProtosError, match="2 generated files are not current") as caught:
        protos.verify_current(root)
    assert "envelope_pb2.py" in str(caught.value)
    assert "stray_pb2.py" in str(caught.value)
    assert "make protos" in str(caught.value)


def test_a_tree_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtosError, match=r"no \.proto file"):
        protos.generate(tmp_path, tmp_path)


def test_the_command_tells_whether_the_modules_are_current(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert protos.main(["--check"]) == 0
    root = copy_of_the_sources(tmp_path)
    monkeypatch.setattr(protos, "REPOSITORY", root)
    assert protos.main(["--check"]) == 1
    assert "run `make protos`" in capsys.readouterr().err
    assert protos.main([]) == 0
    assert protos.main(["--check"]) == 0
