from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.agreements.signing import sign_terms
from hub.agreements.terms import shipped_terms
from hub.sharing_jobs import sharing_room
from hub.store.engine import writing
from tests.support.published import publish_grades
from tests.support.sharing_city import SharingCity

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City


@pytest.fixture
def sharing(city: City, tmp_path: Path) -> SharingCity:
    """A city with published grades; the bank and the police have joined and agreed."""
    publish_grades(city.parts.engine)
    made = SharingCity(city, sharing_room(city.parts), tmp_path)
    made.enrol("bank")
    made.enrol("police")
    shipped = shipped_terms(city.parts.catalog)
    with writing(city.parts.engine) as connection:
        for name in ("bank", "police", "public_query"):
            sign_terms(
                connection,
                city.parts.identity,
                shipped[name],
                parent="",
                officer="王五",
                now_ms=city.clock.ms,
            )
    return made
