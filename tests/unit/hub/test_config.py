from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from hub.config import (
    DEFAULT_DIRECTORY,
    DIRECTORY_VARIABLE,
    HubSettings,
    Settings,
    hub_directory,
    load_settings,
    write_settings,
)
from hub.errors import ConfigurationError, NotInitialisedError

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "hub.example.toml"
MEMBER = '[hub]\nmember = "yixin://330300/hub/city"\nlevel = "city"\nname = "温州市"\n'


def load(directory: Path, text: str) -> Settings:
    (directory / "hub.toml").write_text(text, encoding="utf-8")
    return load_settings(directory)


def test_what_is_written_is_read_with_defaults_for_the_rest(tmp_path: Path) -> None:
    written = HubSettings(member="yixin://330300/hub/city", level="city", name='温州 "市"')
    write_settings(tmp_path, written)

    settings = load_settings(tmp_path)

    assert settings == Settings(hub=written)
    assert settings.hub.division == "330300"
    assert (tmp_path / "hub.toml").stat().st_mode & 0o077 == 0


def test_the_example_names_every_setting_with_its_default(tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8")
    document = tomllib.loads(text)
    settings = load(tmp_path, text)

    assert set(document) == {item.name for item in fields(Settings)}
    for name, table in document.items():
        part = getattr(settings, name)
        assert set(table) == {item.name for item in fields(part)}
        if name != "hub":
            assert part == type(part)()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", r"\[hub\] lacks member, level, name"),
        ('[hub]\nlevel = "city"\nname = "x"\n', r"\[hub\] lacks member;"),
        ("[hub", "not valid TOML"),
        (MEMBER + "[unheard]\n", "unknown key unheard"),
        (MEMBER + "[network]\nport = 1\n", "unknown key network.port"),
        (MEMBER + "[network]\nexchange_port = 65536\n", "exchange_port"),
        (MEMBER + '[network]\nexchange_port = "1"\n', "whole number"),
        (MEMBER + '[network]\nbind = ""\n', "network.bind"),
        (MEMBER + "[network]\nbind = 7\n", "must be a text"),
        (MEMBER + "[intake]\ngroup_max = 0\n", "group_max"),
        (MEMBER + "[intake]\ngroup_max = true\n", "whole number"),
        (MEMBER + "[intake]\nqueue_mib = 1\n", "queue_mib"),
        (MEMBER + "[lifetime]\ntoken_s = 1\n", "token_s"),
        (MEMBER + "[lifetime]\ntls_days = 91\n", "tls_days"),
        (MEMBER.replace("/hub/", "/node/"), "member id of a hub"),
        (MEMBER.replace("yixin:", "http:"), "hub.member"),
        (MEMBER.replace('"city"\nname', '"county"\nname'), "hub.level"),
        (MEMBER.replace("温州市", ""), "hub.name"),
        ("intake = 3\n" + MEMBER, "must be a table"),
        ("#" * 70_000, "larger than"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=wanted):
        load(tmp_path, text)


def test_a_directory_without_a_hub_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="hub init"):
        load_settings(tmp_path)


def test_the_directory_is_the_option_then_the_environment_then_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(DIRECTORY_VARIABLE, raising=False)
    assert hub_directory(None) == DEFAULT_DIRECTORY
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path))
    assert hub_directory(None) == tmp_path
    assert hub_directory(Path("here")) == Path("here")
