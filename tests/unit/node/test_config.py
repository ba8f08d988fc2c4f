from dataclasses import fields
from pathlib import Path

import pytest

from node.config import (
    MAX_SETTINGS_BYTES,
    NodeSettings,
    load_settings,
    node_directory,
    settings_text,
)
from node.errors import ConfigurationError


def test_defaults_hold_where_no_file_is(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == NodeSettings()


def test_the_settings_written_by_init_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(settings_text(NodeSettings()), encoding="utf-8")
    assert load_settings(tmp_path) == NodeSettings()


def test_the_example_file_lists_every_setting() -> None:
    example = Path(__file__).parents[3] / "deploy" / "examples" / "node.example.toml"
    assert example.read_text(encoding="utf-8") == settings_text(NodeSettings())
    for table in fields(NodeSettings):
        for item in fields(getattr(NodeSettings(), table.name)):
            listed = f"{item.name} = " in settings_text(NodeSettings())
            assert listed or item.name in {"signatures", "answers"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[sync]\ninterval_s = 4\n", "sync.interval_s is 4"),
        ("[sync]\ninterval_s = true\n", "whole number"),
        ("[interface]\nenabled = 1\n", "interface.enabled must be true or false"),
        ("[interface]\nmode = 'proxy'\n", "yixin node gateway"),
        ("[interface]\nport = 65536\n", "interface.port is 65536"),
        ("[interface]\nhost = ''\n", "interface.host is empty"),
        ("[interface]\nhost = '0.0.0.0'\n", "in clear"),
        ("[interface]\nhost = 'his.example'\n", "in clear"),
        ("[interface]\ncertificate = 'a.pem'\n", "belong together"),
        ("[interface]\nanswer_timeout_s = 0\n", "interface.answer_timeout_s is 0"),
        ("[interface]\nmax_inflight_mib = 1\n", "interface.max_inflight_mib is 1"),
        ("[interface.signatures]\nX1 = 'a.pem'\n", "'X1', expected institution codes"),
        ("[interface.signatures]\nH33030200001 = 1\n", "must name a PEM file"),
        ("[interface]\nsignatures = 1\n", "must be a table"),
        ("[gateway]\nhost = '10.0.0.1'\n", "gateway.allow_plain = true"),
        ("[gateway]\nupstream = 'ftp://x'\n", "scheme and authority"),
        ("[gateway]\nupstream = 'http://x/path'\n", "scheme and authority"),
        ("[gateway]\nupstream = 'http://x:99999'\n", "scheme and authority"),
        ("[gateway]\nspool_max_mib = 0\n", "gateway.spool_max_mib is 0"),
        ("[supervision]\nnightly = '25:00'\n", "supervision.nightly is '25:00'"),
        ("[supervision]\nnightly = '1:00'\n", "expected HH:MM"),
        ("[supervision]\nnightly_catch_up_s = -1\n", "supervision.nightly_catch_up_s is -1"),
        ("[supervision]\nnightly_max_memory_mib = 1\n", "nightly_max_memory_mib is 1"),
        (
            "[supervision]\nlive = false\nidentity_closed = true\n",
            r"identity_closed = true and supervision.live = false .*set supervision.live = true",
        ),
        (
            "[supervision]\nidentity_closed = true\n[supervision.answers]\nW04 = 'off'\n",
            r"identity_closed = true and supervision.answers.W04 = \"off\" .*take W04 out of",
        ),
        ("[sync]\ninterval_s = '60'\n", "whole number"),
        ("[sync]\nintervall_s = 60\n", "unknown key sync.intervall_s"),
        ("[snyc]\ninterval_s = 60\n", "unknown key snyc"),
        ("sync = 3\n", "must be a table"),
        ("[sync\n", "not valid TOML"),
        ("#" * (MAX_SETTINGS_BYTES + 1), "at most"),
        ("a = " + "[" * 60_000, "not valid TOML"),
    ],
)
def test_wrong_settings_say_what_to_correct(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "node.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=found):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[supervision]\nlive = false\n",
        "[supervision]\nidentity_closed = true\n[supervision.answers]\nW04 = 'warn'\n",
        "[supervision.answers]\nW04 = 'off'\n",
    ],
)
def test_identity_may_be_closed_or_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "node.toml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path).supervision
    assert settings.identity_closed is ("identity_closed" in text)


def test_the_directory_comes_from_the_option_then_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("YIXIN_NODE_DIR", str(tmp_path))
    assert node_directory(None) == tmp_path
    assert node_directory(Path("other")) == Path("other")
    monkeypatch.delenv("YIXIN_NODE_DIR")
    assert node_directory(None) == Path("yixin-node")


def test_the_tables_of_the_interface_are_read(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(
        "[interface]\nenabled = true\nmode = 'mirror'\nhost = '0.0.0.0'\nallow_plain = true\n"
        "[interface.signatures]\nH33030200001 = 'keys/h.pem'\n"
        "[gateway]\nupstream = 'https://[::1]:20001'\nhost = '::1'\n",
        encoding="utf-8",
    )
    settings = load_settings(tmp_path)
    assert settings.interface.mode == "mirror"
    assert settings.interface.signatures == {"H33030200001": "keys/h.pem"}
    assert settings.gateway.upstream == "https://[::1]:20001"
