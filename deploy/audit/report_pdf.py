"""The report of an audit as a PDF (审计报告) for the file: what an officer signs and keeps.

Rules: what a bundle says enters the template as JSON and is set as text, in printable ASCII of
bounded length, so that nothing in it can change the document; at most 2,000 failures are listed,
those that contradict a proof first, and the rest is counted; the same report gives the same bytes.
"""

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import typst

from security.audit import AuditReport, Failure, Verdict
from security.errors import AuditInputError

MAX_ROWS: Final = 2_000
"""Failures listed in the document; all of them are in the JSON."""
MAX_DETAIL_CHARS: Final = 300
MAX_WORD_CHARS: Final = 48
"""Longer words are broken, so that no column overflows."""
TEMPLATE: Final = Path(__file__).with_name("report.typ")
_VERDICTS: Final = ("valid", "invalid", "indeterminate")
_NONE: Final = "-"


def save_pdf(path: Path, report: AuditReport, command: Sequence[str]) -> None:
    """Write a report as a PDF; an older one of that name is replaced.

    Args:
        path: The file.
        report: What was proved.
        command: The words of the command line that proves it again.

    Raises:
        AuditInputError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(render_report(report, command))
        temporary.replace(path)
    except OSError as error:
        raise AuditInputError(f"{path} cannot be written: {error.strerror}") from error


def render_report(report: AuditReport, command: Sequence[str]) -> bytes:
    """Render a report as PDF/A-2b, which archives take.

    Args:
        report: What was proved.
        command: The words of the command line that proves it again.

    Returns:
        The document; the same for the same report.
    """
    return typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        font_paths=[str(TEMPLATE.parent)],
        ignore_system_fonts=True,
        sys_inputs={"report": orjson.dumps(described(report, command)).decode()},
        format="pdf",
        pdf_standards=["a-2b"],
        timestamp=0,
    )


def described(report: AuditReport, command: Sequence[str]) -> dict[str, Any]:
    """What the template reads: texts, each printable and bounded, and one flag."""
    relied = report.relied_on
    origin, size, root = (*report.checkpoint.split("\n")[:3], "", "", "")[:3]
    contradicting, contradicting_more = _listed(report, Verdict.INVALID, MAX_ROWS)
    left = MAX_ROWS - len(contradicting)
    unproved, unproved_more = _listed(report, Verdict.INDETERMINATE, left)
    return {
        "verdict": str(report.verdict),
        "hub": _text(report.hub),
        "range": f"{report.from_index} - {report.to_index} ({report.to_index - report.from_index})",
        "period": _text(report.period),
        "created": _text(report.created),
        "date": _date(report.created),
        "bundle_sha256": _digest(report.bundle_sha256),
        "origin": _text(origin) or _NONE,
        "size": _text(size) or _NONE,
        "root": _text(root) or _NONE,
        "cosigned_by": _text(", ".join(report.cosigned_by)) or _NONE,
        "anchors": [
            {"hub": _text(hub), "digest": _digest(digest)} for hub, digest in relied.anchors.items()
        ],
        "witnesses": _text(", ".join(relied.witnesses), chars=20_000) or _NONE,
        "quorum": f"{relied.quorum} / {len(relied.witnesses)}",
        "unconfirmed": report.is_unconfirmed,
        "pack_root": _digest(relied.pack_root),
        "seen": _text(", ".join(relied.seen), chars=20_000) or _NONE,
        "unknown_files": _text(", ".join(report.unknown_files), chars=4_000) or _NONE,
        "counts": _counts(report),
        "invalid": contradicting,
        "invalid_more": contradicting_more,
        "open": unproved,
        "open_more": unproved_more,
        "command": _text(shlex.join(command), chars=4_000),
        "program": _program(),
    }


def _date(created: str) -> list[int]:
    """Year, month and day on which the bundle was made: the date that the document bears."""
    try:
        day = datetime.fromisoformat(created)
    except ValueError:
        return [1970, 1, 1]
    return [day.year, day.month, day.day]


def _program() -> str:
    """Name and version of this program."""
    try:
        return f"yixin {metadata.version('yixin')}"
    except metadata.PackageNotFoundError:
        return "yixin (not installed as a package)"


def _counts(report: AuditReport) -> list[dict[str, str]]:
    """Verdicts first, then what was counted; an even number, for two columns."""
    names = [*_VERDICTS, *sorted(set(report.counts) - set(_VERDICTS))]
    rows = [
        {"name": _text(name), "count": f"{report.counts.get(name, 0):,}"}
        for name in names
        if report.counts.get(name) or name in _VERDICTS
    ]
    return rows if len(rows) % 2 == 0 else [*rows, {"name": "", "count": ""}]


def _listed(report: AuditReport, verdict: Verdict, most: int) -> tuple[list[dict[str, str]], str]:
    """The first failures of a verdict, and how many more there are, or an empty text."""
    found = _of(report.all_failures(), verdict)
    rows = [
        {
            "place": "-" if index is None else str(index),
            "check": _text(failure.check),
            "detail": _text(failure.detail),
        }
        for index, failure in islice(found, most)
    ]
    more = sum(1 for _ in found)
    return rows, f"{more:,}" if more else ""


def _of(
    failures: Iterable[tuple[int | None, Failure]], verdict: Verdict
) -> Iterable[tuple[int | None, Failure]]:
    return iter([one for one in failures if one[1].verdict is verdict])


def _digest(digest: str) -> str:
    """A fingerprint in groups, to be read aloud."""
    groups = (digest[at : at + 8] for at in range(0, len(digest), 8))
    return " ".join(groups) or _NONE


def _text(text: str, chars: int = MAX_DETAIL_CHARS) -> str:
    """A text of the bundle, harmless: printable ASCII, bounded, without endless words."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text[: chars + 1])
    if len(plain) > chars:
        plain = f"{plain[:chars]} ..."
    return " ".join(_broken(word) for word in plain.split())


def _broken(word: str) -> str:
    if len(word) <= MAX_WORD_CHARS:
        return word
    return " ".join(word[at : at + MAX_WORD_CHARS] for at in range(0, len(word), MAX_WORD_CHARS))
