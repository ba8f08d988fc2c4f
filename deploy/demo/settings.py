"""Settings of a node, changed for the demonstration in the file that ``yixin node init`` wrote."""

import re
from collections.abc import Mapping
from pathlib import Path

from deploy.errors import DemoError

__all__ = ["change_settings"]


def change_settings(path: Path, tables: Mapping[str, Mapping[str, str]]) -> None:
    """Change settings of a node, each in its own table.

    Args:
        path: Its settings file.
        tables: Values as TOML writes them, by table and key.

    Raises:
        DemoError: A table or a key is not there.
    """
    text = path.read_text(encoding="utf-8")
    for table, values in tables.items():
        head, found, rest = text.partition(f"\n[{table}]")
        if not found:
            raise DemoError(f"{path.name} has no table [{table}]")
        own, next_table, others = rest.partition("\n[")
        for name, value in values.items():
            line = f"{name} = {value}".replace("\\", r"\\")
            own, changed = re.subn(rf"(?m)^{name} = \S+", line, own, count=1)
            if not changed:
                raise DemoError(f"table [{table}] of {path.name} has no key {name}")
        text = head + found + own + next_table + others
    path.write_text(text, encoding="utf-8")
