"""Everything that is stored about a person's face, in one file for that person (个人信息查阅).

Rules:
- Templates with their vectors, consents and purposes; registrations as a proxy or for one; what
  terminals saw, each event as it was signed, with its picture where one is kept; what they were
  asked, and who let the person pass; the records that came of it; and what the log of operators
  says of the templates.
- The file is new, of mode 0600, written whole, and in clear: the operator hands it to the person.
- That it was made is logged before it is there.

Legal basis:
    中华人民共和国个人信息保护法 art. 45 (access and copy); basis: unchecked.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
from google.protobuf.json_format import MessageToDict

from node.domain.face_templates import Proxy, Template, TemplateRow
from node.new_files import verify_new_file
from node.store import NodeStore
from node.store.by import By
from node.store.presence import HeldEvent
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.matching import pack_vector
from security.private_files import write_private

__all__ = ["PersonExport", "export_person"]

Row: TypeAlias = dict[str, Any]
_FORMAT: Final = 1
_SUFFIXES: Final = (".json",)
_RECORDS: Final = (("identity_event", "person"), ("duty_event", "staff"))
"""Kinds of record about somebody's face, and who it is about."""
_DIGESTS: Final = ("queue", "calibration", "model", "pipeline")
"""Fields of bytes of an event."""
_LAST: Final = "9999"
"""Behind every moment."""
_MOST: Final = 1_000_000
"""Rows of one person: more than there can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonExport:
    """What was written."""

    rows: Mapping[str, int]
    """How many of what."""
    bytes: int


def export_person(store: NodeStore, person: str, path: Path, by: By) -> PersonExport:
    """Write all that is stored about a person's face.

    Args:
        store: The node's store.
        person: psn_no, or code of a staff member.
        path: A new file, ``.json``.
        by: Who asks for it.

    Raises:
        ConfigurationError: The file cannot be made.
        KeyFileError: The file cannot be written.
        TemplateError: A row was changed on disk.
        StoreError: Likewise.
    """
    verify_new_file(path, _SUFFIXES)
    templates, presence = store.edge.templates, store.edge.presence
    rows = templates.rows(person, _MOST)
    subject = rows[0].id.hex() if rows else "person without a template"
    store.desk.note(by.entry("template_export", subject, path.name))
    opened = {one.row.id: one for one in templates.opened([row.id for row in rows])}
    parts: dict[str, list[Row]] = {
        "templates": [_template(row, opened.get(row.id)) for row in rows],
        "proxies": [_proxy(one) for one in templates.proxies.of(person)],
        "events": [_event(*one) for one in presence.of_person(templates.digest(person))],
        "asks": [_plain(asdict(one)) for one in presence.asks_of(person)],
        "overrides": [
            _plain(asdict(one))
            for one in presence.overrides("", _LAST)
            if one.told.get("person") == person
        ],
        **{kind: list(_records(store, kind, whose, person)) for kind, whose in _RECORDS},
        "log": list(_log(store, rows)),
    }
    document = {"format": _FORMAT, "made_at": by.moment, "person": person, **parts}
    content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    write_private(path, content)
    return PersonExport(
        rows={name: len(found) for name, found in parts.items()}, bytes=len(content)
    )


def _proxy(one: Proxy) -> Row:
    return {
        "person": one.kept.person,
        "proxy": one.kept.proxy,
        "begins_on": one.kept.begins_on.isoformat(),
        "ends_on": one.kept.ends_on.isoformat(),
        "consent": one.kept.consent,
        "made_at": one.made_at,
    }


def _template(row: TemplateRow, opened: Template | None) -> Row:
    """A template as JSON; a revoked one has no vector any more."""
    vector = None
    if opened is not None:
        vector = {
            "float32_le_base64": b64encode(pack_vector(opened.vector)).decode(),
            "transform_epoch": opened.epoch,
        }
    return {
        "id": row.id.hex(),
        "subject": row.subject.value,
        "purposes": sorted(one.value for one in row.purposes),
        "model": row.model.hex(),
        "vector": vector,
        "consent": row.consent,
        "consent_at": row.consent_at,
        "made_at": row.made_at,
        "made_by": row.made_by,
        "device": row.device,
        "expires_on": row.expires_on.isoformat(),
        "revoked_at": row.revoked_at,
    }


def _event(held: HeldEvent, signed: bytes, crop: bytes | None) -> Row:
    """What a terminal delivered: its account, to be read and as signed, and what was held of it."""
    event = edge_pb2.PresenceEvent.FromString(edge_pb2.SignedEvent.FromString(signed).body)
    read = MessageToDict(event, preserving_proto_field_name=True)
    picture = None if crop is None else b64encode(crop).decode()
    return {
        **_plain(asdict(held)),
        "event": read | _plain({name: getattr(event, name) for name in _DIGESTS if name in read}),
        "signed_event_base64": b64encode(signed).decode(),
        "picture_jpeg_base64": picture,
    }


def _plain(values: Mapping[str, Any]) -> Row:
    """Bytes as hexadecimal digits."""
    return {
        name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()
    }


def _records(store: NodeStore, kind: str, whose: str, person: str) -> Iterator[Row]:
    with closing(store.relations([kind])) as engine:
        cursor = engine.execute(
            f'select * from {kind} where {whose} = ? order by "at", record_id',  # noqa: S608 - our own names
            [person],
        )
        names = [column[0] for column in cursor.description or ()]
        for row in cursor.fetchall():
            values = zip(names, row, strict=True)
            yield {
                name: str(value) if isinstance(value, datetime) else value for name, value in values
            }


def _log(store: NodeStore, rows: tuple[TemplateRow, ...]) -> Iterator[Row]:
    for row in rows:
        for entry in store.desk.entries(_MOST, row.id.hex()):
            yield {
                "at": entry.at,
                "operator": entry.operator,
                "action": entry.action,
                "template": entry.subject,
                "detail": entry.detail,
            }
