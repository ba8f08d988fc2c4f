"""The authorisation table (授权表) of a node: every job and every route has one row.

Whoever reaches the command socket is the owner of the node's directory: the socket's mode and the
kernel see to that. Whoever reaches the interface is an institution's system; it may hand messages
in at the paths of the national interface, and asks for nothing else. What has no row is refused.
Tests compare the rows with the node's jobs and with the paths its application answers.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

from node.api.his import UNIFORM_PATH
from node.errors import ConfigurationError
from security.progress import ProgressReporter

__all__ = ["JOB_AUDIENCE", "Audience", "permitted", "routes"]

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result]


class Audience(StrEnum):
    """Who a row is for."""

    OWNER = "owner"
    """Owner of the node's directory, on this machine (节点操作员)."""
    CHILD = "child"
    """A process that the daemon started: it works through the same socket."""
    INSTITUTION = "institution"
    """An institution's system, through the national interface (定点医药机构)."""


JOB_AUDIENCE: Final[Mapping[str, Audience]] = {
    **dict.fromkeys(
        (
            *("ingest", "prescore", "explain", "sync", "status", "retain"),
            *("quarantine", "quarantine_show", "quarantine_reveal", "quarantine_fix"),
            *("quarantine_replay", "quarantine_export", "codes", "codes_import", "export"),
            *("renew", "receipts"),
            *("packs-turn", "packs-fetch", "packs-status"),
            *("completeness", "proof", "operations"),
            *("keys", "keys_rotate", "keys_destroy", "keys_protect"),
            *("rules_show", "rules_explain", "knowledge", "knowledge_import"),
            *("clues", "clues_send", "clues_desks", "clues_key"),
            *("device_token", "devices", "device_show", "device_revoke"),
            *("faces_status", "faces", "faces_revoke", "faces_delete", "faces_rekey"),
            *("faces_export", "faces_identify_log"),
            *("proxies", "proxy_add", "proxy_end"),
            *("calibrations", "calibration_import", "calibration_end"),
            *("presence", "presence_report", "presence_round", "presence_override"),
        ),
        Audience.OWNER,
    ),
    **dict.fromkeys(
        (
            *("night_begin", "night_end"),
            *("rules_begin", "rules_keep", "rules_sweep", "rules_note", "rules_end"),
        ),
        Audience.CHILD,
    ),
}
"""Audience by job."""


def permitted(jobs: Mapping[str, Job]) -> Mapping[str, Job]:
    """Refuse the jobs that have no row.

    Args:
        jobs: Jobs by name.

    Returns:
        The same names; a job without a row raises ``ConfigurationError`` when it is called.
    """
    return {name: job if name in JOB_AUDIENCE else _refusing(name) for name, job in jobs.items()}


def routes(paths: Iterable[str]) -> Mapping[tuple[str, str], Audience]:
    """Rows for the routes of the interface.

    Args:
        paths: Paths of single transactions, from the catalogue of the interface.

    Returns:
        Audience by method and path.
    """
    return dict.fromkeys((("POST", path) for path in (UNIFORM_PATH, *paths)), Audience.INSTITUTION)


def _refusing(name: str) -> Job:
    def refuse(_arguments: Result, _progress: ProgressReporter) -> Result:
        raise ConfigurationError(
            f"The authorisation table has no row for the job {name!r}, so nobody may have it run; "
            "a row belongs into node/api/authorisation.py."
        )

    return refuse
