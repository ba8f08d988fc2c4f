"""Today's visits of the face demonstration go in whole, and nothing of them lies in the future."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from deploy.demo.face_visits import FaceVisits
from deploy.simulation.city import build_city
from node.domain.institutions import Institution
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault

if TYPE_CHECKING:
    from pathlib import Path

CITY = build_city(institutions=60, claims=600, seed=1)


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 11, 23, 1, 30, 15, tzinfo=UTC),
        datetime(2026, 11, 22, 16, 0, 1, tzinfo=UTC),  # A second after midnight in Shanghai.
        datetime(2026, 12, 31, 15, 59, 40, tzinfo=UTC),
    ],
)
def test_visits_are_taken_in_whole(tmp_path: Path, now: datetime) -> None:
    visits = FaceVisits.today(CITY, now)
    later = now + timedelta(seconds=30)  # Past midnight, the last time.
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    counts = (visits.begin(now, before), visits.settle(later, after))
    assert counts == (1, 11)
    code = visits.institution.code
    with closing(NodeStore(tmp_path, Vault(bytes(32)))) as store:
        store.set_institutions([Institution(code=code)])
        for path, moment in ((before, now), (after, later)):
            report = ingest_file(store, load_catalog(), path, now=moment)
            assert report.quarantined == 0
        with closing(store.relations(["settlement", "admission"])) as engine:
            settled = engine.execute("select person, mdtrt_id from settlement").fetchall()
            ((stay, admitted),) = engine.execute(
                "select mdtrt_id, admitted_at from admission where inpatient"
            ).fetchall()
    persons = (visits.impersonated.number, visits.right.number)
    assert dict(settled) == {
        **dict(zip(persons, visits.visits, strict=True)),
        visits.absent.number: stay,
    }
    assert admitted.date().isoformat() > visits.first_day


def test_every_question_is_another_one_about_the_same_person() -> None:
    now = datetime(2026, 11, 23, 1, 30, 15, tzinfo=UTC)
    visits = FaceVisits.today(CITY, now)
    first, second = (
        orjson.loads(visits.question(visits.right, now + timedelta(seconds=at))) for at in (0, 1)
    )
    assert first["infno"] == "3101"
    assert first["msgid"] != second["msgid"]
    patients = [one["input"]["data"]["patient_dtos"][0]["patn_id"] for one in (first, second)]
    assert patients == [visits.right.number] * 2
    assert first["inf_time"] == "2026-11-23 09:30:15"
