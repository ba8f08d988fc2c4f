"""Settings and files of a link desk: ``desk.toml`` in its state directory.

Unknown keys are refused, every bound is checked on load. Default bind is loopback.
"""

import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from hub.config import usable
from hub.errors import ConfigurationError, NotInitialisedError
from security.members import is_member_id
from security.private_files import write_private

SETTINGS_FILE: Final = "desk.toml"
LOCK_FILE: Final = "desk.lock"
SERVE_FILE: Final = "serve.json"
DATABASE_FILE: Final = "desk.db"
KEYS: Final = "keys"
"""Directory of the halves; backups leave it out."""
TRUST: Final = "trust"
"""Directory with the anchors of hubs whose nodes may be registered."""
VAULT_KEY: Final = "vault.key"
TLS_KEY: Final = "tls.key"
TLS_CERTIFICATE: Final = "tls.pem"
MAX_SETTINGS_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """Table ``[desk]``."""

    member: str
    """Member id of who runs the desk: a hub or a department. Fixed by ``yixin hub desk init``."""
    port: int
    """Port to listen on, 1 to 65535; cards name it, so it stays."""
    bind: str = "127.0.0.1"
    """Address to listen on."""
    advertised_host: str = "localhost"
    """Host name in the desk's card and certificate. Fixed by ``yixin hub desk init``."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not is_member_id(self.member) or "/node/" in self.member:
            raise ConfigurationError(
                f"desk.member is {self.member[:120]!r}, expected the member id of a hub or a "
                "department, such as yixin://330000/hub/province."
            )
        if not 1 <= self.port <= 65_535:
            raise ConfigurationError(f"desk.port is {self.port}, expected 1 to 65535.")
        for name in ("bind", "advertised_host"):
            if not 1 <= len(getattr(self, name)) <= 253:
                raise ConfigurationError(f"desk.{name} has to be a host or an address.")

    @property
    def address(self) -> str:
        """host:port as nodes are told."""
        host = self.advertised_host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def write_desk_settings(directory: Path, settings: DeskSettings) -> None:
    """Write the ``desk.toml`` of a new desk.

    Raises:
        KeyFileError: The file is already there.
    """
    lines = ["[desk]"]
    lines += [
        f"{item.name} = {json.dumps(getattr(settings, item.name))}" for item in fields(DeskSettings)
    ]
    write_private(directory / SETTINGS_FILE, ("\n".join(lines) + "\n").encode())


def load_desk_settings(directory: Path) -> DeskSettings:
    """Read ``desk.toml``.

    Raises:
        NotInitialisedError: The directory holds no desk.
        ConfigurationError: The file is too large, not TOML, or holds an unknown key or a value of
            the wrong type or out of bounds.
    """
    path = directory / SETTINGS_FILE
    with usable(path):
        if not path.is_file():
            raise NotInitialisedError(
                f"Found no {path}; make a desk with `yixin hub desk init {directory} …`, or name "
                "its directory with --dir."
            )
        with path.open("rb") as file:
            raw = file.read(MAX_SETTINGS_BYTES + 1)
    if len(raw) > MAX_SETTINGS_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_SETTINGS_BYTES} bytes; shorten it.")
    try:
        document = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}; correct it.") from error
    table = document.get("desk")
    known = {item.name: int if item.name == "port" else str for item in fields(DeskSettings)}
    if document.keys() != {"desk"} or not isinstance(table, dict) or not table.keys() <= set(known):
        raise ConfigurationError(
            f"{path}: expected one table [desk] with the keys {', '.join(known)} and no other."
        )
    for key, value in table.items():
        if type(value) is not known[key]:
            raise ConfigurationError(f"{path}: desk.{key} must be a {known[key].__name__}.")
    if not {"member", "port"} <= table.keys():
        raise ConfigurationError(f"{path}: [desk] lacks member or port; restore the file.")
    return DeskSettings(**table)
