"""The national interface: transactions, their nodes and their fields.

Rules:
- What stands here was collected from vendors' public code, not from the official
  text: unknown keys are accepted, the lists below only say what is known.
- A field's length is in characters for text, in digits for numbers; days and
  moments have none.
- ``personal`` fields are masked wherever a value leaves the record.
- A node stands at the top of the request's input or the response's output, or
  ``within`` another node of its direction, under its name, or under what follows the
  last dot of its name (``invinfo.drugtracinfo`` within ``invinfo``).

Source:
    National medical insurance information platform, interface of designated
    institutions (定点医药机构接口), by transaction number (交易编号).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.yaml_section import Section

FIELD_TYPES: Final = ("string", "number", "datetime", "date", "object")
"""Types of fields; ``object`` is a nested value that is not described."""
DIRECTIONS: Final = ("request", "response")

MAX_FIELDS: Final = 400
"""Most fields of one transaction."""
MAX_TRANSACTIONS: Final = 500

_INFNO: Final = r"[0-9]{4}[A-Z]?"
_NODE: Final = r"[A-Za-z][A-Za-z0-9_]{0,39}(?:\.[A-Za-z][A-Za-z0-9_]{0,39})?"
_FIELD: Final = r"[A-Za-z][A-Za-z0-9_]{0,39}"
_PATH: Final = r"/[A-Za-z0-9_./-]{1,120}"
_CODE_LIST: Final = r"[a-z][a-z0-9_]{0,39}"
_FIELD_KEYS: Final = frozenset(
    ("name_zh", "type", "length", "scale", "required", "personal", "code_list")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceField:
    """One field of a node."""

    name: str
    name_zh: str
    type: str
    """One of ``FIELD_TYPES``."""
    length: int | None
    """Most characters, or most digits of a number; None where nobody states it."""
    scale: int
    """Most decimal places of a number; 0 otherwise."""
    required: bool
    personal: bool
    code_list: str | None
    """Code list the value must come from, where one is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One transaction (交易) of the interface."""

    infno: str
    """Transaction number, for example ``2207``; ``*`` for the envelope."""
    name_zh: str
    path: str | None
    """Path vendors already call, where one was seen."""
    fields: Mapping[tuple[str, str], tuple[InterfaceField, ...]]
    """Fields by (direction, node); the envelope's node is the empty text."""
    arrays: frozenset[tuple[str, str]]
    """(direction, node) pairs that hold a list of objects."""
    parents: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Node that holds a (direction, node); nodes at the top are not in it."""

    @property
    def is_described(self) -> bool:
        """True when the fields of the transaction are known."""
        return bool(self.fields)

    @staticmethod
    def key_of(node: str) -> str:
        """Give the key under which a node stands in its parent, or at the top.

        >>> Transaction.key_of("invinfo.drugtracinfo")
        'drugtracinfo'
        """
        return node.rpartition(".")[2]


def parse_transactions(
    listing: Section, files: Mapping[str, Section], code_lists: Collection[str]
) -> tuple[Transaction, dict[str, Transaction]]:
    """Read the list of transactions and the files of those that are described.

    Args:
        listing: ``interface/transactions.yaml``.
        files: The other files of ``interface/`` by name, ``envelope`` among them.
        code_lists: Known code lists.

    Returns:
        The envelope, and every transaction by number in the order of the list.

    Raises:
        CatalogError: A file describes an unlisted transaction, or breaks the format.
    """
    listing.refuse_unknown(("transactions",))
    listed = listing.section("transactions")
    if len(listed.values) > MAX_TRANSACTIONS:
        raise listed.error(f"found more than {MAX_TRANSACTIONS} transactions")
    for infno in listed.values:
        listed.refuse_name_unless(infno, _INFNO)
    if "envelope" not in files:
        raise listing.error("file envelope.yaml is missing beside this list: add it")
    described = {name: _parse_nodes(file, name, code_lists) for name, file in files.items()}
    for name, file in files.items():
        if name != "envelope" and name not in listed.values:
            raise file.error(f"transaction {name} is not in transactions.yaml: list it", "infno")
    transactions: dict[str, Transaction] = {}
    for infno in listed.values:
        entry = listed.section(infno)
        entry.refuse_unknown(("name_zh", "path"))
        nodes = described.get(infno, _NO_NODES)
        transactions[infno] = Transaction(
            infno=infno,
            name_zh=entry.text("name_zh", max_chars=60),
            path=entry.find_text("path", pattern=_PATH),
            fields=nodes.fields,
            arrays=nodes.arrays,
            parents=nodes.parents,
        )
    nodes = described["envelope"]
    envelope = Transaction(
        infno="*", name_zh="报文头", path=None, fields=nodes.fields, arrays=nodes.arrays
    )
    return envelope, transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nodes:
    """What a file says of a transaction's nodes."""

    fields: Mapping[tuple[str, str], tuple[InterfaceField, ...]]
    arrays: frozenset[tuple[str, str]]
    parents: Mapping[tuple[str, str], str]


_NO_NODES: Final = _Nodes(fields={}, arrays=frozenset(), parents={})


def _parse_nodes(document: Section, name: str, code_lists: Collection[str]) -> _Nodes:
    document.refuse_unknown(("infno", "nodes"))
    infno = document.text("infno")
    if infno != ("*" if name == "envelope" else name):
        raise document.error(f"infno {infno!r} in file {name}.yaml: make them agree", "infno")
    fields: dict[tuple[str, str], tuple[InterfaceField, ...]] = {}
    arrays: set[tuple[str, str]] = set()
    parents: dict[tuple[str, str], str] = {}
    count = 0
    for section in document.sections("nodes"):
        section.refuse_unknown(("direction", "node", "within", "array", "fields"))
        direction = section.choice("direction", DIRECTIONS)
        node = section.find_text("node", pattern=_NODE) or ""
        key = (direction, node)
        if key in fields:
            raise section.error(f"{direction} node {node!r} again: keep one of them", "node")
        parent = section.find_text("within", pattern=_NODE)
        if parent is not None:
            if (direction, parent) not in fields:
                problem = f"within: {direction} has no node {parent!r} above this one: put it there"
                raise section.error(problem, "within")
            parents[key] = parent
        if section.flag("array", default=False):
            arrays.add(key)
        listed = section.section("fields")
        count += len(listed.values)
        if count > MAX_FIELDS:
            raise section.error(f"more than {MAX_FIELDS} fields: expected fewer", "fields")
        fields[key] = tuple(_parse_field(one, listed, code_lists) for one in listed.values)
    return _Nodes(fields=fields, arrays=frozenset(arrays), parents=parents)


def _parse_field(name: str, listed: Section, code_lists: Collection[str]) -> InterfaceField:
    listed.refuse_name_unless(name, _FIELD)
    section = listed.section(name)
    section.refuse_unknown(_FIELD_KEYS)
    kind = section.choice("type", FIELD_TYPES)
    known = section.values
    if kind != "number" and "scale" in known:
        raise section.error("scale belongs to numbers: remove it", "scale")
    if kind not in ("number", "string") and "length" in known:
        raise section.error("length belongs to text and numbers: remove it", "length")
    code_list = section.find_text("code_list", pattern=_CODE_LIST)
    if code_list is not None and code_list not in code_lists:
        raise section.error(f"code list {code_list!r} is not in codes/: add it", "code_list")
    return InterfaceField(
        name=name,
        name_zh=section.text("name_zh", max_chars=60),
        type=kind,
        length=section.integer("length", least=1, most=100_000) if "length" in known else None,
        scale=section.integer("scale", least=0, most=9) if "scale" in known else 0,
        required=section.flag("required", default=False),
        personal=section.flag("personal", default=False),
        code_list=code_list,
    )
