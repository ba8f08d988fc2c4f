from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
import typer
from typer.testing import CliRunner

from deploy.audit.output import MOST_SHOWN
from deploy.audit_commands import app, verify
from hub.app import init_hub
from security.audit import Trust, save_anchor, save_trust, write_bundle
from security.certificates import anchor_bytes, anchor_digest
from security.proof_files import ProofHead, ProofKind, ReceiptProof, write_proofs
from tests.support.auditor import witness
from tests.support.logs import LogUnderTest, sample_log
from tests.support.members import HUB, PROVINCE, city, make_hub

if TYPE_CHECKING:
    from pathlib import Path

HUB_UNDER_TEST, NODE_UNDER_TEST = city()
RUNNER = CliRunner()


@pytest.fixture
def log() -> LogUnderTest:
    return sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    save_anchor(tmp_path / "hub.trust", HUB_UNDER_TEST.anchor)
    return tmp_path / "hub.trust"


def run(*arguments: object) -> tuple[int, str]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_a_valid_bundle_exits_with_0(log: LogUnderTest, trust: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle.zip", log.parts(period="2026H1"))
    code, text = run("verify", tmp_path / "bundle.zip", "--trust", trust)
    assert code == 0
    assert f"{HUB}, log 0 to 6, period 2026H1, made 2026-11-01" in text
    assert "as the bundle says, which nothing proves" in " ".join(text.split())
    assert "nobody but the hub confirmed this log" in text
    assert "verdict: valid" in text
    assert "Failures" not in text


def test_an_invalid_bundle_exits_with_1_and_names_every_failure(
    log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    log.envelopes[1] = sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST).envelopes[1]
    write_bundle(tmp_path / "bundle", log.parts())
    code, text = run("verify", tmp_path / "bundle", "--trust", trust)
    assert code == 1
    assert "envelope_replaced" in text
    assert "verdict: invalid" in text


def test_an_indeterminate_bundle_exits_with_2(
    log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    log.receipts.pop()
    write_bundle(tmp_path / "bundle", log.parts())
    code, text = run("verify", tmp_path / "bundle", "--trust", trust, "--json")
    assert code == 2
    assert orjson.loads(text)["verdict"] == "indeterminate"


def test_an_unreadable_bundle_or_trust_file_exits_with_2(
    log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    code, text = run("verify", tmp_path / "absent", "--trust", trust)
    assert code == 2
    assert "unreadable: " in text
    write_bundle(tmp_path / "bundle", log.parts())
    code, text = run("verify", tmp_path / "bundle", "--trust", tmp_path / "absent")
    assert code == 2
    assert "unreadable: " in text


def test_a_bundle_of_another_hub_exits_with_1(log: LogUnderTest, tmp_path: Path) -> None:
    save_anchor(tmp_path / "other.trust", make_hub().anchor)
    write_bundle(tmp_path / "bundle", log.parts())
    assert run("verify", tmp_path / "bundle", "--trust", tmp_path / "other.trust")[0] == 1


def test_many_failures_are_cut_on_the_screen_and_whole_in_the_json(
    trust: Path, tmp_path: Path
) -> None:
    log = LogUnderTest(hub=HUB_UNDER_TEST)
    log.leaves += [b"\xff"] * (MOST_SHOWN + 7)
    write_bundle(tmp_path / "bundle", log.parts())
    code, text = run("verify", tmp_path / "bundle", "--trust", trust)
    assert code == 1
    assert "7 more failures: see --json" in text
    _, text = run("verify", tmp_path / "bundle", "--trust", trust, "--json")
    assert len(orjson.loads(text)["exchanges"]) == MOST_SHOWN + 7


def test_words_inside_a_bundle_do_not_reach_the_terminal_raw(
    log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    log.publish([b"grade"], sender="\x1b[31m[bold]valid")
    write_bundle(tmp_path / "bundle", log.parts())
    code, text = run("verify", tmp_path / "bundle", "--trust", trust)
    assert code == 1
    assert "\x1b" not in text
    assert "(bold]valid" in text.replace("\n", "").replace(" ", "")


def test_unknown_files_of_a_bundle_are_named(
    log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "bundle", log.parts())
    (tmp_path / "bundle" / "\x1b[31mread.me").touch()
    code, text = run("verify", tmp_path / "bundle", "--trust", trust)
    assert code == 0
    assert "not part of a bundle, and not read: ?[31mread.me" in text


def test_exporting_without_a_hub_names_what_to_do(tmp_path: Path) -> None:
    code, text = run("export", "--dir", tmp_path / "absent", "--out", tmp_path / "out.zip")
    assert code == 3
    assert "hub init" in text


def test_the_log_of_a_new_hub_is_exported_and_verifies(tmp_path: Path) -> None:
    parts = init_hub(tmp_path / "hub", level="city", division="330300", name="city")
    save_anchor(tmp_path / "hub.trust", parts.identity.anchor)
    bundle = tmp_path / "bundle.zip"
    code, text = run("export", "--dir", tmp_path / "hub", "--out", bundle)
    assert code == 0
    assert re.search(rf"Wrote {bundle}: log 0 to \d+, 0 envelopes", text)
    assert run("verify", bundle, "--trust", tmp_path / "hub.trust")[0] == 0


def test_evidence_is_asked_for_under_a_name_like_any_command(tmp_path: Path) -> None:
    directory, out = tmp_path / "hub", tmp_path / "evidence.zip"
    init_hub(directory, level="city", division="330300", name="city")
    words = ("export", "--dir", directory, "--out", out, "--as", "li")
    code, text = run(*words)
    assert (code, "give --key FILE" in text) == (3, True)
    code, text = run(*words, "--key", tmp_path / "li.key")
    assert (code, "li.key" in text) == (15, True)
    assert not out.exists()


def test_progress_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    write_bundle(tmp_path / "bundle", log.parts())
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with pytest.raises(typer.Exit) as ended:
        verify(tmp_path / "bundle", trust=[trust])
    assert ended.value.exit_code == 0
    assert "verify" in terminal.getvalue()


def test_a_pdf_is_written_beside_the_json(log: LogUnderTest, trust: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle.zip", log.parts())
    pdf = tmp_path / "report.pdf"
    code, text = run(*("verify", tmp_path / "bundle.zip", "--trust", trust, "--pdf", pdf, "--json"))
    assert code == 0
    assert orjson.loads(text)["verdict"] == "valid"
    first = pdf.read_bytes()
    assert first.startswith(b"%PDF")
    run("verify", tmp_path / "bundle.zip", "--trust", trust, "--pdf", pdf)
    assert pdf.read_bytes() == first


def test_a_checkpoint_is_kept_and_the_next_bundle_is_held_against_it(
    log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "seen.txt"
    write_bundle(tmp_path / "first", log.parts())
    assert run("verify", tmp_path / "first", "--trust", trust, "--save-checkpoint", kept)[0] == 0
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    write_bundle(tmp_path / "second", log.parts())
    verify_second = ("verify", tmp_path / "second", "--trust", trust, "--seen", kept)
    assert run(*verify_second)[0] == 0
    rewritten = sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)
    write_bundle(tmp_path / "rewritten", rewritten.parts())
    before = kept.read_text()
    code, text = run(
        *("verify", tmp_path / "rewritten", "--trust", trust, "--seen", kept),
        *("--save-checkpoint", kept),
    )
    assert code == 1
    assert "seen_checkpoint" in text
    assert "was not written" in text
    assert kept.read_text() == before


def test_a_missing_quorum_is_invalid_where_the_auditor_insists(
    log: LogUnderTest, tmp_path: Path
) -> None:
    trust = tmp_path / "all.trust"
    save_trust(
        trust, replace(Trust.of(HUB_UNDER_TEST.anchor), witnesses=(witness("province"),), quorum=1)
    )
    write_bundle(tmp_path / "bundle", log.parts())
    assert run("verify", tmp_path / "bundle", "--trust", trust)[0] == 2
    code, text = run("verify", tmp_path / "bundle", "--trust", trust, "--require-witnesses")
    assert code == 1
    assert "witnesses" in text


def test_the_trust_file_of_another_hub_is_told_as_such(log: LogUnderTest, tmp_path: Path) -> None:
    save_anchor(tmp_path / "other.trust", make_hub(PROVINCE).anchor)
    write_bundle(tmp_path / "bundle", log.parts())
    code, text = run("verify", tmp_path / "bundle", "--trust", tmp_path / "other.trust", "--json")
    report = orjson.loads(text)
    assert code == 1
    assert "give the trust file of that hub, from its officer" in report["failures"][0]["detail"]
    # Advice for members has no place in an auditor's report.
    assert "Renew or re-enrol" not in text


def test_trust_files_are_shown_and_merged(trust: Path, tmp_path: Path) -> None:
    save_anchor(tmp_path / "other.trust", make_hub(PROVINCE).anchor)
    merged = tmp_path / "all.trust"
    code, text = run("trust", "merge", trust, tmp_path / "other.trust", "--out", merged)
    assert code == 0
    assert "2 anchors" in text
    code, text = run("trust", "show", merged)
    assert code == 0
    digest = anchor_digest(anchor_bytes(HUB_UNDER_TEST.anchor)).hex()
    assert digest in text.replace(" ", "")
    code, text = run("trust", "show", merged, "--json")
    assert orjson.loads(text)["anchors"][HUB] == digest
    save_anchor(tmp_path / "forged.trust", make_hub(PROVINCE).anchor)
    code, text = run("trust", "merge", merged, tmp_path / "forged.trust", "--out", merged)
    assert code == 2
    assert "contradict" in text


def test_receipts_and_forks_are_judged_offline(
    log: LogUnderTest, trust: Path, tmp_path: Path
) -> None:
    file = tmp_path / "proofs.jsonl"
    head = ProofHead(
        kind=ProofKind.RECEIPTS,
        hub=HUB,
        member=NODE_UNDER_TEST.member_id,
        made_at_ms=1,
        certificates=tuple(one.SerializeToString() for one in NODE_UNDER_TEST.certificates),
    )
    write_proofs(file, head, [ReceiptProof(receipt=one, envelope=None) for one in log.receipts])
    code, text = run("receipt", file, "--trust", trust)
    assert code == 0
    assert "to hold 4 envelopes" in text
    assert "verdict: valid" in text
    code, text = run("receipt", file, "--trust", trust, "--json")
    assert orjson.loads(text)["counts"] == {"valid": 4}
    code, text = run("fork", file, "--trust", trust)
    assert code == 2
    assert "a file of forks is expected" in text
    broken = [ReceiptProof(receipt=b"\x1b[31m", envelope=None)] * (MOST_SHOWN + 1)
    write_proofs(file, head, broken)
    code, text = run("receipt", file, "--trust", trust)
    assert code == 1
    assert "1 more failures: see --json" in text
    assert "\x1b" not in text
