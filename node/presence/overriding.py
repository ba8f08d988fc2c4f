"""Manual override (人工放行): an operator lets somebody pass who cannot be verified at a terminal.

Rules:
- It needs a reason, is in the log of operators, and is told in every report.
- It says that the person was let pass, not that the person was verified: the record's result is
  ``absent``. Proxies are not let pass here: they are seen at a terminal.
"""

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

import orjson
import pyarrow as pa

from node.domain.presence import LEAST_WORDS, REASON_WORDS, Reason
from node.errors import PresenceError
from node.presence.judging import IDENTITY_EVENT
from node.store import Commit, NodeStore
from node.store.by import By
from node.store.presence_batch import OverrideRow, PresenceBatch
from security.moments import SHANGHAI

__all__ = ["Override", "let_pass"]

_PLACE: Final = "window"
_RESULT: Final = "absent"
_NUMBER: Final = re.compile(r"[!-~]{1,30}")
_MAX_WORDS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Whom an operator lets pass, and why."""

    institution: str
    person: str = field(repr=False)
    """psn_no."""
    visit: str = field(repr=False)
    """mdtrt_id; empty where it is not known yet."""
    reason: Reason
    words: str = field(repr=False)


def let_pass(store: NodeStore, asked: Override, by: By) -> str:
    """Let somebody pass: durable when this returns.

    Args:
        store: The node's store; this process is its one writer.
        asked: Whom and why.
        by: Who lets pass, and when.

    Returns:
        Id of the record.

    Raises:
        PresenceError: The institution is not of this node, a number is not of the form, the reason
            is missing, or it is a proxy's.
        StoreError: The store failed; nothing was kept.
    """
    _verify(store, asked)
    local = by.at.astimezone(SHANGHAI).replace(tzinfo=None, microsecond=0)
    record_id = f"override:{secrets.token_hex(16)}"
    words = asked.words.strip() or REASON_WORDS[asked.reason]
    schema = store.schemas[IDENTITY_EVENT]
    row = {
        "record_id": record_id,
        "institution": asked.institution,
        "month": local.year * 100 + local.month,
        "person": asked.person,
        "mdtrt_id": asked.visit or None,
        "at": local,
        "place": _PLACE,
        "result": _RESULT,
        "override_reason": words,
        "reason_code": asked.reason.value,
    }
    kept = OverrideRow(
        record_id=record_id,
        at=by.moment,
        operator=by.operator,
        reason=asked.reason.value,
        body=orjson.dumps(
            {
                "institution": asked.institution,
                "person": asked.person,
                "visit": asked.visit,
                "words": words,
            }
        ),
    )
    entry = by.entry("presence_override", record_id, f"{asked.institution} {asked.reason}")
    store.record_ledger.close_days(by.at)
    store.commit(
        Commit(
            records={IDENTITY_EVENT: pa.Table.from_pylist([row], schema)},
            presence=PresenceBatch(overrides=(kept,), log=(entry,)),
        )
    )
    return record_id


def _verify(store: NodeStore, asked: Override) -> None:
    if asked.institution not in store.institution_codes():
        raise PresenceError(
            f"{asked.institution[:20]!r} is no institution of this node; see: yixin node status"
        )
    for name, number in (("--person", asked.person), ("--visit", asked.visit or "-")):
        if not _NUMBER.fullmatch(number):
            raise PresenceError(
                f"{name} has {len(number)} characters or signs that no number has, expected at "
                "most 30 letters and digits"
            )
    if asked.reason is Reason.PROXY:
        raise PresenceError(
            "a proxy is verified at a terminal, not let pass: register the proxy with `yixin node "
            "faces proxy add`, or use --reason-code manual and say why"
        )
    words = asked.words.strip()
    if asked.reason is Reason.MANUAL and len(words) < LEAST_WORDS:
        raise PresenceError(
            f"found {len(words)} characters of reason, expected at least {LEAST_WORDS}: say why "
            "with --reason TEXT"
        )
    if len(words) > _MAX_WORDS or not words.isprintable():
        raise PresenceError(
            f"found a reason of {len(words)} characters, expected at most {_MAX_WORDS} on one line"
        )
