"""Clues as an officer lists and reads them: pseudonyms, pointers and numbers, no names.

A clue shows with it what else is known of the same link token and of the same staff, from whatever
node it came: one person's, or one doctor's, traces at several nodes meet here.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from hub.errors import ConfigurationError
from hub.listings import moment_text
from hub.store import clues, join_records
from hub.store.clues import ClueFilter, ClueRow
from scoring_kernel.joining import Joining
from security.linking import TOKEN_BYTES

Result: TypeAlias = dict[str, Any]
RELATED: Final = 20
"""Most related clues that are shown with one."""
_PERSON: Final = re.compile(r"R([0-9a-f]{32})")
_PREFIX: Final = re.compile(r"(?:[0-9a-f]{2}){2,16}")
_JOIN: Final = re.compile(r"J[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which clues an officer asks for; None means any."""

    source: str | None = None
    institution: str | None = None
    person: str | None = None
    """Pseudonym: R and 32 hexadecimal digits."""
    staff: str | None = None
    least_score: int = 0
    gone: bool = False


def listed_clues(connection: Connection, wanted: Wanted, limit: int) -> Result:
    """List clues, the highest score first.

    Raises:
        ConfigurationError: The pseudonym is malformed.
    """
    person = None
    if wanted.person is not None:
        found = _PERSON.fullmatch(wanted.person)
        if found is None:
            raise ConfigurationError(
                "A person goes by a pseudonym, R and 32 hexadecimal digits, as the list shows it."
            )
        person = bytes.fromhex(found.group(1))
    rows = clues.list_clues(
        connection,
        ClueFilter(
            source=wanted.source,
            institution=wanted.institution,
            person=person,
            staff=wanted.staff,
            least_score=wanted.least_score,
            gone=wanted.gone,
        ),
        limit,
    )
    return {
        "total": clues.count(connection),
        "join_records": asdict(join_records.figures(connection)),
        "rows": [_row(one) for one in rows],
    }


def shown_clue(connection: Connection, id_text: str, joining: Joining) -> Result:
    """Everything of one clue, and what is related to it.

    Args:
        connection: A reading transaction.
        id_text: Its id, or an even number of its first digits, at least four.
        joining: Names of the joins.

    Raises:
        ConfigurationError: The id is malformed, unknown, or fits several clues.
    """
    if not _PREFIX.fullmatch(id_text):
        raise ConfigurationError(
            f"Found {id_text[:40]!r}, expected the id of a clue: 32 hexadecimal digits, or an even "
            "number of its first ones, at least four."
        )
    found = clues.find_clues(connection, bytes.fromhex(id_text))
    if len(found) != 1:
        problem = "No clue has" if not found else "Several clues have"
        raise ConfigurationError(
            f"{problem} an id that begins with {id_text}; see `yixin hub clues list`."
        )
    (one,) = found
    shown = _row(one) | {"detail": _detail(one)}
    if _JOIN.fullmatch(one.source):
        rule = next(each for each in joining.joins.values() if each.id == one.source)
        shown |= {"name_zh": rule.name_zh, "name_en": rule.name_en, "like": rule.like}
    return shown | {"related": _related(connection, one)}


def _related(connection: Connection, one: ClueRow) -> list[Result]:
    """Other clues of the same token or the same staff."""
    filters = [ClueFilter(staff=code) for code in one.staff]
    if one.person is not None:
        filters.append(ClueFilter(person=one.person))
    found = {
        (row.member, row.id): row
        for wanted in filters
        for row in clues.list_clues(connection, wanted, RELATED + 1)
        if (row.member, row.id) != (one.member, one.id)
    }
    rows = sorted(found.values(), key=lambda row: (-row.score, -row.month, row.id))
    return [_row(row) for row in rows[:RELATED]]


def _row(one: ClueRow) -> Result:
    return {
        "id": one.id.hex(),
        "source": one.source,
        "found_by": one.member or "hub",
        "institution": one.institution,
        "month": one.month,
        "score": one.score,
        "verdict": one.verdict,
        "amount_fen": one.amount_fen,
        "person": pseudonym(one.person),
        "staff": list(one.staff),
        "gone": one.gone,
        "suspect": one.suspect,
    }


def _detail(one: ClueRow) -> Result:
    detail = dict(one.detail)
    for name in ("first_at", "last_at"):
        if f"{name}_ms" in detail:
            detail[name] = moment_text(detail.pop(f"{name}_ms"))
    return detail


def pseudonym(token: bytes | None) -> str | None:
    """A link token as people write it.

    >>> pseudonym(bytes(16))
    'R00000000000000000000000000000000'
    """
    if token is None:
        return None
    if len(token) != TOKEN_BYTES:
        raise ValueError(f"a link token has {TOKEN_BYTES} bytes, found {len(token)}")
    return f"R{token.hex()}"
