"""Codes of institutions, staff, persons and messages, with their check digits.

Pure functions of numbers. Areas 990000-999999 of GB/T 2260 are unassigned: no real person can
carry the identity numbers made here.
"""

from hashlib import blake2b
from typing import Final

PUBLIC_INSTITUTION: Final = "12"
"""Public institutions, registered by the office of institutional organisation (机构编制)."""
ENTERPRISE: Final = "91"
"""Enterprises, registered by market regulation (市场监督管理)."""
UNASSIGNED_AREA_FIRST: Final = 990000
UNASSIGNED_AREAS: Final = 10000
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)


def identity_number(area: int, born: str, serial: int) -> str:
    """Make a resident identity number (居民身份证号码).

    Args:
        area: Area code, 990000 to 999999.
        born: Day of birth, yyyymmdd.
        serial: Serial of the day, 0 to 999; odd for men.

    Returns:
        Eighteen characters; the last is the check character.

    Raises:
        ValueError: The area is one that real persons are registered in.

    Source:
        GB 11643-1999, ISO 7064 mod 11-2.

    >>> identity_number(990000, "19580312", 101)
    '99000019580312101X'
    """
    if not UNASSIGNED_AREA_FIRST <= area < UNASSIGNED_AREA_FIRST + UNASSIGNED_AREAS:
        raise ValueError(f"area {area} may be a real one; expected 990000 to 999999")
    body = f"{area:06d}{born}{serial:03d}"
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, body, strict=True))
    return body + _ID_CHECKS[total % 11]


def credit_code(division: str, serial: int, *, category: str = PUBLIC_INSTITUTION) -> str:
    """Make a unified social credit code (统一社会信用代码).

    Args:
        division: Division code (GB/T 2260) of the registering authority, six digits.
        serial: Serial of the organisation, 0 to 99,999,999.
        category: Registering authority and category of the organisation, two signs.

    Returns:
        Eighteen characters; the ninth before the last and the last are check characters.

    Source:
        GB 32100-2015 (mod 31) with the organisation code of GB 11714-1997 (mod 11).

    >>> credit_code("330302", 12345)
    '12330302000123457Y'
    """
    organisation = f"{serial:08d}"
    rest = (
        11
        - sum(
            weight * int(digit)
            for weight, digit in zip(_ORGANISATION_WEIGHTS, organisation, strict=True)
        )
        % 11
    )
    check = {10: "X", 11: "0"}.get(rest, str(rest))
    body = f"{category}{division}{organisation}{check}"
    total = sum(_USCC_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return body + _USCC_ALPHABET[(31 - total % 31) % 31]


def institution_code(kind: str, division: str, serial: int) -> str:
    """Make the code of a designated institution (定点医药机构编码).

    Args:
        kind: ``H`` for a medical institution, ``P`` for a pharmacy.
        division: Division code (GB/T 2260), six digits.
        serial: Serial within the division, 0 to 99,999.

    Returns:
        Twelve characters.

    >>> institution_code("H", "330302", 1)
    'H33030200001'
    """
    return f"{kind}{division}{serial:05d}"


def staff_code(kind: str, division: str, serial: int) -> str:
    """Make the code of a member of an institution's staff (医保医师、护士、药师编码).

    Args:
        kind: ``D`` for a physician, ``N`` for a nurse, ``HY`` for a pharmacist of a hospital,
            ``Y`` for one of a pharmacy.
        division: Division code (GB/T 2260), six digits.
        serial: Serial within the division, 0 to 999,999.

    Returns:
        ``kind``, the division and the serial.

    >>> staff_code("D", "330302", 101)
    'D330302000101'
    """
    return f"{kind}{division}{serial:06d}"


def pseudonym(seed: int, number: str) -> str:
    """Make the pseudonym under which departments report an insured person (参保人).

    Args:
        seed: Seed of the city, which stands for the departments' key.
        number: Person number (人员编号); it cannot be found from the pseudonym.

    Returns:
        ``R`` and 32 hexadecimal digits.

    Source:
        BLAKE2b (RFC 7693), keyed.
    """
    key = f"simulated-city-{seed}".encode()
    return "R" + blake2b(number.encode(), digest_size=16, key=key).hexdigest()
