"""Files that an operator asks for: new ones only, in a directory that is there."""

from pathlib import Path

from node.errors import ConfigurationError

__all__ = ["verify_new_file"]


def verify_new_file(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that cannot be made, before work is spent on it.

    Raises:
        ConfigurationError: It is there, of another format, or its directory is missing.
    """
    if path.suffix not in suffixes:
        raise ConfigurationError(
            f"{path.name} is of an unknown format, expected a name that ends in"
            f" {' or '.join(suffixes)}"
        )
    if path.exists():
        raise ConfigurationError(f"{path} exists; nothing was changed. Name a new file.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path.parent} is no directory; make it first.")
