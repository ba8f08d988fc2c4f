"""What needs four eyes (双人复核): one person asks, another one with the role approves.

Rules: an approval is bound to the job, its arguments, the contents of the files they name and the
state of the hub they were asked in; if any of it changed meanwhile, it has to be asked anew.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from hub.domain.members import MemberKind
from hub.domain.roles import Role
from hub.errors import ConfigurationError
from hub.store import grade_runs, incidents, members, operators
from security.encoding import pae

__all__ = ["APPROVERS", "FOUR_EYES", "FourEyes", "bound_digest", "needs_four_eyes"]

Arguments: TypeAlias = Mapping[str, Any]
APPROVERS: Final = frozenset({Role.OFFICER, Role.REVIEWER})
"""Who may be the second pair of eyes."""
_TYPE: Final = "yixin/approval/v1"
_CHUNK: Final = 1 << 20


def _nothing(_connection: Connection, _arguments: Arguments) -> bytes:
    return b""


def _always(_connection: Connection, _arguments: Arguments) -> bool:
    return True


def _graded(connection: Connection, arguments: Arguments) -> bytes:
    """The runs whose grades would be published."""
    runs = grade_runs.latest_runs(connection, str(arguments.get("period", "")))
    return repr(sorted(runs.items())).encode()


def _is_hub(connection: Connection, arguments: Arguments) -> bool:
    found = members.find_member(connection, str(arguments.get("member", "")))
    return found is not None and found.kind is MemberKind.HUB


def _member_status(connection: Connection, arguments: Arguments) -> bytes:
    found = members.find_member(connection, str(arguments.get("member", "")))
    return b"" if found is None else str(found.status).encode()


def _incident(connection: Connection, arguments: Arguments) -> bytes:
    """The open incident of the member."""
    return repr(incidents.find_open(connection, str(arguments.get("member", "")))).encode()


def _two_can_approve(connection: Connection, _arguments: Arguments) -> bool:
    """Whether there is anybody else: the first officer registers the second one alone."""
    return operators.count_active(connection, sorted(APPROVERS)) > 1


def _people(connection: Connection, _arguments: Arguments) -> bytes:
    """Everybody in the register."""
    listed = operators.list_operators(connection)
    return repr([(one.name, str(one.role), one.retired_at_ms) for one in listed]).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class FourEyes:
    """How a job is bound to its approval."""

    applies: Callable[[Connection, Arguments], bool] = _always
    """Whether these arguments need it."""
    state: Callable[[Connection, Arguments], bytes] = _nothing
    """What of the hub's state the approval is bound to."""
    files: tuple[str, ...] = ()
    """Arguments that name files or directories whose contents the approval is bound to."""
    named: tuple[str, ...] = ()
    """Arguments that have to be given: left out, they mean what is newest when the job runs."""


FOUR_EYES: Final[Mapping[str, FourEyes]] = {
    "publish": FourEyes(state=_graded),
    "audit-export": FourEyes(),
    "agreement-sign": FourEyes(files=("terms",)),
    "packs-order": FourEyes(named=("version",)),
    "packs-use": FourEyes(named=("version",)),
    "revoke": FourEyes(applies=_is_hub, state=_member_status),
    "incident-lift": FourEyes(state=_incident),
    "keys-destroy": FourEyes(),
    "log-new-origin": FourEyes(),
    "operator-add": FourEyes(applies=_two_can_approve, state=_people),
    "operator-retire": FourEyes(applies=_two_can_approve, state=_people),
}
"""Jobs that need four eyes while operators are registered."""


def needs_four_eyes(connection: Connection, job: str, arguments: Arguments) -> bool:
    """Whether a job with these arguments needs a second person.

    Raises:
        ConfigurationError: It does, and something is left out that may mean another thing by the
            time the second person approves.
    """
    rule = FOUR_EYES.get(job)
    if rule is None or not rule.applies(connection, arguments):
        return False
    for name in rule.named:
        if not arguments.get(name):
            raise ConfigurationError(
                f"{job} needs a second person, and what is newest may change until then: name it "
                f"with --{name}; `yixin hub packs status` lists what there is."
            )
    return True


def bound_digest(
    connection: Connection, job: str, arguments: Arguments, arguments_digest: bytes
) -> bytes:
    """Digest of all that an approval is bound to.

    Args:
        connection: A reading or writing transaction.
        job: A job of `FOUR_EYES`.
        arguments: Its arguments.
        arguments_digest: Their SHA-256.

    Returns:
        SHA-256 over job, arguments, files and state, 32 bytes.
    """
    rule = FOUR_EYES[job]
    files = [_content(arguments.get(name)) for name in rule.files]
    state = rule.state(connection, arguments)
    return hashlib.sha256(pae(_TYPE, job.encode(), arguments_digest, state, *files)).digest()


def _content(path: object) -> bytes:
    """Digest of a file, or of every file below a directory; empty for what is not there."""
    if not isinstance(path, str):
        return b""
    place = Path(path)
    if place.is_file():
        return _file(place)
    digest = hashlib.sha256()
    for file in sorted(one for one in place.rglob("*") if one.is_file()):
        name = str(file.relative_to(place)).encode(errors="surrogateescape")
        digest.update(pae(_TYPE, name, _file(file)))
    return digest.digest()


def _file(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.digest()
