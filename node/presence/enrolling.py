"""The desk of templates (人脸模板): enrolled with consent, found one to one, searched one to many.

Rules:
- A template is found for a purpose that was consented to, for the person who was named, and under
  the transform in force; a proxy's only while the registration counts.
- Who is enrolled again has to look like before: another face, and any face where no threshold
  says so, takes a person's place only after the node's operator has revoked the old template.
- A search over many is off until `[faces] identify` is on; every search is in the log of
  operators: which terminal, what for, how many were searched and found.
- Nothing here takes a picture: vectors come from terminals, already transformed.
"""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final

from node.domain.face_templates import NewProxy, NewTemplate, Purpose, Subject
from node.edge_settings import FaceSettings
from node.errors import TemplateError
from node.presence.enrolment import Enrolment, join_vectors, parse_vectors, read_text
from node.presence.gallery import TemplateGallery
from node.presence.thresholds import known_manifest, search_threshold, threshold_at
from node.store import NodeStore
from node.store.by import By
from node.store.transforms import Transform
from scoring_kernel.faces.arrays import FloatVector
from scoring_kernel.faces.matching import pack_vector, score_e4
from scoring_kernel.faces.verdict import Cause
from security.moments import SHANGHAI, to_ms, to_text

__all__ = ["Enrolled", "Identified", "Probe", "ProtectedTemplate", "TemplateDesk"]

SEARCH: Final = "identify"
"""Action and subject of a search in the log of operators."""
_MAX_PURPOSE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedTemplate:
    """A template as a terminal gets it."""

    person: str = field(repr=False)
    id: bytes
    model: bytes
    epoch: int
    vector: bytes = field(repr=False)
    """float32, little-endian, unit length, transformed."""
    expires_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What became of an enrolment."""

    id: bytes
    resembles: tuple[bytes, ...] = ()
    """Templates of others that a search found; told where searches are on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A search as it came, with the terminal that sent it."""

    model: bytes
    epoch: int
    vector: bytes = field(repr=False)
    """float32, little-endian, unit length, transformed."""
    count: int
    """Most candidates."""
    purpose: str
    """In words, for the log."""
    device: str
    institution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a search found."""

    candidates: tuple[tuple[str, int], ...] = field(repr=False)
    """Persons and scores in ten-thousandths, best first."""
    searched: int


class TemplateDesk:
    """Templates of one node; safe to share between threads."""

    def __init__(self, store: NodeStore, settings: FaceSettings) -> None:
        """Take the store.

        Args:
            store: The node's store.
            settings: What is allowed, and for how long.
        """
        self._store: Final = store
        self._templates: Final = store.edge.templates
        self._settings: Final = settings
        self._gallery: Final = TemplateGallery(store.edge.templates)

    def prepare(self, now: datetime) -> None:
        """Have the vectors ready for the first search, where searches are on.

        Raises:
            TemplateError: A template was changed on disk.
            VaultError: One does not open.
        """
        if self._settings.identify:
            day = now.astimezone(SHANGHAI).date()
            for model in {one.model for one in self._templates.counts(day) if one.active}:
                self._gallery.size(model, day)

    def transform(self, now: datetime) -> Transform:
        """Give the transform in force, making the first one where there is none.

        Raises:
            VaultError: Its key does not open.
        """
        return self._templates.transforms.ensure(now.isoformat(timespec="seconds"))

    def enrol(self, asked: Enrolment, now: datetime) -> Enrolled:
        """Enrol a person; what was enrolled of them before is revoked.

        Args:
            asked: As it came.
            now: The time, UTC-aware.

        Raises:
            TemplateError: The first thing that is wrong; nobody was enrolled.
        """
        subject, purposes = asked.verify(now)
        vectors = parse_vectors(asked.vectors, self._dimension(asked.model))
        self._verify_epoch(asked.epoch, now)
        threshold = threshold_at(self._store, self._settings, asked.model, asked.institution)
        vector = join_vectors(vectors, threshold)
        by = By(operator=asked.operator, at=now)
        self._verify_likeness(asked, vector, threshold, by)
        resembles = self._resembling(asked, vector, by)
        made = _new(asked, (subject, purposes), vector, by, self._settings.template_days)
        (template,) = self._templates.enrol([made], by, self._settings.template_days)
        if resembles:
            words = ", ".join(one.hex() for one in resembles)
            self._store.desk.note(by.entry("template_resembles", template.hex(), words))
        return Enrolled(id=template, resembles=resembles)

    def find(
        self, person: str, purpose: Purpose, model: bytes, now: datetime, *, proxy: str = ""
    ) -> ProtectedTemplate | Cause:
        """Find what a person at a terminal is compared with.

        Args:
            person: psn_no, or code of a staff member.
            purpose: What for.
            model: SHA-256 of the embedding model that the terminal runs.
            now: The time, UTC-aware.
            proxy: psn_no of a proxy who came instead.

        Returns:
            The template, or why there is none: no template, or one of another model.

        Raises:
            TemplateError: The row was changed on disk.
            VaultError: It does not open.
        """
        day = now.astimezone(SHANGHAI).date()
        if proxy and not (
            purpose is Purpose.VISIT and self._templates.proxies.in_force(person, proxy, day)
        ):
            return Cause.NO_TEMPLATE
        whose = proxy or person
        found = self._templates.find(whose, model, day)
        if found is None:
            other = self._templates.has_any(whose, day)
            return Cause.OTHER_MODEL if other else Cause.NO_TEMPLATE
        if purpose not in found.row.purposes:
            return Cause.NO_TEMPLATE
        ends = datetime.combine(found.row.expires_on, time(), SHANGHAI)
        return ProtectedTemplate(
            person=whose,
            id=found.row.id,
            model=model,
            epoch=found.epoch,
            vector=pack_vector(found.vector),
            expires_at_ms=to_ms(ends),
        )

    def identify(self, asked: Probe, now: datetime) -> Identified:
        """Search all templates for visits for a face.

        Args:
            asked: As it came.
            now: The time, UTC-aware.

        Raises:
            TemplateError: Searches are off, nothing is calibrated for them, or the search is
                malformed.
        """
        if not self._settings.identify:
            raise TemplateError(
                "one-to-many search is off at this node; verify a named person, or set "
                "identify = true in [faces] of node.toml after the security officer's decision"
            )
        read_text(asked.purpose, "purpose", _MAX_PURPOSE)
        if not 1 <= asked.count <= self._settings.identify_max:
            raise TemplateError(
                f"found count {asked.count}, expected 1 to {self._settings.identify_max} candidates"
            )
        self._verify_epoch(asked.epoch, now)
        (probe,) = parse_vectors((asked.vector,), self._dimension(asked.model))
        by = By(operator=asked.device, at=now)
        ids, searched = self._search(asked, probe, asked.count, by)
        persons = {one.row.id: one.person for one in self._templates.opened([i for i, _ in ids])}
        candidates = tuple((persons[one], score) for one, score in ids if one in persons)
        return Identified(candidates=candidates, searched=searched)

    def close(self) -> None:
        """Give the memory of searches back."""
        self._gallery.close()

    def _verify_likeness(
        self, asked: Enrolment, vector: FloatVector, threshold_e4: int | None, by: By
    ) -> None:
        """Refuse another face than the one that is enrolled, and any where nobody can tell."""
        held = self._templates.find(asked.person, asked.model, by.day)
        if held is None:
            return
        known = known_manifest(asked.model)
        if threshold_e4 is None and known is not None:
            # No verdict rests on it: it only keeps a stranger out.
            threshold_e4 = known.default_threshold_e4
        if threshold_e4 is None:
            problem = "nobody can tell, without a calibration of the site, whether it is the face"
        elif score_e4(vector, held.vector) < threshold_e4:
            problem = "found another face than that"
        else:
            return
        raise TemplateError(
            f"{problem} of the template {held.row.id.hex()}; if it is the person, revoke that one "
            "at the node and enrol then: yixin node faces revoke PERSON --reason TEXT; nobody was "
            "enrolled"
        )

    def _search(
        self, asked: Probe, probe: FloatVector, limit: int, by: By
    ) -> tuple[tuple[tuple[bytes, int], ...], int]:
        size = self._gallery.size(asked.model, by.day)
        threshold = search_threshold(self._store, asked.model, asked.institution, size)
        found = self._gallery.search(asked.model, probe, threshold, limit, by.day)
        words = f"{asked.purpose}; {size} searched; {len(found)} candidates; {asked.device}"
        self._store.desk.note(by.entry(SEARCH, SEARCH, words))
        return found, size

    def _resembling(self, asked: Enrolment, vector: FloatVector, by: By) -> tuple[bytes, ...]:
        """Templates of others that are as like as one person's; only where searches are on."""
        if not self._settings.identify:
            return ()
        probe = Probe(
            model=asked.model,
            epoch=asked.epoch,
            vector=b"",
            count=self._settings.identify_max,
            purpose="enrolment",
            device=asked.device,
            institution=asked.institution,
        )
        try:
            found, _ = self._search(probe, vector, probe.count, by)
        except TemplateError:
            # Searches are on and not calibrated for so many yet: enrolment does not wait for that.
            return ()
        opened = self._templates.opened([one for one, _ in found])
        return tuple(one.row.id for one in opened if one.person != asked.person)

    def _dimension(self, model: bytes) -> int | None:
        manifest = known_manifest(model)
        return self._templates.dimension(model) if manifest is None else manifest.output.size

    def _verify_epoch(self, epoch: int, now: datetime) -> None:
        held = self.transform(now).epoch
        if epoch != held:
            raise TemplateError(
                f"found a vector under transform epoch {epoch}, expected {held}: ask for the "
                "transform in force and try again"
            )


def _new(
    asked: Enrolment,
    what: tuple[Subject, frozenset[Purpose]],
    vector: FloatVector,
    by: By,
    days: int,
) -> NewTemplate:
    expires_on = by.day + timedelta(days=days)
    proxy = None
    if asked.proxy_for:
        proxy = NewProxy(
            person=asked.proxy_for,
            proxy=asked.person,
            begins_on=by.day,
            ends_on=expires_on - timedelta(days=1),
            consent=asked.consent,
        )
    return NewTemplate(
        person=asked.person,
        subject=what[0],
        purposes=what[1],
        consent=asked.consent,
        consent_at=to_text(asked.consent_at_ms),
        model=asked.model,
        epoch=asked.epoch,
        vector=vector,
        device=asked.device,
        expires_on=expires_on,
        proxy=proxy,
    )
