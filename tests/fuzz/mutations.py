"""Mutations of messages: of their bytes, of their JSON, of their fields.

Everything is drawn from one ``random.Random``, so a seed repeats a run.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson

from scoring_kernel import load_catalog
from tests.support import node_messages as m

if TYPE_CHECKING:
    from scoring_kernel.transactions import InterfaceField

__all__ = ["mutated", "seeds"]

Document = dict[str, Any]

_JUNK: Final[Sequence[Any]] = (
    *(None, "", " ", "\u3000", "0", "-1", "x", "张三", "9" * 40, "\x00", "\u202e\x1b[2J", "NaN"),
    *(0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 10**30, 0.1, -0.005, 35.605, 1e-300, 1e300),
    *(True, False, [], {}, [[]], [{}], {"": ""}, [None], ["x"], {"a": {"b": []}}),
    *("2026-02-30", "1999-12-31 23:59:59", "9999-12-31", "2026-03-18T09:00:00", "20260318"),
    *("990001195803121017", "x" * 5_000, "é" * 31, "12.345678901", "\uff11", "1e5", "+5", "-0"),
)
_SAMPLES: Final = m.SHARED / "domain" / "samples"
_DEEPEST: Final = 1_200


_KEPT_RAW: Final = ("1201", "4501", "5303")
"""Transactions without records of their own: kept as they are."""


def seeds() -> list[bytes]:
    """Give whole messages of every kind as JSON, and the samples where they are at hand."""
    built: list[Document] = [
        *(m.fees(1), m.fees(1, infno="2301"), m.settlement(1), m.settlement(1, infno="2304")),
        *(m.registration(1), m.admission(1), m.discharge(1), m.settlement_list(1)),
        *(m.cancellation(1, infno) for infno in ("2202", "2404", "2405")),
        *(m.withdrawal(1, "F0001"), m.withdrawal(1, infno="2205"), m.pharmacy_sale(1)),
        *(m.message_reversal(1, "H33030200001202603180950390001"), m.reversal(1, "S1")),
        *(_filled(infno) for infno in (*load_catalog().record_layouts, *_KEPT_RAW)),
    ]
    for path in sorted(_SAMPLES.glob("*_req.json")):
        request = json.loads(path.read_text(encoding="utf-8"))
        answer = path.with_name(path.name.replace("_req", "_resp"))
        output = json.loads(answer.read_text(encoding="utf-8"))["output"] if answer.exists() else {}
        built.append(m.answered(request, output))
    refused = m.settlement(2)
    refused["response"] |= {"infcode": -1, "err_msg": "平台繁忙，请重试", "output": {}}
    signed = m.pharmacy_sale(2)
    signed["request"] |= {"signtype": "RSA", "cainfo": "AAAA"}
    return [orjson.dumps(document) for document in (*built, refused, signed)]


def mutated(random: Random, documents: Sequence[bytes], number: int) -> bytes:
    """Make one line out of a seed, with a msgid of its own more often than not."""
    document: Document = orjson.loads(random.choice(documents))
    if random.random() < 0.9:
        _number(document, number)
    for _ in range(random.choice((0, 1, 1, 1, 2, 5))):
        random.choice(_JSON_MUTATIONS)(random, document)
    if random.random() < 0.1:  # Once and last: two, one in the other, could not be written.
        _at(random, document, _bomb)
    encoding = random.choice(("utf-8", "utf-8", "utf-8", "utf-8", "gb18030"))
    whole = random.choice((document, document, document, document.get("request")))
    text = json.dumps(whole, ensure_ascii=random.random() < 0.2)
    line = text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")
    if random.random() < 0.15:
        for _ in range(random.choice((1, 1, 2, 8))):
            line = random.choice(_BYTE_MUTATIONS)(random, line)
    return line.replace(b"\n", b" ")


def _number(document: Document, number: int) -> None:
    request = document["request"]
    institution = request["fixmedins_code"]
    request["msgid"] = f"{institution}202603{number % 10**12:012d}"[:30]
    # Lines of their own: no message is a version of another's record.
    for rows in request["input"].values():
        for row in rows if isinstance(rows, list) else [rows]:
            if isinstance(row, dict) and "mdtrt_id" in row:
                row["mdtrt_id"] = f"V{number}"


def _filled(infno: str) -> Document:
    """Build a message whose rows have every field of the catalogue."""
    catalog = load_catalog()
    transaction = catalog.transactions[infno]
    values: Mapping[str, Callable[[InterfaceField], object]] = {
        "string": lambda field: _text(catalog.code_lists.get(field.code_list or ""), field.length),
        "number": lambda _field: 1,
        "date": lambda _field: "2026-03-18",
        "datetime": lambda _field: "2026-03-18 09:00:00",
        "object": lambda _field: {},
    }
    sides: dict[str, Document] = {"request": {}, "response": {}}
    nodes: dict[tuple[str, str], Document] = {}
    for key, fields in transaction.fields.items():
        row = {field.name: values[field.type](field) for field in fields}
        nodes[key] = row
        parent = transaction.parents.get(key)
        holder = sides[key[0]] if parent is None else nodes[key[0], parent]
        holder[transaction.key_of(key[1])] = [row] if key in transaction.arrays else row
    return m.answered(m.envelope(infno, 1, sides["request"]), sides["response"])


def _text(codes: frozenset[str] | None, length: int | None) -> str:
    return min(codes) if codes else "1"[: length or 1]


def _places(value: object, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """List every (container, key) of a document."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            _places(value[key], found)
    return found


def _at(random: Random, document: Document, change: Callable[[Random, Any, Any], None]) -> None:
    places = _places(document, [])
    if places:  # Nothing is left of a document that lost both its halves.
        change(random, *random.choice(places))


def _replace(random: Random, holder: Any, key: Any) -> None:  # noqa: ANN401 - decoded JSON
    holder[key] = copy.deepcopy(random.choice(_JUNK))


def _delete(_random: Random, holder: Any, key: Any) -> None:  # noqa: ANN401 - decoded JSON
    del holder[key]


def _wrap(random: Random, holder: Any, key: Any) -> None:  # noqa: ANN401 - decoded JSON
    value = holder[key]
    holder[key] = random.choice(([value], {"x": value}, [value] * 3))


def _retype(_random: Random, holder: Any, key: Any) -> None:  # noqa: ANN401 - decoded JSON
    value = holder[key]
    holder[key] = str(value) if not isinstance(value, str) else value[:1] + value


def _add(random: Random, holder: Any, _key: Any) -> None:  # noqa: ANN401 - decoded JSON
    value = copy.deepcopy(random.choice(_JUNK))
    if isinstance(holder, list):
        holder.append(value)
    else:
        holder[random.choice(("new_key", "memo", "", "a\x00b", "x" * 300))] = value


def _bomb(random: Random, holder: Any, key: Any) -> None:  # noqa: ANN401 - decoded JSON
    nested: Any = "x"
    for _ in range(random.choice((50, 240, 260, _DEEPEST)) // 3):
        nested = [nested] if random.random() < 0.5 else {"a": nested}
    holder[key] = nested


def _many(random: Random, holder: Any, key: Any) -> None:  # noqa: ANN401 - decoded JSON
    value = holder[key]
    holder[key] = (
        [value] * random.choice((2, 50))
        if not isinstance(value, dict)
        else {**value, **{f"k{n}": n for n in range(random.choice((1, 300)))}}
    )


def _edge(random: Random, holder: Any, key: Any) -> None:  # noqa: ANN401 - decoded JSON
    if isinstance(holder[key], str):
        holder[key] = random.choice(("1", "汉")) * random.choice((1, 2, 3, 20, 30, 31, 50, 101))
    elif not isinstance(holder[key], dict | list):
        holder[key] = random.choice((10**14, 10**15, 10**16, 0.005, 99999.999, -0.0, 1.5))


_JSON_MUTATIONS: Final[Sequence[Callable[[Random, Document], None]]] = tuple(
    partial(_at, change=change)
    for change in (_replace, _replace, _delete, _wrap, _retype, _add, _many, _edge, _edge)
)


def _flip(random: Random, line: bytes) -> bytes:
    place = random.randrange(len(line) or 1)
    return line[:place] + bytes([random.randrange(256)]) + line[place + 1 :]


def _cut(random: Random, line: bytes) -> bytes:
    start, end = sorted(random.randrange(len(line) + 1) for _ in range(2))
    return line[:start] + line[end:] if random.random() < 0.5 else line[:start]


def _repeat(random: Random, line: bytes) -> bytes:
    start, end = sorted(random.randrange(len(line) + 1) for _ in range(2))
    return line[:end] + line[start:end] * random.choice((1, 3)) + line[end:]


def _insert(random: Random, line: bytes) -> bytes:
    place = random.randrange(len(line) + 1)
    junk = (b"\xff", b"\x00", b'"', b"}", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"[" * 2_000)
    return line[:place] + random.choice(junk) + line[place:]


_BYTE_MUTATIONS: Final = (_flip, _flip, _cut, _repeat, _insert)
