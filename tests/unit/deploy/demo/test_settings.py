"""A node of the demonstration is set up by its own settings file, and nothing else in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploy.demo.settings import change_settings
from deploy.errors import DemoError
from node.config import NodeSettings, load_settings, settings_text

if TYPE_CHECKING:
    from pathlib import Path


def test_the_settings_are_changed_where_they_are_named_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(settings_text(NodeSettings()), encoding="utf-8")
    plain = NodeSettings()
    change_settings(path, {"interface": {"enabled": "true", "port": "0"}})
    change_settings(path, {"gateway": {"upstream": '"http://127.0.0.1:1"', "port": "0"}})
    hospital = replace(
        plain,
        interface=replace(plain.interface, enabled=True, port=0),
        gateway=replace(plain.gateway, upstream="http://127.0.0.1:1", port=0),
    )
    assert load_settings(tmp_path) == hospital
    change_settings(path, {"edge": {"enabled": "true", "enrolment_port": "0"}})
    edge = replace(plain.edge, enabled=True, enrolment_port=0)
    assert load_settings(tmp_path) == replace(hospital, edge=edge)


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"none": {"port": "0"}}, r"no table \[none\]"),
        ({"sync": {"port": "0"}}, r"\[sync\] of node.toml has no key port"),
    ],
)
def test_a_file_without_a_setting_is_told(
    tmp_path: Path, tables: dict[str, dict[str, str]], told: str
) -> None:
    path = tmp_path / "node.toml"
    path.write_text(settings_text(NodeSettings()), encoding="utf-8")
    with pytest.raises(DemoError, match=told):
        change_settings(path, tables)
    assert load_settings(tmp_path) == NodeSettings()
