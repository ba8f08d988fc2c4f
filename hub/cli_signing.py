"""``--as NAME --key FILE``: whose command it is. Once for every command of a hub."""

import os
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer._click import Context
from typer.core import TyperGroup

from hub.clock import utc_now
from security.moments import to_ms

__all__ = ["SigningGroup", "signed", "signing_options"]

NAME_VARIABLE: Final = "YIXIN_OPERATOR"
KEY_VARIABLE: Final = "YIXIN_OPERATOR_KEY"
_AS: Final = "--as"
_KEY: Final = "--key"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signer:
    name: str
    key: str


_SIGNER: Final[ContextVar[_Signer | None]] = ContextVar("yixin_signer", default=None)


class SigningGroup(TyperGroup):
    """A group that also takes ``--as NAME --key FILE``, side by side, behind its commands."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Move the pair to the front, where the group's own options stand."""
        if _AS in args:
            at = args.index(_AS)
            length = 4 if args[at + 2 : at + 3] == [_KEY] else 2
            args = [*args[at : at + length], *args[:at], *args[at + length :]]
        return super().parse_args(ctx, args)


def signing_options(
    context: typer.Context,
    *,
    name: Annotated[
        str,
        typer.Option(
            _AS, metavar="NAME", envvar=NAME_VARIABLE, help="Who gives the command: signs it."
        ),
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            _KEY, metavar="FILE", envvar=KEY_VARIABLE, help="Key of that person, mode 0600."
        ),
    ] = "",
) -> None:
    """Keep whose command it is until it ends."""
    token = _SIGNER.set(_Signer(name=name, key=key))
    context.call_on_close(lambda: _SIGNER.reset(token))


def signed(hub: str, job: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Sign a command where somebody's name was given.

    Args:
        hub: Member id of the hub it is given to.
        job: Name of the job.
        arguments: Its arguments.

    Returns:
        The arguments, together with the signature if there is a name.

    Raises:
        KeyFileError: The key file is missing, damaged, open to others, or the passphrase wrong.
        ConfigurationError: A name was given without a key.
    """
    signer = _SIGNER.get() or _Signer(
        name=os.environ.get(NAME_VARIABLE, ""), key=os.environ.get(KEY_VARIABLE, "")
    )
    if not signer.name:
        return arguments
    from hub.errors import ConfigurationError  # noqa: PLC0415 - keeps --help fast
    from security.operator.commands import sign_command  # noqa: PLC0415 - keeps --help fast
    from security.operator.person_keys import load_person_key  # noqa: PLC0415 - keeps --help fast

    if not signer.key:
        raise ConfigurationError(
            f"{signer.name!r} needs a key to sign with: give --key FILE or set {KEY_VARIABLE}."
        )
    private = load_person_key(Path(signer.key), _ask_passphrase)
    return sign_command(
        private,
        hub=hub,
        name=signer.name,
        job=job,
        arguments=arguments,
        now_ms=to_ms(utc_now()),
    )


def _ask_passphrase() -> str:
    kept = os.environ.get(f"{KEY_VARIABLE}_PASSPHRASE")
    if kept is not None:
        return kept
    return str(typer.prompt("Passphrase", hide_input=True, err=True))
