"""The counter of one institution: frames messages of the national interface and their answers.

Field names are the interface's own, ``mdtrtarea_admvs`` and ``insuplc_admdvs`` included; optional
fields that would be empty are left out. Money on this wire is yuan with two decimals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from functools import cache
from typing import Final

import orjson

from deploy.simulation.city import Institution, Person
from deploy.simulation.places import CITY_DIVISION
from deploy.simulation.visits import DAY_S

_ACCEPTED, _REFUSED = 0, -1
_ANSWER_DELAY_S: Final = 1


@cache
def _clock(*, separator: str) -> tuple[str, ...]:
    """Texts of every second of a day."""
    return tuple(
        f"{s // 3600:02d}{separator}{s // 60 % 60:02d}{separator}{s % 60:02d}" for s in range(DAY_S)
    )


class Calendar:
    """Texts of the moments of one period, from seconds since its first midnight."""

    def __init__(self, first_day: date, last_day: date) -> None:
        """Prepare the texts of every day.

        Args:
            first_day: First day of the period.
            last_day: Last day of the period.
        """
        self.days = (last_day - first_day).days + 1
        run = [first_day + timedelta(days=n) for n in range(self.days)]
        self._long = [day.isoformat() for day in run]
        self._short = [day.strftime("%Y%m%d") for day in run]

    def day(self, second: int) -> str:
        """Give the day as yyyy-mm-dd."""
        return self._long[second // DAY_S]

    def moment(self, second: int) -> str:
        """Give the moment as yyyy-mm-dd HH:MM:SS."""
        return f"{self._long[second // DAY_S]} {_clock(separator=':')[second % DAY_S]}"

    def compact(self, second: int) -> str:
        """Give the moment as yyyymmddHHMMSS."""
        return f"{self._short[second // DAY_S]}{_clock(separator='')[second % DAY_S]}"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was written, for the manifest and the ground truth."""

    messages: int = 0
    accepted: int = 0
    refused: int = 0
    unanswered: int = 0
    detail_lines: int = 0
    settlements: int = 0
    reversals: int = 0
    medfee_fen: int = 0
    fund_fen: int = 0
    discharges: int = 0
    lists: int = 0
    packs_bought: int = 0
    packs_sold: int = 0
    packs_returned: int = 0
    packs_broken: int = 0
    packs_counted: int = 0
    misconduct: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, count: int = 1) -> None:
        """Count occurrences of a misconduct.

        Args:
            kind: Kind of misconduct.
            count: Occurrences.
        """
        self.misconduct[str(kind)] = self.misconduct.get(kind, 0) + count

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        for part in fields(Tally):
            if part.name != "misconduct":
                value = getattr(self, part.name) + getattr(other, part.name)
                setattr(self, part.name, value)
        for kind, count in other.misconduct.items():
            self.note(kind, count)


@dataclass(slots=True, kw_only=True)
class Work:
    """What the messages of a period say about one doctor."""

    visits: int = 0
    """Settled visits and stays."""
    medfee_fen: int = 0
    """Their charges."""


class Desk:
    """One institution's counter in one period; it numbers and collects messages."""

    def __init__(
        self, institution: Institution, calendar: Calendar, *, ordinal: int, after: int = 0
    ) -> None:
        """Open the counter.

        Args:
            institution: Whose counter.
            calendar: Texts of the period's moments.
            ordinal: Number of the period in the simulation, from 0: ids never repeat.
            after: Messages that another counter of the institution may have sent.
        """
        self.institution = institution
        self.calendar = calendar
        self.tally = Tally()
        self.works: dict[str, Work] = {}
        self.wrong: list[tuple[str, str]] = []
        self.lines: list[tuple[int, bytes]] = []
        self._sequence = after
        self._ids = ordinal * 10_000_000
        self._prefix = f"{institution.division}G{institution.index:05d}"
        self._frame: dict[str, object] = {
            "mdtrtarea_admvs": institution.division,
            "recer_sys_code": "HIS",
            "infver": "V1.0",
            "opter_type": "1",
            "opter": "1001",
            "opter_name": "收费员",
            "fixmedins_code": institution.code,
            "fixmedins_name": institution.name,
        }

    def credit(self, doctor: str, medfee_fen: int) -> None:
        """Count a settled visit or stay as a doctor's work.

        Args:
            doctor: Code of the doctor.
            medfee_fen: What it charged, fen.
        """
        work = self.works.setdefault(doctor, Work())
        work.visits += 1
        work.medfee_fen += medfee_fen

    def note(self, kind: str, mdtrt_id: str) -> None:
        """Note that a visit is a misconduct.

        Args:
            kind: Kind of misconduct.
            mdtrt_id: The visit.
        """
        self.tally.note(kind)
        self.wrong.append((str(kind), mdtrt_id))

    def next_id(self) -> str:
        """Give the next id the platform would hand out for a visit or a settlement.

        Returns:
            Twenty characters, unique in the city.
        """
        self._ids += 1
        return f"{self._prefix}{self._ids:08d}"

    def send(
        self,
        infno: str,
        second: int,
        person: Person | None,
        content: Mapping[str, object],
        answer: Mapping[str, object] | None,
        *,
        fails: bool = False,
    ) -> str:
        """Write one exchange: the request and, where it came, the answer.

        Args:
            infno: Number of the transaction.
            second: Moment of the request.
            person: Who it is about; None for what concerns nobody.
            content: The request's ``input``.
            answer: The answer's ``output``; None where no answer was received.
            fails: Whether a first attempt, half a minute earlier, was refused.

        Returns:
            Message id of the last attempt.
        """
        if fails:
            self._write(infno, second - 30, person, content, None, code=_REFUSED)
            self.tally.refused += 1
        if answer is None:
            self.tally.unanswered += 1
            return self._write(infno, second, person, content, None, code=None)
        self.tally.accepted += 1
        return self._write(infno, second, person, content, answer, code=_ACCEPTED)

    def ask(self, infno: str, second: int, person: Person, content: Mapping[str, object]) -> bytes:
        """Write a request that the node itself answers (3101, 3102); it is no message.

        Args:
            infno: Number of the transaction.
            second: Moment of the request.
            person: Who it is about.
            content: The request's ``input``.

        Returns:
            The bare request as JSON.
        """
        request = self._request(infno, second, person, content)
        self.tally.messages -= 1
        return orjson.dumps(request)

    def _write(
        self,
        infno: str,
        second: int,
        person: Person | None,
        content: Mapping[str, object],
        answer: Mapping[str, object] | None,
        *,
        code: int | None,
    ) -> str:
        request = self._request(infno, second, person, content)
        settled = None if answer is None else answer.get("setlinfo")
        if isinstance(settled, dict):
            settled["medins_setl_id"] = request["msgid"]  # The platform names what it settled.
        exchange: dict[str, object] = {"infno": infno, "request": request}
        if code is not None:
            replied = self.calendar.compact(second + _ANSWER_DELAY_S)
            exchange["response"] = {
                "infcode": code,
                "inf_refmsgid": f"{CITY_DIVISION}{replied}{self._sequence:010d}",
                "respond_time": f"{replied}000",
                **({} if code == _ACCEPTED else {"err_msg": "平台繁忙，请重试"}),
                "output": {} if answer is None else answer,
            }
        self.lines.append((second, orjson.dumps(exchange)))
        return str(request["msgid"])

    def _request(
        self, infno: str, second: int, person: Person | None, content: Mapping[str, object]
    ) -> dict[str, object]:
        """Frame a request, with the next message id."""
        self._sequence += 1
        self.tally.messages += 1
        number = f"{self.calendar.compact(second)}{self._sequence % 10_000:04d}"
        return {
            "infno": infno,
            "msgid": f"{self.institution.code}{number}",
            **self._frame,
            **({} if person is None else {"insuplc_admdvs": person.division}),
            "inf_time": self.calendar.moment(second),
            "input": content,
        }
