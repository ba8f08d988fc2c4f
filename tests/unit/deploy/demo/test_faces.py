"""The node of the face demonstration is set up by its own settings file, and nothing else in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploy.demo.faces import settled
from deploy.errors import DemoError
from node.config import NodeSettings, load_settings, settings_text

if TYPE_CHECKING:
    from pathlib import Path


def test_the_settings_are_changed_where_they_are_named_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(settled(settings_text(NodeSettings())), encoding="utf-8")
    found, plain = load_settings(tmp_path), NodeSettings()
    assert found == replace(
        plain,
        interface=replace(plain.interface, enabled=True, port=0),
        edge=replace(plain.edge, enabled=True, port=0, enrolment_port=0),
        faces=replace(plain.faces, liveness_required=False, retries=0, timeout_s=5),
    )


@pytest.mark.parametrize("gone", ["[edge]", "\nenrolment_port"])
def test_a_file_without_a_setting_is_told(gone: str) -> None:
    text = settings_text(NodeSettings()).replace(gone, "\n# gone", 1)
    with pytest.raises(DemoError, match=r"no table \[edge\]|no key enrolment_port"):
        settled(text)
