"""The process of a source: reads frames, writes them into slots, tells of them (图像来源进程).

A capture that hangs cannot be interrupted within a process; this one is ended from outside.

Rules:
- It is told what to open by one line on standard input, so that no credentials stand in its
  arguments; then by single letters: a slot comes back (``0``, ``1``), a frame is wanted (``n``),
  begin anew (``r``). The end of its input ends it, and so does the end of its parent.
- It answers in lines of JSON on standard output; nothing else is written there, and what the
  libraries write goes to the null device.
- It imports OpenCV and numpy, and no models.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from edge_devices.errors import FacesNotInstalledError, SourceError
from edge_devices.face_terminals.sources.port import SourceKind, SourceSpec
from edge_devices.face_terminals.sources.slots import SLOTS, FrameSlots

if TYPE_CHECKING:
    from edge_devices.face_terminals.sources.reading import Reader

__all__ = ["main"]

_PR_SET_PDEATHSIG: Final = 1
_INPUT: Final = 0
_MAX_HEAD: Final = 8192


class SourceProcess:
    """Serves one source until its input ends."""

    def __init__(self, spec: SourceSpec, slots: FrameSlots, answers: int) -> None:
        """Prepare.

        Args:
            spec: The source.
            slots: Where frames go.
            answers: Descriptor for the answers.
        """
        self._spec: Final = spec
        self._slots: Final = slots
        self._answers: Final = answers
        self._free = set(range(SLOTS))
        self._wanted = 0
        self._turn = 0
        self._is_over = False
        self._is_to_rewind = False

    def run(self) -> None:
        """Open the source and serve it.

        Raises:
            SourceError: It cannot be opened, or gives no frames any more.
        """
        from edge_devices.face_terminals.sources.reading import open_reader  # noqa: PLC0415

        reader = open_reader(self._spec)
        try:
            # Open is a source that gives pictures, not one that merely answers.
            reader.read()
            reader.rewind()
            self._tell(opened=True)
            if self._spec.is_live:
                self._serve_live(reader)
            else:
                self._serve_asked(reader)
        finally:
            reader.close()

    def _serve_live(self, reader: Reader) -> None:
        pace = self._spec.pace
        due = monotonic()
        while not self._is_over:
            turn = self._turn
            frame = reader.read()
            if frame is None:
                reader.rewind()
                continue
            self._hear(0.0)
            if pace:
                due = max(due + 1.0 / pace, monotonic())
                self._pause_until(due)
            # What was read before somebody began to look is not shown to them.
            if self._free and turn == self._turn:
                self._show(frame)

    def _pause_until(self, due: float) -> None:
        """Wait; what the terminal says meanwhile is heard, and makes no frame come earlier."""
        while not self._is_over and due > monotonic():
            self._hear(due - monotonic())

    def _serve_asked(self, reader: Reader) -> None:
        while True:
            self._hear(None)
            if self._is_over:
                return
            if self._is_to_rewind:
                reader.rewind()
                self._is_to_rewind = False
            if not self._wanted or not self._free:
                continue
            self._wanted = 0
            frame = reader.read()
            if frame is None:
                self._tell(ended=self._turn)
            else:
                self._show(frame)

    def _show(self, frame: Any) -> None:  # noqa: ANN401 - a numpy array, imported late
        from edge_devices.face_terminals.sources.reading import fitted  # noqa: PLC0415

        shown = fitted(frame, self._spec.upscale)
        slot = self._free.pop()
        self._slots.write(slot, shown)
        self._tell(slot=slot, height=shown.shape[0], width=shown.shape[1], turn=self._turn)

    def _hear(self, timeout_s: float | None) -> None:
        """Take what the terminal says, waiting at most so long; None: until it says something."""
        wait_s = None if timeout_s is None else max(0.0, timeout_s)
        ready, _, _ = select.select([_INPUT], [], [], wait_s)
        if not ready:
            return
        said = os.read(_INPUT, 256)
        self._is_over = not said
        for letter in said.decode("ascii", "replace"):
            if letter == "n":
                self._wanted = 1
            elif letter == "r":
                self._turn += 1
                self._wanted = 0
                self._is_to_rewind = True
            elif letter in "01":
                self._free.add(int(letter))

    def _tell(self, **values: object) -> None:
        os.write(self._answers, json.dumps(values).encode() + b"\n")


def main() -> None:
    """Serve the source that standard input names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    try:
        head = json.loads(_line())
        _end_with_parent(head["parent"])
        spec = SourceSpec(
            kind=SourceKind(head["kind"]),
            target=head["target"],
            pace=head["pace"],
            upscale=head["upscale"],
        )
        SourceProcess(spec, FrameSlots(head["memory"]), answers).run()
    except (SourceError, FacesNotInstalledError) as error:
        _say_failed(answers, str(error))
    except ImportError:
        _say_failed(answers, "the camera's library is missing: pip install 'yixin[faces]'")
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 - the type alone: a message may quote an address
        _say_failed(answers, f"the source's process failed ({type(error).__name__})")


def _say_failed(answers: int, problem: str) -> None:
    os.write(answers, json.dumps({"failed": problem[:1000]}).encode() + b"\n")


def _line() -> bytes:
    """The first line of standard input, and nothing behind it."""
    found = b""
    while not found.endswith(b"\n") and len(found) < _MAX_HEAD:
        letter = os.read(_INPUT, 1)
        if not letter:
            break
        found += letter
    return found


def _end_with_parent(parent: int) -> None:
    """Be killed when the terminal is: a hung capture does not see that its input ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    main()
