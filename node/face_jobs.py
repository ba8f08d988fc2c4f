"""The jobs over face templates: JSON objects in and out.

Persons are named in arguments and in exported files alone; no result and no log entry names one.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from node.config import load_settings
from node.domain.face_templates import TemplateRow
from node.edge_settings import FaceSettings
from node.errors import ConfigurationError, TemplateError
from node.presence.enrolling import SEARCH
from node.presence.enrolment import read_number, read_text
from node.presence.person_export import export_person
from node.presence.rekeying import rekey
from node.presence.thresholds import known_manifest
from node.store import NodeStore
from node.store.by import By
from security.moments import SHANGHAI
from security.progress import ProgressReporter

__all__ = ["READERS", "FaceJobs", "by_operator"]

Result: TypeAlias = dict[str, Any]
READERS: Final = ("faces_status", "faces", "faces_identify_log")
"""Jobs that change nothing."""
FILING_PERSONS: Final = 100_000
"""From so many persons on, their storage is filed with the province's cyberspace administration.

Legal basis: 人脸识别技术应用安全管理办法 (2025-06-01); basis: unchecked.
"""
_MAX_REASON: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceJobs:
    """The jobs over the templates of one node."""

    directory: Path
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "faces_status": self.status,
            "faces": self.listing,
            "faces_revoke": self.revoke,
            "faces_delete": self.delete,
            "faces_rekey": self.rekey,
            "faces_export": self.export,
            "faces_identify_log": self.identify_log,
        }

    def status(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """How many templates there are, of which models, and under which transform."""
        templates, settings = self.store.edge.templates, self._settings()
        day = self.now().astimezone(SHANGHAI).date()
        newest, counts = templates.transforms.newest(), templates.counts(day)
        persons = templates.persons(day)
        return {
            "persons": persons,
            "templates": [
                {
                    "model": model_name(one.model),
                    "subject": one.subject.value,
                    "active": one.active,
                    "revoked": one.revoked,
                }
                for one in counts
            ],
            "transform_epoch": None if newest is None else newest.epoch,
            "older_transform": sum(one.older for one in counts),
            "proxies": templates.proxies.count(day),
            "calibrations": len(self.store.edge.calibrations.kept()),
            "identify": settings.identify,
            "template_days": settings.template_days,
            "to_be_filed": persons >= FILING_PERSONS,
        }

    def listing(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Templates without their vectors, newest first; of one person or of all."""
        person = arguments.get("person")
        rows = self.store.edge.templates.rows(person, arguments["limit"])
        return {"rows": [_listed(row) for row in rows]}

    def revoke(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Revoke a person's templates."""
        by = by_operator(arguments, self.now(), reason_needed=True)
        templates = self.store.edge.templates
        days = self._settings().template_days
        return {"revoked": templates.revoke(_person(arguments), by, days)}

    def delete(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Delete a person's templates, and pictures of their face, for good."""
        by = by_operator(arguments, self.now(), reason_needed=True)
        edge, person = self.store.edge, _person(arguments)
        pictures = edge.presence.drop_pictures(edge.templates.digest(person), by)
        return {"deleted": edge.templates.delete(person, by), "pictures": pictures}

    def rekey(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Put all templates under a new transform, or end a re-keying that was interrupted."""
        by = by_operator(arguments, self.now())
        resume = bool(arguments.get("resume"))
        epoch, count = rekey(self.store.edge.templates, by, resume=resume, progress=progress)
        return {"epoch": epoch, "templates": count}

    def export(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Write all that is stored about a person's face into a new file."""
        by = by_operator(arguments, self.now())
        path = Path(arguments["file"])
        return asdict(export_person(self.store, _person(arguments), path, by))

    def identify_log(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Searches of one face among many, newest first."""
        entries = self.store.desk.entries(arguments["limit"], SEARCH)
        return {
            "rows": [
                {"at": one.at, "operator": one.operator, "search": one.detail} for one in entries
            ]
        }

    def _settings(self) -> FaceSettings:
        return load_settings(self.directory).faces


def by_operator(arguments: Result, now: datetime, *, reason_needed: bool = False) -> By:
    """Who runs a job, and why.

    Args:
        arguments: With ``operator`` and perhaps ``reason``.
        now: The time, UTC-aware.
        reason_needed: Whether the job is refused without a reason.

    Raises:
        ConfigurationError: Nobody is named.
        TemplateError: There is no reason, or it is too long.
    """
    operator = arguments.get("operator") or ""
    if not operator:
        raise ConfigurationError("no login name found: name yourself with --operator")
    reason = arguments.get("reason") or ""
    if reason_needed or reason:
        try:
            read_text(reason, "reason", _MAX_REASON)
        except TemplateError as error:
            raise TemplateError(
                f"found a reason of {len(reason)} characters, expected 1 to {_MAX_REASON} on one "
                "line: give it with --reason; nothing was changed"
            ) from error
    return By(operator=operator, at=now, why=reason)


def model_name(model: bytes) -> str:
    """Name a model for people: its id where the program knows it, with its first digits."""
    manifest = known_manifest(model)
    short = model.hex()[:12]
    return short if manifest is None else f"{manifest.id} {short}"


def _person(arguments: Result) -> str:
    return read_number(arguments["person"], "person")


def _listed(row: TemplateRow) -> Result:
    return {
        "id": row.id.hex(),
        "subject": row.subject.value,
        "purposes": sorted(one.value for one in row.purposes),
        "model": model_name(row.model),
        "epoch": row.epoch,
        "consent": row.consent,
        "consent_at": row.consent_at,
        "made_at": row.made_at,
        "made_by": row.made_by,
        "device": row.device,
        "expires_on": row.expires_on.isoformat(),
        "revoked_at": row.revoked_at,
    }
