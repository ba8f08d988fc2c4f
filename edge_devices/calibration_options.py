"""Options of ``yixin device calibrate`` and ``evaluate``, read once into typed values."""

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from edge_devices.errors import DeviceConfigurationError
from scoring_kernel.faces.quality import GateGroup, QualityGate

__all__ = ["gate_of", "millionths", "site_of", "subjects_of", "verify_target"]

_DECIMAL: Final = re.compile(r"(?:0|1)?\.[0-9]{1,9}|[01]")
_RUN: Final = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_SITE: Final = re.compile(r"[HP][0-9]{11}")
_MICRO: Final = 1_000_000


def millionths(text: str, option: str, *, unit: int = _MICRO) -> int:
    """A share such as 0.001 as a whole number of millionths, or of another unit.

    Raises:
        DeviceConfigurationError: Not a share, or finer than the unit.

    >>> millionths("0.001", "--far")
    1000
    """
    value = Decimal(text) * unit if _DECIMAL.fullmatch(text) else None
    if value is None or value != int(value) or not 0 < value <= unit:
        raise DeviceConfigurationError(
            f"{option}: expected a share above 0, at most 1, in steps of 1/{unit}, such as 0.001"
        )
    return int(value)


def gate_of(settings: Sequence[str]) -> QualityGate:
    """The quality gate with some groups put off, each named as ``size=off`` or ``size=on``.

    Raises:
        DeviceConfigurationError: Another form, or no such group.

    >>> sorted(gate_of(["size=off", "pose=off", "pose=on"]).off)
    [<GateGroup.SIZE: 'size'>]
    """
    off: set[str] = set()
    for setting in settings:
        name, _, state = setting.partition("=")
        if name not in set(GateGroup) or state not in {"on", "off"}:
            known = ", ".join(GateGroup)
            raise DeviceConfigurationError(
                f"--gate {setting[:40]}: expected NAME=off or NAME=on, NAME one of {known}"
            )
        (off.add if state == "off" else off.discard)(name)
    return QualityGate().without(*off)


def subjects_of(text: str, option: str) -> tuple[int, ...]:
    """Numbers of subjects such as 1-20 or 1,3,5-9.

    Raises:
        DeviceConfigurationError: Another form, or none.

    >>> subjects_of("1,3,5-7", "--fit")
    (1, 3, 5, 6, 7)
    """
    found: set[int] = set()
    for part in text.split(","):
        run = _RUN.fullmatch(part.strip())
        first = 0 if run is None else int(run[1])
        last = 0 if run is None else int(run[2] or run[1])
        if not 1 <= first <= last:
            raise DeviceConfigurationError(f"{option}: expected numbers such as 1-20 or 1,3,5-9")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def site_of(text: str) -> str:
    """Code of an institution.

    Raises:
        DeviceConfigurationError: It is none.
    """
    if _SITE.fullmatch(text) is None:
        raise DeviceConfigurationError("--site: expected H or P and eleven digits")
    return text


def verify_target(path: Path | None, option: str, *, ending: str, inputs: Sequence[Path]) -> None:
    """Refuse a place for a result before work begins.

    Args:
        path: Where it is to go; None where it is not asked for.
        option: The option that names it.
        ending: Ending that its name has.
        inputs: Files that must not be lost.

    Raises:
        DeviceConfigurationError: Another ending, an input, no file, or in no directory.
    """
    if path is None:
        return
    if path.suffix.lower() != ending:
        raise DeviceConfigurationError(f"{option} {path}: expected a name that ends in {ending}")
    if not path.resolve().parent.is_dir():
        raise DeviceConfigurationError(
            f"{option} {path}: its directory is not there: make it first"
        )
    if path.exists() and not path.is_file():
        raise DeviceConfigurationError(f"{option} {path}: not a file that could be replaced")
    if any(one.resolve() == path.resolve() for one in inputs):
        raise DeviceConfigurationError(f"{option} {path}: this is an input, which would be lost")
