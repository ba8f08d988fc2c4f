"""Products as a department takes them: opened, put together, verified, written to files.

Numbered as applied to what was collected:

1. The directory of the hub: keys of other hubs, certified by the hub's anchor; only its newest
   version counts.
2. Envelopes that the hub passed on: proved and opened as of the first hub's logged time; each has
   its place in the chain of that hub, so none can be repeated or left out unseen.
3. Products: all parts, rows and bytes as their digest says; then one CSV and one manifest, in
   files that only their owner reads. The same product is the same file.
4. Refusals: the hub's wording, with the id of the request.

What does not hold is not written; it is named in the result and stays in the inbox.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2, sharing_pb2
from security.certificates import Keyring
from security.encoding import parse_exactly
from security.errors import SecurityError, cause_of
from security.moments import to_ms
from security.private_files import read_private, write_private
from security.sharing.agreement import PRODUCT
from security.sharing.coverage import DIRECTORY, FORWARDED, PRODUCT_REFUSAL
from security.sharing.forwarded import open_forwarded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from security.exchange.inbox import Inbox, Received
    from security.exchange.membership import Membership

PRODUCTS: Final = "products"
DIRECTORY_FILE: Final = "directory.pb"
MAX_PRODUCT_BYTES: Final = 1024 * 1024
MAX_PARTS: Final = 100_000
_BATCH: Final = 64


@dataclass(slots=True, kw_only=True)
class Taken:
    """What became of what was collected."""

    sent: int = 0
    """Requests that the hub has now."""
    written: list[str] = field(default_factory=list)
    """Files of new products."""
    refused: list[dict[str, str]] = field(default_factory=list)
    """Requests that the hub refused, with its wording."""
    incomplete: int = 0
    """Products of which parts are missing."""
    faults: list[str] = field(default_factory=list)
    """What did not hold and was not written."""
    revocation_list: str = ""
    """Which revocation list of the hub is held, in words."""
    is_list_good: bool = True
    """Whether there is one, and it is not outdated."""


def take_products(
    directory: Path, membership: Membership, engine: Engine, inbox: Inbox, *, now: datetime
) -> Taken:
    """Take everything that was collected and not processed.

    Args:
        directory: The department's directory.
        membership: Who it is, and its hub.
        engine: Database of its exchange.
        inbox: The inbox in it.
        now: Present moment, UTC-aware.
    """
    taken = Taken()
    now_ms = to_ms(now)
    with engine.begin() as connection:
        # 1. Directory.
        _take_directories(connection, directory, membership, inbox, taken)
        # 2. Passed on.
        _open_forwarded(connection, directory, membership, inbox, taken=taken, now_ms=now_ms)
        # 3. Products.
        _write_products(connection, directory, inbox, taken, now)
        # 4. Refusals.
        for one in inbox.payloads(connection, PRODUCT_REFUSAL, limit=_BATCH):
            refusal = _product(one, taken)
            if refusal is not None:
                taken.refused.append(
                    {"request": refusal.request_id.hex(), "refusal": refusal.refusal}
                )
            inbox.mark_processed(connection, [one.inbox_id])
    return taken


def _take_directories(
    connection: Connection, directory: Path, membership: Membership, inbox: Inbox, taken: Taken
) -> None:
    path = directory / DIRECTORY_FILE
    held = _directory(path).version
    for one in inbox.payloads(connection, DIRECTORY, limit=_BATCH):
        inbox.mark_processed(connection, [one.inbox_id])
        try:
            found = parse_exactly(identity_pb2.MemberDirectory, one.payload, MAX_PRODUCT_BYTES)
            ring = Keyring([membership.anchor])
            for certificate in found.keys:
                ring.add(certificate)
        except (ValueError, SecurityError) as error:
            taken.faults.append(f"directory in inbox row {one.inbox_id}: {error}")
            continue
        if found.hub == membership.hub_id and found.version > held:
            write_private(path, one.payload, replace=True)
            held = found.version


def _directory(path: Path) -> identity_pb2.MemberDirectory:
    if not path.exists():
        return identity_pb2.MemberDirectory()
    return identity_pb2.MemberDirectory.FromString(read_private(path, MAX_PRODUCT_BYTES))


def _open_forwarded(
    connection: Connection,
    directory: Path,
    membership: Membership,
    inbox: Inbox,
    *,
    taken: Taken,
    now_ms: int,
) -> None:
    ring = Keyring([membership.anchor])
    for certificate in _directory(directory / DIRECTORY_FILE).keys:
        ring.add(certificate)
    after = 0
    while batch := inbox.payloads(connection, FORWARDED, after_id=after, limit=_BATCH):
        for one in batch:
            after = one.inbox_id
            try:
                forward = open_forwarded(
                    one.payload,
                    recipient=membership.member_id,
                    carrier=one.sender,
                    decryption_keys=membership.decryption_keys,
                    keyring=ring,
                )
                inbox.accept(connection, forward.opened, now_ms)
            except SecurityError as error:
                cause = cause_of(error)
                taken.faults.append(f"envelope passed on, inbox row {one.inbox_id}: {cause}")
                continue
            inbox.mark_processed(connection, [one.inbox_id])


def _write_products(
    connection: Connection, directory: Path, inbox: Inbox, taken: Taken, now: datetime
) -> None:
    groups: dict[tuple[object, ...], dict[int, sharing_pb2.Product]] = defaultdict(dict)
    # A part that came twice is one part; both are done with when the product is.
    rows: dict[tuple[object, ...], list[int]] = defaultdict(list)
    after = 0
    while batch := inbox.payloads(connection, PRODUCT, after_id=after, limit=_BATCH):
        for one in batch:
            after = one.inbox_id
            part = _product(one, taken)
            if part is None:
                inbox.mark_processed(connection, [one.inbox_id])
                continue
            key = (one.sender, part.agreement, part.period, part.digest, part.request_id)
            groups[key][part.part] = part
            rows[key].append(one.inbox_id)
    for same, parts in groups.items():
        ordered = [parts[number] for number in sorted(parts)]
        if len(ordered) < ordered[0].parts:
            taken.incomplete += 1
            continue
        _write(directory, str(same[0]), ordered, taken, now)
        inbox.mark_processed(connection, rows[same])


def _write(
    directory: Path, sender: str, parts: list[sharing_pb2.Product], taken: Taken, now: datetime
) -> None:
    first = parts[0]
    content = b"".join(part.content for part in parts)
    name = f"{first.agreement.replace('@', '-v')}-{first.period}-{first.digest.hex()[:12]}"
    # Two requests may have the same answer: each keeps its manifest.
    name += f"-{first.request_id.hex()[:8]}" if first.request_id else ""
    if hashlib.sha256(content).digest() != first.digest or any(
        (part.parts, part.rows) != (first.parts, first.rows) for part in parts
    ):
        taken.faults.append(f"product {name} of {sender} is not what its digest says")
        return
    folder = directory / PRODUCTS
    folder.mkdir(mode=0o700, exist_ok=True)
    manifest = {
        "agreement": first.agreement,
        "provider": sender,
        "period": first.period,
        "rows": first.rows,
        "suppressed": first.suppressed,
        "sha256": first.digest.hex(),
        "request": first.request_id.hex(),
        "taken_at": now.isoformat(timespec="seconds"),
    }
    path = folder / f"{name}.csv"
    write_private(path, content, replace=True)
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    write_private(folder / f"{name}.json", text.encode(), replace=True)
    taken.written.append(str(path))


def _product(one: Received, taken: Taken) -> sharing_pb2.Product | None:
    try:
        found = parse_exactly(sharing_pb2.Product, one.payload, MAX_PRODUCT_BYTES)
    except ValueError as error:
        taken.faults.append(f"{one.payload_type} in inbox row {one.inbox_id}: {error}")
        return None
    is_sound = found.format == 1 and (
        bool(found.refusal)
        or (found.part < found.parts <= MAX_PARTS and len(found.digest) == 32 and not _odd(found))
    )
    if not is_sound:
        taken.faults.append(f"{one.payload_type} in inbox row {one.inbox_id} is malformed")
        return None
    return found


def _odd(found: sharing_pb2.Product) -> bool:
    """Whether names that become a file's name hold anything else than they may."""
    plain: Iterable[str] = (found.agreement.replace("@", ""), found.period)
    return not all(text.replace("_", "").isalnum() and text.isascii() for text in plain)
