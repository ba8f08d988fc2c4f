"""What an institution asks for and tells at the beginning of a period: staff and catalogue.

Its staff as the platform knows them (5102), and, once, which national codes its own codes of
traced drugs stand for (目录对照, 3301).
"""

from collections.abc import Sequence
from typing import Final

from deploy.simulation.codes import UNASSIGNED_AREA_FIRST, UNASSIGNED_AREAS, identity_number
from deploy.simulation.desk import Desk
from deploy.simulation.population import NURSE, PHARMACIST, PHYSICIAN, Subject
from deploy.simulation.shelves import TRACED

_LAST_AREA: Final = UNASSIGNED_AREA_FIRST + UNASSIGNED_AREAS - 1
"""Staff take areas from the last downwards, insured persons from the first upwards."""
_TYPES: Final = {PHYSICIAN: "1", NURSE: "2", PHARMACIST: "3"}
_WESTERN_DRUGS: Final = "101"
_ASKED_S: Final = 6 * 3600
_ALIGNED_S: Final = 6 * 3600 + 1800
_PER_AREA: Final = 500


def send_staff(desk: Desk, staff: Sequence[Subject]) -> None:
    """Write the queries of an institution's staff (医执人员信息查询, 5102), one a kind of staff.

    Args:
        desk: The institution's counter.
        staff: Its staff.
    """
    for place, (name, code) in enumerate(_TYPES.items()):
        members = [one for one in staff if one.subject_class == name]
        if members:
            answer = {"data": [_member(desk, one, code) for one in members]}
            content = {"data": {"prac_psn_type": code}}
            desk.send("5102", _ASKED_S + place, None, content, answer)


def _member(desk: Desk, subject: Subject, code: str) -> dict[str, object]:
    serial = desk.institution.index * 100 + subject.key[1]
    area, place = divmod(serial, _PER_AREA)
    born = f"19{70 + serial % 29}0701"
    return {
        "psn_cert_type": "01",
        "certno": identity_number(_LAST_AREA - area % UNASSIGNED_AREAS, born, place),
        "prac_psn_code": subject.code,
        "prac_psn_name": "仿真医护",
        "prac_psn_type": code,
        "hi_dr_flag": "1" if subject.subject_class == PHYSICIAN else "0",
        "begntime": f"{desk.institution.first_agreement_day.isoformat()} 00:00:00",
    }


def send_alignments(desk: Desk) -> None:
    """Write the alignments of the traced drugs' codes (3301).

    Args:
        desk: The institution's counter.
    """
    begins = desk.institution.first_agreement_day.isoformat()
    for place, item in enumerate(TRACED):
        content = {
            "fixmedins_hilist_id": item.local_code,
            "fixmedins_hilist_name": f"仿真药品{item.local_code}",
            "list_type": _WESTERN_DRUGS,
            "med_list_codg": item.national_code,
            "begndate": begins,
        }
        desk.send("3301", _ALIGNED_S + place, None, {"data": content}, {})
