import errno
import io
import json
import sys
import tempfile
from pathlib import Path

import pytest
import typer

from security.operator import CommandOutput, ErrorText, speaking


def describe(error: Exception) -> ErrorText:
    return ("unexpected", "a defect", 70) if isinstance(error, KeyError) else ("known", "why", 9)


def test_an_error_becomes_one_message_and_its_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as ended, speaking(CommandOutput(as_json=False), describe):
        raise ValueError
    assert ended.value.exit_code == 9
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Error (known): why\n")


def test_an_error_is_one_json_object_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), speaking(CommandOutput(as_json=True), describe):
        raise ValueError
    assert json.loads(capsys.readouterr().out) == {"error": "known", "message": "why"}


def test_the_details_of_a_defect_go_to_a_private_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(typer.Exit) as ended, speaking(CommandOutput(as_json=False), describe):
        raise KeyError
    assert ended.value.exit_code == 70
    (details,) = tmp_path.iterdir()
    assert str(details) in capsys.readouterr().err
    assert details.stat().st_mode & 0o777 == 0o600
    assert "KeyError" in details.read_text(encoding="utf-8")


def test_a_path_that_the_system_refuses_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(typer.Exit) as ended, speaking(CommandOutput(as_json=False), describe):
        missing.read_bytes()
    assert ended.value.exit_code == 3
    assert f"Error (configuration): {missing}: No such file" in capsys.readouterr().err


def test_an_error_without_a_path_blames_no_path(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, speaking(CommandOutput(as_json=False), describe):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert ended.value.exit_code == 3
    said = capsys.readouterr().err
    assert "the operating system refuses: No space left on device" in said
    assert "directory" not in said


def test_control_characters_never_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = CommandOutput(as_json=False)
    output.say("a\x1b[31mred\u202e\nnext \ud800")
    output.hint("bell\x07")
    output.rows("Rows\x1b", [{"id": "x\x1b]0;title\x07y"}])
    said = capsys.readouterr()
    assert "a\\x1b[31mred\\u202e\nnext \\ud800\n" in said.out
    assert "\\x1b]0;title" in said.out
    assert said.err == "bell\\x07\n"
    assert not {"\x1b", "\x07", "\u202e"} & {*said.out, *said.err}


def test_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"a": "[bold]:smile:[/bold] " + "x" * 300, "b": "\x1b[0m", "c": "医\u202e"}
    CommandOutput(as_json=True).done(result, "")
    said = capsys.readouterr().out
    assert json.loads(said) == result
    assert said.count("\n") == 1


def test_json_is_ascii_where_nothing_else_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", sink)
    CommandOutput(as_json=True).done({"a": "医"}, "")
    assert sink.buffer.getvalue() == b'{"a": "\\u533b"}\n'


def test_a_long_value_is_folded_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    output = CommandOutput(as_json=False)
    output.table("Digest", {"model_digest": "0123456789abcdef" * 4, "markup": "[red]:smile:"})
    shown = capsys.readouterr().out
    assert "…" not in shown
    cells = "".join(line.split("│")[2].strip() for line in shown.splitlines() if "│" in line)
    assert cells == "0123456789abcdef" * 4 + "[red]:smile:"


def test_an_interrupted_command_says_that_it_may_be_run_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as ended, speaking(CommandOutput(as_json=False), describe):
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert "run the command again" in capsys.readouterr().err


def test_a_chosen_exit_code_is_not_touched() -> None:
    with pytest.raises(typer.Exit) as ended, speaking(CommandOutput(as_json=False), describe):
        raise typer.Exit(1)
    assert ended.value.exit_code == 1


def test_results_are_said_in_words_or_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    CommandOutput(as_json=False).done({"a": 1}, "one [bold]word[/bold]")
    CommandOutput(as_json=True).done({"名": 1}, "one word")
    assert capsys.readouterr().out == 'one [bold]word[/bold]\n{"名": 1}\n'


def test_tables_show_every_value(capsys: pytest.CaptureFixture[str]) -> None:
    output = CommandOutput(as_json=False)
    output.table("Node", {"hub": None, "records": {"fee_detail": 3}, "empty": {}})
    output.rows("Rows", [{"subject_code": "H1", "points": 2}])
    output.rows("Rows", [])
    shown = capsys.readouterr().out
    for word in ("Node", "—", "fee_detail 3", "none", "subject code", "H1", "Rows: nothing"):
        assert word in shown
    CommandOutput(as_json=True).table("Node", {"a": 1})
    assert capsys.readouterr().out == '{"a": 1}\n'


def test_what_all_wide_rows_say_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    output = CommandOutput(as_json=False)
    rows = [{"at": f"2026-11-2{day}", "made_by": "d" * 80, "of": "v"} for day in (1, 2)]
    output.rows("Rows", rows)
    several = capsys.readouterr().out
    assert f"In every row: made by {'d' * 80}, of v." in several
    assert all(row["at"] in several for row in rows)
    output.rows("Rows", rows[:1])
    single = capsys.readouterr().out
    assert all(word in single for word in ("at", "2026-11-21", "made by", "of"))
    assert "In every row" not in single
    output.rows("Rows", [row | {"made_by": "d"} for row in rows])
    output.rows("Rows", [row | {"at": f"{row['at']} " * 9} for row in rows])
    assert "In every row" not in capsys.readouterr().out


def test_progress_without_a_bar_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    output = CommandOutput(as_json=False)
    with output.bar():
        output.progress("reading", 1, 2, "lines")
    assert capsys.readouterr() == ("", "")


def test_progress_moves_one_bar_per_stage_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = CommandOutput(as_json=False)
    with output.bar():
        output.progress("reading", 1, 2, "lines")
        output.progress("reading", 2, 2, "lines")
        output.progress("flushing", 0)
    shown = capsys.readouterr().err
    assert "reading (lines)" in shown
    assert "flushing" in shown
