from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from deploy.audit.make_font import FOLDER, FONT, NAME, TEMPLATE, wanted_characters
from deploy.audit.report_pdf import MAX_DETAIL_CHARS, MAX_ROWS, described, render_report, save_pdf
from security import audit
from security.audit import AuditReport, ExchangeVerdict, Failure, Verdict
from security.audit.events import EVENTS
from security.audit.report import Relied
from security.errors import AuditInputError

COMMAND = ("yixin", "audit", "verify", "it's.zip")
HOSTILE = '#eval("1") $x$ ]] [[ *b* <label> @ref \\u{202e} \x1b[31m \u202e\u0000 \' " // /*'


def report(*failures: Failure, **changes: Any) -> AuditReport:  # noqa: ANN401 - parts of any type
    parts: dict[str, Any] = {
        "hub": "yixin://330300/hub/city",
        "from_index": 0,
        "to_index": 3,
        "period": "",
        "created": "2026-11-01T04:00:00+00:00",
        "bundle_sha256": "ab" * 32,
        "checkpoint": "yixin/330300/hub/city/log1\n3\nAAAA\n\nsignature",
        "cosigned_by": (),
        "verdict": Verdict.VALID,
        "counts": {"leaves": 3, "valid": 3, "a_new_count": 1},
        "pack_digests": {},
        "relied_on": Relied(
            anchors={"yixin://330300/hub/city": "cd" * 32},
            witnesses=(),
            quorum=0,
            pack_root="",
            seen=(),
        ),
        "exchanges": (),
        "failures": failures,
    }
    return AuditReport(**(parts | changes))


def pages(document: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", document))


def test_the_same_report_gives_the_same_bytes() -> None:
    found = report(Failure(check="root", detail="does not lead to the root"))
    assert render_report(found, COMMAND) == render_report(found, COMMAND)


def test_it_is_a_pdf_with_a_title_and_pages() -> None:
    document = render_report(report(), COMMAND)
    assert document.startswith(b"%PDF-1.7")
    assert b"/Title" in document
    assert pages(document) in {1, 2}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_can_be_printed(verdict: Verdict) -> None:
    assert render_report(report(verdict=verdict), COMMAND).startswith(b"%PDF")


def test_hostile_details_stay_text() -> None:
    harmless = Failure(check="root", detail="x" * len(HOSTILE))
    hostile = Failure(check=HOSTILE, detail=HOSTILE)
    found = report(
        hostile,
        created=HOSTILE,
        hub=HOSTILE,
        checkpoint=HOSTILE,
        counts={HOSTILE: 1},
        exchanges=(
            ExchangeVerdict(index=1, kind="envelope", verdict=Verdict.INVALID, failures=(hostile,)),
        ),
    )
    document = render_report(found, COMMAND)
    assert pages(document) == pages(render_report(report(harmless, harmless), COMMAND))
    texts = described(found, COMMAND)
    assert all(
        " " <= char <= "~" for row in texts["invalid"] for text in row.values() for char in text
    )


def test_a_log_that_nobody_else_confirmed_is_called_so() -> None:
    relied = replace(report().relied_on, witnesses=("w",), quorum=1)
    assert described(report(), COMMAND)["unconfirmed"] is True
    assert described(report(relied_on=relied), COMMAND)["unconfirmed"] is False
    assert described(report(cosigned_by=("w",)), COMMAND)["unconfirmed"] is False
    assert render_report(report(), COMMAND) != render_report(report(relied_on=relied), COMMAND)


def test_unknown_files_are_named() -> None:
    found = described(report(unknown_files=("a.txt", "b\u202e.txt")), COMMAND)
    assert found["unknown_files"] == "a.txt, b?.txt"
    assert described(report(), COMMAND)["unknown_files"] == "-"


def test_failures_are_bounded_and_the_rest_is_counted() -> None:
    invalid = [Failure(check="signature", detail=f"number {n}") for n in range(MAX_ROWS + 7)]
    unproved = Failure(check="receipt", detail="no receipt", verdict=Verdict.INDETERMINATE)
    found = described(report(*invalid, unproved), COMMAND)
    assert len(found["invalid"]) == MAX_ROWS
    assert (found["invalid_more"], found["open"], found["open_more"]) == ("7", [], "1")


def test_two_thousand_failures_are_printed() -> None:
    invalid = [Failure(check="signature", detail=f"number {n}") for n in range(MAX_ROWS)]
    assert pages(render_report(report(*invalid), COMMAND)) > 20


def test_endless_details_are_cut_and_endless_words_are_broken() -> None:
    (row,) = described(report(Failure(check="leaf", detail="a" * 5_000)), COMMAND)["invalid"]
    assert len(row["detail"]) < MAX_DETAIL_CHARS + 20
    assert max(map(len, row["detail"].split())) <= 48


def test_the_command_to_reproduce_it_can_be_pasted() -> None:
    assert described(report(), COMMAND)["command"] == "yixin audit verify 'it'\"'\"'s.zip'"


def test_every_character_of_the_template_is_in_the_font() -> None:
    font = TTFont(FONT)
    held = set(font.getBestCmap())
    assert {char for char in wanted_characters() if ord(char) not in held} == set()


def test_every_count_of_an_audit_has_its_name_in_both_languages() -> None:
    sources = "".join(path.read_text("utf-8") for path in Path(audit.__path__[0]).glob("*.py"))
    counted = {*re.findall(r'counts\["([^"]+)"\]', sources)} | {
        f"kind_{row.name}" for row in EVENTS.values()
    }
    named = {*re.findall(r'(\w+): "[^"]*[\u4e00-\u9fff] [^"]*"', TEMPLATE.read_text("utf-8"))}
    assert len(counted) > 20
    assert counted - named == set()


def test_the_font_does_not_bear_the_reserved_name_and_keeps_its_licence() -> None:
    names = {record.toUnicode() for record in TTFont(FONT)["name"].names}
    assert NAME in names
    assert not any(
        re.search("noto|source", name, re.IGNORECASE) for name in names if len(name) < 60
    )
    licence = (FOLDER / "report_font.OFL.txt").read_text("utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AuditInputError, match="cannot be written"):
        save_pdf(tmp_path / "absent" / "report.pdf", report(), COMMAND)
    save_pdf(tmp_path / "report.pdf", report(), COMMAND)
    save_pdf(tmp_path / "report.pdf", report(), COMMAND)
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]
