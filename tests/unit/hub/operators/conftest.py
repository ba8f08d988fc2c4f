from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.operators import Desk, Person

if TYPE_CHECKING:
    from tests.support.hub_city import City


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A hub with an officer, a reviewer, an operator and an auditor."""

    desk: Desk
    li: Person
    wang: Person
    zhao: Person
    sun: Person


@pytest.fixture
def desk(city: City) -> Desk:
    return Desk(city)


@pytest.fixture
def office(desk: Desk) -> Office:
    li, wang, zhao, sun = (Person.named(name) for name in ("li", "wang", "zhao", "sun"))
    desk.register(li, "officer")
    desk.register(zhao, "operator", by=li)
    desk.register(sun, "auditor", by=li)
    desk.register(wang, "reviewer", by=li)
    return Office(desk=desk, li=li, wang=wang, zhao=zhao, sun=sun)
