from pathlib import Path

import pytest

from node.app import SETTINGS_TEXT
from node.config import MAX_SETTINGS_BYTES, NodeSettings, load_settings, node_directory
from node.errors import ConfigurationError


def test_defaults_hold_where_no_file_is(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == NodeSettings()


def test_the_settings_written_by_init_are_the_defaults(tmp_path: Path) -> None:
    text = SETTINGS_TEXT.format(interval_s=NodeSettings().sync.interval_s)
    (tmp_path / "node.toml").write_text(text, encoding="utf-8")
    assert load_settings(tmp_path) == NodeSettings()


def test_the_example_file_lists_every_setting() -> None:
    example = Path(__file__).parents[3] / "deploy" / "examples" / "node.example.toml"
    assert example.read_text(encoding="utf-8") == SETTINGS_TEXT.format(
        interval_s=NodeSettings().sync.interval_s
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[sync]\ninterval_s = 4\n", "sync.interval_s is 4"),
        ("[sync]\ninterval_s = true\n", "whole number"),
        ("[sync]\ninterval_s = '60'\n", "whole number"),
        ("[sync]\nintervall_s = 60\n", "unknown key sync.intervall_s"),
        ("[snyc]\ninterval_s = 60\n", "unknown key snyc"),
        ("sync = 3\n", "must be a table"),
        ("[sync\n", "not valid TOML"),
        ("#" * (MAX_SETTINGS_BYTES + 1), "at most"),
    ],
)
def test_wrong_settings_say_what_to_correct(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "node.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=found):
        load_settings(tmp_path)


def test_the_directory_comes_from_the_option_then_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("YIXIN_NODE_DIR", str(tmp_path))
    assert node_directory(None) == tmp_path
    assert node_directory(Path("other")) == Path("other")
    monkeypatch.delenv("YIXIN_NODE_DIR")
    assert node_directory(None) == Path("yixin-node")
