"""Members of a hub and institution codes, as its register writes and reads them."""

import re
from enum import StrEnum
from typing import Final, NewType

from hub.errors import ConfigurationError
from security.members import MemberId, MemberKind, MemberName, parse_member_id

InstitutionCode = NewType("InstitutionCode", str)

_INSTITUTION: Final = re.compile(r"[HP][0-9]{11}")


class MemberStatus(StrEnum):
    """State of a member in the register."""

    INVITED = "invited"
    ACTIVE = "active"
    REVOKED = "revoked"


class HubLevel(StrEnum):
    """Level of a hub."""

    CITY = "city"
    PROVINCE = "province"


def member_id_of(*, division: str, kind: str, code: str) -> MemberId:
    """Compose a member id from an operator's arguments.

    Raises:
        ConfigurationError: A part is malformed.

    >>> member_id_of(division="330300", kind="hub", code="city")
    'yixin://330300/hub/city'
    """
    try:
        return parse_member_id(f"yixin://{division}/{kind}/{code}").member_id
    except ValueError as error:
        raise ConfigurationError(
            f"Expected six digits, one of {', '.join(MemberKind)}, and a code of letters, digits, "
            f"'.', '_' or '-'; found {division[:12]!r}, {kind[:16]!r}, {code[:64]!r}."
        ) from error


def is_institution(text: str) -> bool:
    """Whether a text is an institution code.

    >>> is_institution("H33030200001"), is_institution("H1")
    (True, False)
    """
    return _INSTITUTION.fullmatch(text) is not None


def parse_institution(text: str) -> InstitutionCode:
    """Read an institution code (定点医药机构编码): H or P and eleven digits.

    Raises:
        ConfigurationError: The text is not an institution code.

    >>> parse_institution("H33030200001")
    'H33030200001'
    """
    if not is_institution(text):
        raise ConfigurationError(
            f"Expected an institution code (H or P and eleven digits), found {text[:32]!r}; "
            "correct it in the list of institutions."
        )
    return InstitutionCode(text)


__all__ = [
    "HubLevel",
    "InstitutionCode",
    "MemberId",
    "MemberKind",
    "MemberName",
    "MemberStatus",
    "is_institution",
    "member_id_of",
    "parse_institution",
]
