"""Visits of today at one institution: two at the window, one in a bed (人脸核验演示的就诊).

What the institution's system sends of them, in the words of the national interface. Verification
happens now, so these visits do too; they lie outside of the simulated periods.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

from deploy.simulation.city import City, Institution, Person
from deploy.simulation.desk import Calendar, Desk
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.questions import Order, Question, ask
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.stays import Stay, admit, discharge
from deploy.simulation.injected.visits import Visit, visit
from deploy.simulation.visits import DAY_S
from security.moments import SHANGHAI

__all__ = ["FaceVisits"]

_DAYS_BEFORE: Final = 3
"""Of the stay, which began two days ago."""
_FIRST_PERSON: Final = 400_000
_FIRST_CODE: Final = 900_000
"""Beyond all persons and codes of the simulated city."""
_ORDINAL: Final = 8
"""Of these messages among the institution's periods, injected cases (9) among them: no id appears
twice."""
_WINDOW: Final = "1"
"""Scene of 3101: 门诊挂号."""
_BED, _TREATMENT = "01", "05"


@dataclass(slots=True, kw_only=True)
class FaceVisits:
    """The visits, and who comes."""

    institution: Institution
    impersonated: Person
    """Somebody else comes in this person's name."""
    right: Person
    """Comes in person."""
    absent: Person
    """Lies in a bed, by the books."""
    _scene: Scene
    _desk: Desk
    _stay: str = ""
    _visits: tuple[str, str] = ("", "")

    @classmethod
    def today(cls, city: City, now: datetime) -> "FaceVisits":
        """Prepare visits at the county's first hospital with beds.

        Args:
            city: The simulated city.
            now: The moment, UTC-aware.
        """
        today = now.astimezone(SHANGHAI).date()
        first = today - timedelta(days=_DAYS_BEFORE)
        calendar = Calendar(first, today + timedelta(days=1))
        scene = Scene(
            city=city,
            first_day=first,
            calendar=calendar,
            desks={},
            _persons=_FIRST_PERSON,
            _codes=_FIRST_CODE,
        )
        institution = scene.hospitals()[0]
        desk = Desk(institution, calendar, ordinal=_ORDINAL)
        scene.desks = {institution.code: desk}
        return cls(
            institution=institution,
            impersonated=scene.person(),
            right=scene.person(sex="2"),
            absent=scene.person(age=70),
            _scene=scene,
            _desk=desk,
        )

    @property
    def first_day(self) -> str:
        """First day that anything of this is told of, yyyy-mm-dd."""
        return self._scene.first_day.isoformat()

    @property
    def visits(self) -> tuple[str, str]:
        """Ids of the visits at the window: of the impersonated, and of the right person."""
        return self._visits

    def begin(self, now: datetime, path: Path) -> int:
        """Write the admission, and give the visits at the window their ids.

        Args:
            now: The moment.
            path: File to write messages to.

        Returns:
            How many.
        """
        told = self._told_stay(self._second(now))
        self._stay = admit(self._scene, self.institution, self.absent, told)
        self._visits = (self._desk.next_id(), self._desk.next_id())
        return self._write(path)

    def question(self, person: Person, now: datetime) -> bytes:
        """Write what the window asks before it registers somebody (3101).

        Args:
            person: Whom.
            now: The moment.
        """
        asked = Question(
            infno="3101",
            scene=_WINDOW,
            second=self._second(now),
            orders=(Order(code=self._scene.service()),),
        )
        ask(self._scene, self.institution, person, asked)
        return self._scene.requests.pop()[-1]

    def settle(self, now: datetime, path: Path) -> int:
        """Write the rest: both visits are settled, and the stay is discharged and settled.

        Args:
            now: The moment; nothing of it lies later.
            path: File to write messages to.

        Returns:
            How many.
        """
        second = self._second(now)
        for person, mdtrt_id in zip((self.impersonated, self.right), self._visits, strict=True):
            begins = second - HOUR_S
            fee = Fee(code=self._scene.service(), second=begins + 300, category=_TREATMENT)
            one = Visit(begins_s=begins, settled_s=second, mdtrt_id=mdtrt_id)
            visit(self._scene, self.institution, person, one, [fee])
        told = self._told_stay(second)
        fees = [
            Fee(code=self._scene.service(chapter), second=at, category=category, price_fen=4_000)
            for at in range(told.admitted_s + HOUR_S, second, DAY_S)
            for chapter, category in (("11", _BED), ("31", _TREATMENT))
        ]
        discharge(self._scene, self.institution, self.absent, told, fees, mdtrt_id=self._stay)
        return self._write(path)

    def _told_stay(self, second: int) -> Stay:
        """The stay, as if it ended at a moment."""
        begun = (_DAYS_BEFORE - 2) * DAY_S + 9 * HOUR_S
        return Stay(admitted_s=begun, discharged_s=second, settled_s=second)

    def _second(self, now: datetime) -> int:
        local = now.astimezone(SHANGHAI)
        midnight = datetime.combine(self._scene.first_day, time(), SHANGHAI)
        return int((local - midnight).total_seconds())

    def _write(self, path: Path) -> int:
        lines, self._desk.lines = sorted(self._desk.lines), []
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for _, line in lines))
        return len(lines)
