"""People with face vectors at a node: enrolled as a terminal would, and thresholds for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from node.edge_settings import FaceSettings
from node.presence.enrolling import Probe, TemplateDesk
from node.presence.enrolment import Enrolment
from node.store.by import By
from node.store.calibrations import CalibrationUse
from scoring_kernel.faces.calibration import Calibration
from scoring_kernel.faces.error_rates import Rate
from scoring_kernel.faces.fitting import CalibrationResult, Method, Operating
from scoring_kernel.faces.matching import pack_vector
from scoring_kernel.faces.transform import protect, transform_matrix
from security.moments import to_ms
from tests.support import node_messages as m

if TYPE_CHECKING:
    from node.store import NodeStore
    from scoring_kernel.faces.arrays import FloatVector

NOW: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MODEL: Final = b"\x07" * 32
DIMENSION: Final = 64
DEVICE: Final = f"yixin-device://{m.HOSPITAL}/window/w3"
PERSON: Final = m.PERSON
CLERK: Final = By(operator="li", at=NOW, why="test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A terminal that has heard the transform in force."""

    desk: TemplateDesk
    model: bytes = MODEL

    def protected(self, *vectors: FloatVector) -> tuple[bytes, ...]:
        """Vectors as they go over the wire."""
        key = self.desk.transform(NOW).key
        rows = protect(np.stack(vectors), transform_matrix(key, len(vectors[0])))
        return tuple(pack_vector(row) for row in rows)

    def enrolment(self, person: str, *vectors: FloatVector) -> Enrolment:
        """An enrolment of an insured person, with consent."""
        return Enrolment(
            person=person,
            subject="insured",
            purposes=("visit", "bed_check"),
            consent="2026-0117",
            consent_at_ms=to_ms(datetime(2020, 1, 17, tzinfo=UTC)),
            model=self.model,
            epoch=self.desk.transform(NOW).epoch,
            vectors=self.protected(*vectors),
            operator="li",
            device=DEVICE,
            institution=m.HOSPITAL,
        )

    def enrol(self, person: str, *vectors: FloatVector, now: datetime = NOW) -> bytes:
        """Enrol an insured person; gives the id."""
        return self.desk.enrol(self.enrolment(person, *vectors), now).id

    def probe(self, vector: FloatVector, count: int = 5) -> Probe:
        """A search for a face."""
        return Probe(
            model=self.model,
            epoch=self.desk.transform(NOW).epoch,
            vector=self.protected(vector)[0],
            count=count,
            purpose="入口识别",
            device=DEVICE,
            institution=m.HOSPITAL,
        )


def terminal(store: NodeStore, **settings: object) -> Terminal:
    """A terminal at a node with some settings."""
    return Terminal(desk=TemplateDesk(store, replace(FaceSettings(), **settings)))  # type: ignore[arg-type]


def calibration(
    threshold_e4: int = 5_000,
    *,
    far_e6: int = 1_000,
    model: bytes = MODEL,
    site: str = m.HOSPITAL,
    seed: int = 1,
) -> Calibration:
    """A calibration with a threshold, as one of many pairs would be."""
    impostor = -(-3_000_000 // far_e6)
    operating = Operating(
        threshold_e4=threshold_e4,
        tar=Rate(count=90, of=100, low_e6=800_000, high_e6=950_000),
        far=Rate(count=0, of=impostor, low_e6=0, high_e6=far_e6),
    )
    result = CalibrationResult(
        target_far_e6=far_e6,
        point=operating,
        low_e4=threshold_e4,
        cautious=operating,
        confidence_e4=9_500,
        method=Method.PAIRS,
        rounds=0,
        subjects=None,
        groups=(),
    )
    return Calibration(
        model=model,
        pipeline=None,
        site=site,
        result=result,
        cautious=True,
        gated={},
        source=b"\x03" * 32,
        seed=seed,
        release="0.1.0",
        made_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def calibrate_site(
    store: NodeStore,
    threshold_e4: int = 5_000,
    *,
    far_e6: int = 1_000,
    use: CalibrationUse = CalibrationUse.VERIFY,
) -> None:
    """Put a threshold in force at the hospital."""
    store.edge.calibrations.put(calibration(threshold_e4, far_e6=far_e6), use, CLERK)
