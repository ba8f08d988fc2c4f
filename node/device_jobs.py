"""The jobs over the devices of a node, JSON objects in and out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.config import load_settings
from node.device_enrolment import issue_token
from node.errors import ConfigurationError
from node.store import NodeStore
from node.store.device_rows import DeviceKind, DeviceRow, DeviceState
from node.store.operator_log import LogEntry
from security.devices import parse_device_id
from security.moments import to_text
from security.progress import ProgressReporter

__all__ = ["READERS", "DeviceJobs"]

Result = dict[str, Any]
READERS: Final = ("devices", "device_show")
"""Jobs that change nothing."""
_LOG_ENTRIES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceJobs:
    """The jobs over one node."""

    directory: Path
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "device_token": self.token,
            "devices": self.listing,
            "device_show": self.show,
            "device_revoke": self.revoke,
        }

    def token(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Expect a device, and make its one-use token."""
        try:
            name = parse_device_id(
                f"yixin-device://{arguments['institution']}/{arguments['place']}/"
                f"{arguments['name']}"
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        kind = next((one for one in DeviceKind if one == arguments["kind"]), None)
        if kind is None:
            raise ConfigurationError(
                f"{arguments['kind'][:40]!r} is no kind of device, expected one of "
                f"{', '.join(DeviceKind)}"
            )
        token = issue_token(
            self.store,
            load_settings(self.directory).edge,
            name,
            kind=kind,
            minutes=arguments["minutes"],
            operator=_operator(arguments),
            now=self.now(),
        )
        return {
            "device": token.device,
            "kind": kind.value,
            "enrolment_address": token.enrolment_address,
            "expires_at": to_text(token.expires_at_ms),
            "token": token.encode(),
        }

    def listing(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """The devices, and what of their queues is lost."""
        return {"rows": [self._told(row) for row in self.store.edge.devices.rows()]}

    def show(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """One device with its queues, its health and what was done to it."""
        row = self._find(arguments["device"])
        devices = self.store.edge.devices
        return {
            **self._told(row),
            "signing_key": row.signing_key.hex(),
            "made_at": row.made_at,
            "revoked_at": row.revoked_at,
            "model": row.model.hex(),
            "pipeline": row.pipeline.hex(),
            "memory_mib": row.health.memory_mib,
            "faults": list(row.health.faults),
            "queues": [
                {
                    "queue": one.queue.hex(),
                    "through": one.through,
                    "begun_at": one.begun_at,
                    "lost": one.lost,
                }
                for one in devices.queues(row.id)
            ],
            "log": [
                {
                    "at": one.at,
                    "operator": one.operator,
                    "action": one.action,
                    "detail": one.detail,
                }
                for one in self.store.desk.entries(_LOG_ENTRIES, row.id)
            ],
        }

    def revoke(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Refuse a device from now on."""
        row = self._find(arguments["device"])
        reason = str(arguments["reason"]).strip()
        if not reason:
            raise ConfigurationError("a reason is missing; say why with --reason TEXT")
        if row.state is DeviceState.REVOKED:
            raise ConfigurationError(f"{row.id} was revoked on {row.revoked_at}; nothing was done")
        now = self.now()
        entry = LogEntry(
            at=now.isoformat(timespec="seconds"),
            operator=_operator(arguments),
            action="device_revoke",
            subject=row.id,
            detail=reason,
        )
        self.store.edge.devices.revoke(row.id, now, entry)
        return {"device": row.id, "state": DeviceState.REVOKED.value}

    def _told(self, row: DeviceRow) -> Result:
        queues = self.store.edge.devices.queues(row.id)
        return {
            "device": row.id,
            "place": row.place.value,
            "kind": row.kind.value,
            "state": row.state.value,
            "certified_until": row.certified_until,
            "seen_at": row.seen_at,
            "version": row.version,
            "lost": sum(one.lost for one in queues),
        }

    def _find(self, named: str) -> DeviceRow:
        rows = self.store.edge.devices.rows()
        found = [row for row in rows if named in (row.id, row.name)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(row.id for row in found[:10])
            raise ConfigurationError(
                f"{len(found)} devices are called {named[:40]!r}, expected one; name it by its id: "
                f"{ids}"
            )
        raise ConfigurationError(
            f"no device is called {named[:120]!r}; see those that are with: yixin node device list"
        )


def _operator(arguments: Result) -> str:
    operator = str(arguments.get("operator") or "").strip()
    if not operator:
        raise ConfigurationError("no login name found: name yourself with --operator")
    return operator
