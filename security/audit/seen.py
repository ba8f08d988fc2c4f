"""Checkpoints that an auditor saw before: kept by the auditor, compared with the next bundle.

Rules: what is saved is the note as the hub signed it, so that two notes that contradict convict
the hub before anyone; what is loaded is verified again against the auditor's own anchor.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from security.errors import AuditInputError, SecurityError
from security.transparency import (
    MAX_CHECKPOINT_CHARS,
    Checkpoint,
    find_origin_number,
    verify_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from protos.yixin.v1 import identity_pb2

_PARTS: Final = 3
_MAX_DIGITS: Final = 19


def seen_line(checkpoint: Checkpoint) -> str:
    """Origin, size and root of a checkpoint, on one line."""
    root = base64.b64encode(checkpoint.root).decode()
    return f"{checkpoint.origin} {checkpoint.size} {root}"


def parse_seen(line: str) -> Checkpoint:
    """Read what ``seen_line`` wrote.

    Raises:
        ValueError: The line is malformed.
        LogCorruptError: A part is out of bounds.
    """
    parts = line.split()
    if len(parts) != _PARTS or not parts[1].isdecimal() or len(parts[1]) > _MAX_DIGITS:
        raise ValueError("a seen checkpoint has an origin, a size and a root")
    try:
        root = base64.b64decode(parts[2], validate=True)
    except binascii.Error as error:
        raise ValueError("the root of a seen checkpoint is not base64") from error
    return Checkpoint(origin=parts[0], size=int(parts[1]), root=root)


def save_note(path: Path, note: str) -> None:
    """Keep a verified checkpoint for the next audit; an older one in the file is replaced.

    Raises:
        AuditInputError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(note, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise AuditInputError(f"{path} cannot be written: {error.strerror}") from error


def load_note(path: Path, anchors: Iterable[identity_pb2.TrustAnchor]) -> Checkpoint:
    """Read a checkpoint that was kept.

    Args:
        path: The file.
        anchors: Anchors of the auditor; the log must be of one of them.

    Raises:
        AuditInputError: The file is missing, or no checkpoint that one of the anchors signed.
    """
    try:
        with path.open("rb") as file:
            text = file.read(4 * MAX_CHECKPOINT_CHARS).decode()
    except OSError as error:
        raise AuditInputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AuditInputError(f"{path} is not a checkpoint") from error
    origin = text.partition("\n")[0]
    for anchor in anchors:
        if find_origin_number(anchor.log_origin, origin) is not None:
            try:
                return verify_checkpoint(text, anchor)
            except SecurityError as error:
                raise AuditInputError(f"{path}: {error}") from error
    raise AuditInputError(f"{path} is no checkpoint of a hub in the trust file: {origin[:99]!r}")
