"""How answers of a terminal are told: lines for people, lines of JSON for programs."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edge_devices.errors import DeviceConfigurationError
from security.operator import CommandOutput

__all__ = ["answering"]


@contextmanager
def answering(out: CommandOutput, answers: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Open where answers go.

    Args:
        out: Speaks on standard output.
        answers: Path of a FIFO or file that takes lines of JSON; ``-`` for standard output.

    Yields:
        What takes an answer.

    Raises:
        DeviceConfigurationError: The path cannot be opened.
    """
    if answers == "-":
        yield partial(_answer, out)
        return
    from edge_devices.face_terminals.answering import AnswerLines  # noqa: PLC0415  # fast --help

    lines = AnswerLines(Path(answers), out.hint)
    try:
        yield lines.tell
    finally:
        lines.close()


def _answer(out: CommandOutput, told: dict[str, Any]) -> None:
    """Tell who asked.

    Raises:
        DeviceConfigurationError: Nobody reads the answers any more.
    """
    try:
        if out.as_json:
            out.json(told)
        else:
            out.say(_line(told))
            sys.stdout.flush()
    except BrokenPipeError as error:
        # What Python still holds for standard output would be told as a second error at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise DeviceConfigurationError(
            "nobody reads the answers any more: standard output was closed. Events that were "
            "answered for stay in the queue; start the terminal again with its reader"
        ) from error


def _line(told: dict[str, Any]) -> str:
    if "error" in told:
        return f"refused: {told['message']}"
    parts = [f"{told['id']}: {told['verdict']}" if told["id"] else told["verdict"]]
    if told["reason"]:
        parts[0] += f" (reason {told['reason']})"
    if told["cause"]:
        parts[0] += f" ({told['cause']})"
    if told["problem"]:
        parts.append(told["problem"])
    if told["score_e4"] is not None:
        threshold = told["threshold_e4"]
        against = "no threshold" if threshold is None else f"threshold {threshold / 1e4:.4f}"
        parts.append(f"likeness {told['score_e4'] / 1e4:.4f}, {against}")
        parts.append(f"liveness {told['liveness']}")
    if told["seq"] is None:
        parts.append("no event was kept")
    else:
        parts.append(f"event {told['seq']} {'delivered' if told['delivered'] else 'waits'}")
    return "; ".join(parts)
