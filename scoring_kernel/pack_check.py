"""A pack is opened and its golden vectors are run: what whoever wants to use it has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scoring_kernel.errors import KernelError
from scoring_kernel.golden import run_golden
from scoring_kernel.golden_engine import measure
from scoring_kernel.packs import open_pack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

MAX_FAILURES: Final = 20


def check_pack(contents: Mapping[str, bytes]) -> dict[str, Any]:
    """Open a pack and run its vectors.

    Args:
        contents: Bytes of all files by name.

    Returns:
        Whether it passed, how many vectors were run and which failed; digest of its catalogue
        (hexadecimal), version, first and last day (yyyymmdd, 0 until further notice) and grace.
        What cannot be opened has failed.
    """
    try:
        pack = open_pack(contents)
    except KernelError as error:
        return {
            "passed": False,
            "vectors": 0,
            "failures": [f"open: {error}"],
            "catalog": "",
            "version": "",
            "from_day": 0,
            "to_day": 0,
            "grace_days": 0,
        }
    report = run_golden(pack, measure)
    return {
        "passed": report.passed,
        "vectors": report.vectors,
        "failures": list(report.failures[:MAX_FAILURES]),
        "catalog": pack.catalog.digest.hex(),
        "version": pack.version,
        "from_day": _number(pack.effective_from),
        "to_day": 0 if pack.effective_to is None else _number(pack.effective_to),
        "grace_days": pack.grace_days,
    }


def _number(day: date) -> int:
    return int(day.strftime("%Y%m%d"))
