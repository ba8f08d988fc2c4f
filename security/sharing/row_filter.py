"""Row filters (行过滤): a closed grammar over the fields of a published grade; never SQL.

    filter    := conjunct ("or" conjunct)*
    conjunct  := condition ("and" condition)*
    condition := "(" filter ")" | field operator literal | field "in" "(" literal ("," literal)* ")"
    operator  := "=" | "!=" | "<" | "<=" | ">" | ">="
    literal   := number such as 750 or 749.50 | text in double quotes

Rules: length and depth are bounded before anything is evaluated; a number is compared with a
number field and a text with a text field; texts are only compared for equality; nothing else
exists, so nothing else can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from security.errors import AgreementError

Row: TypeAlias = Mapping[str, str | Decimal]
"""One row: texts, and numbers as decimals, by field."""
RowFilter: TypeAlias = Callable[[Row], bool]
"""Whether a row belongs to the product."""

TEXT_FIELDS: Final = frozenset(
    {"subject", "subject_class", "name", "level", "type", "period", "grade", "basis"}
)
NUMBER_FIELDS: Final = frozenset({"version", "total"})
MAX_FILTER_CHARS: Final = 1_000
MAX_DEPTH: Final = 8

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<word>[a-z][a-z_]*)|(?P<number>[0-9]{1,9}(?:\.[0-9]{1,2})?)"
    r'|"(?P<text>[^"\\\x00-\x1f]{0,80})"|(?P<sign><=|>=|!=|[=<>(),]))'
)
_EQUALITY: Final[Mapping[str, Callable[[str | Decimal, str | Decimal], bool]]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}
_ORDER: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def parse_filter(text: str) -> RowFilter:
    """Read a row filter; an empty one lets every row through.

    Args:
        text: The filter, at most ``MAX_FILTER_CHARS`` characters.

    Raises:
        AgreementError: The text is not in the grammar; the message names the place.

    >>> keep = parse_filter('grade in ("poor", "bad") or total < 750')
    >>> keep({"grade": "good", "total": Decimal("749.99")}), keep({"grade": "good", "total": 800})
    (True, False)
    """
    if not text:
        return _everything
    if len(text) > MAX_FILTER_CHARS:
        raise AgreementError(
            f"The row filter has {len(text)} characters, at most {MAX_FILTER_CHARS} are read."
        )
    reader = _Reader(text)
    found = reader.any_of(0)
    reader.end()
    return found


def filter_texts(text: str) -> tuple[tuple[str, str], ...]:
    """Each text field of a row filter with a text that it is compared with, in order.

    Raises:
        AgreementError: The text is not in the grammar; the message names the place.

    >>> filter_texts('grade in ("poor", "bad") and total < 750')
    (('grade', 'poor'), ('grade', 'bad'))
    """
    parse_filter(text)
    if not text:
        return ()
    reader = _Reader(text)
    reader.any_of(0)
    return tuple(reader.compared)


def _everything(_row: Row) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    kind: str
    text: str
    at: int


class _Reader:
    """Recursive descent over the tokens of one filter."""

    __slots__ = ("_next", "_tokens", "compared")

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self.compared: list[tuple[str, str]] = []

    def any_of(self, depth: int) -> RowFilter:
        """Conjuncts joined by ``or``."""
        if depth > MAX_DEPTH:
            raise self._fault(f"at most {MAX_DEPTH} parentheses inside one another")
        parts = [self._all_of(depth)]
        while self._takes("word", "or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def end(self) -> None:
        """Refuse what follows the filter."""
        if self._token().kind != "end":
            raise self._fault('"and", "or" or the end')

    def _all_of(self, depth: int) -> RowFilter:
        parts = [self._condition(depth)]
        while self._takes("word", "and"):
            parts.append(self._condition(depth))
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _condition(self, depth: int) -> RowFilter:
        if self._takes("sign", "("):
            inner = self.any_of(depth + 1)
            self._demand("sign", ")")
            return inner
        field = self._field()
        if self._takes("word", "in"):
            self._demand("sign", "(")
            values = [self._literal(field)]
            while self._takes("sign", ","):
                values.append(self._literal(field))
            self._demand("sign", ")")
            allowed = frozenset(values)
            return lambda row: row[field] in allowed
        operator = self._token()
        if operator.kind == "sign" and operator.text in _EQUALITY:
            self._next += 1
            value, same = self._literal(field), _EQUALITY[operator.text]
            return lambda row: same(row[field], value)
        if operator.kind == "sign" and operator.text in _ORDER and field in NUMBER_FIELDS:
            self._next += 1
            bound, holds = Decimal(self._literal(field)), _ORDER[operator.text]
            return lambda row: holds(Decimal(row[field]), bound)
        raise self._fault("an operator that this field has")

    def _field(self) -> str:
        token = self._token()
        if token.kind != "word" or token.text not in TEXT_FIELDS | NUMBER_FIELDS:
            raise self._fault("a field: " + ", ".join(sorted(TEXT_FIELDS | NUMBER_FIELDS)))
        self._next += 1
        return token.text

    def _literal(self, field: str) -> str | Decimal:
        token = self._token()
        wanted = "number" if field in NUMBER_FIELDS else "text"
        if token.kind != wanted:
            raise self._fault(f"a {wanted}, as {field} is one")
        self._next += 1
        if wanted == "number":
            return Decimal(token.text)
        self.compared.append((field, token.text))
        return token.text

    def _takes(self, kind: str, text: str) -> bool:
        token = self._token()
        if (token.kind, token.text) != (kind, text):
            return False
        self._next += 1
        return True

    def _demand(self, kind: str, text: str) -> None:
        if not self._takes(kind, text):
            raise self._fault(f'"{text}"')

    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _fault(self, expected: str) -> AgreementError:
        token = self._token()
        return AgreementError(
            f"The row filter has {token.text[:40]!r} at character {token.at + 1}, expected "
            f"{expected}."
        )


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    stripped = text.rstrip(" ")
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None or match.lastgroup is None:
            raise AgreementError(
                f"The row filter has {stripped[at : at + 20]!r} at character {at + 1}, which is "
                "in no row filter; use fields, =, !=, <, <=, >, >=, in, and, or, numbers and "
                "texts in double quotes."
            )
        found.append(_Token(kind=match.lastgroup, text=match[match.lastgroup], at=at))
        at = match.end()
    found.append(_Token(kind="end", text="the end", at=len(stripped)))
    return found
