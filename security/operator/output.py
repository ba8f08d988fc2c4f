"""How a command speaks: progress bar, tables, one JSON object, errors with their exit code.

Progress, hints and errors go to standard error, results to standard output; with ``--json`` a
result is one JSON object and nothing else, character for character. Texts from outside never reach
a terminal with their control characters.
"""

import json
import sys
import tempfile
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar

import typer
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
)
from rich.table import Table

Result: TypeAlias = dict[str, Any]
"""Arguments and results of jobs: JSON objects, as they also travel over the command socket."""
ErrorText: TypeAlias = tuple[str, str, int]
"""Stable code, message and exit code of an error."""

UNEXPECTED: Final = "unexpected"
"""Stable code of a defect; its traceback goes to a file."""
SYSTEM: Final = "configuration"
"""Stable code when the operating system refuses a path."""
SYSTEM_EXIT: Final = 3
_UNFOLDED: Final = 10_000
"""Columns of a terminal on which nothing is folded."""
_FOLDED: Final = 1.4
"""How much wider than the terminal a table may be: folded, it can still be read."""
INTERRUPTED_EXIT: Final = 130
"""Exit code after Ctrl-C, as shells expect it."""


class CommandOutput:
    """Speaks to the operator, or prints one JSON object for scripts."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = Console(highlight=False, markup=False, emoji=False)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._bar: Progress | None = None
        self._task: tuple[str, TaskID] | None = None

    def say(self, text: str) -> None:
        """One line of result."""
        self._out.print(printable(text), soft_wrap=True)

    def hint(self, text: str) -> None:
        """One line for the operator that is no result."""
        self._err.print(printable(text), soft_wrap=True)

    def progress(self, stage: str, done: int, total: int = 0, unit: str = "") -> None:
        """Move the progress bar; stages follow each other on lines of their own."""
        if self._bar is None:
            return
        if self._task is None or self._task[0] != stage:
            name = f"{stage} ({unit})" if unit else stage
            self._task = (stage, self._bar.add_task(name, total=total or None))
        self._bar.update(self._task[1], completed=done, total=total or None)

    @contextmanager
    def bar(self) -> Iterator[None]:
        """Show progress while the body runs, on a terminal only."""
        if not sys.stderr.isatty():
            yield
            return
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._err,
            transient=True,
        ) as bar:
            self._bar = bar
            try:
                yield
            finally:
                self._bar = None
                self._task = None

    def done(self, result: Mapping[str, Any], text: str) -> None:
        """Say a result in words, or print it as JSON."""
        if self.as_json:
            self.json(result)
        else:
            self.say(text)

    def json(self, result: Mapping[str, Any]) -> None:
        """Print a result as one line of JSON, exactly; in ASCII where nothing else can be shown."""
        bare = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
        sys.stdout.write(json.dumps(result, ensure_ascii=bare) + "\n")
        sys.stdout.flush()

    def table(self, title: str, result: Mapping[str, Any]) -> None:
        """Show a flat result as two columns."""
        if self.as_json:
            self.done(result, "")
            return
        table = Table(title=printable(title), show_header=False)
        table.add_column()
        table.add_column(overflow="fold")
        for name, value in result.items():
            table.add_row(name.replace("_", " "), shown(value))
        self._out.print(table)

    def counts(self, title: str, of: str, counts: Mapping[str, int]) -> None:
        """Show how many there are of each, under the names that options take."""
        self.rows(title, [{of: name, "count": count} for name, count in counts.items()])

    def advice(self, advice: Mapping[str, Any]) -> None:
        """Show what would lift a grade: a sentence in both languages, and the changes."""
        self.say(advice["text_zh"])
        self.say(advice["text_en"])
        if advice["changes"]:
            self.rows(
                "What would change it",
                [
                    {
                        "指标": one["name_zh"],
                        "indicator": one["name_en"],
                        "from": one["from_text"],
                        "to": one["to_text"],
                        "gains": f"{one['gain_centi'] / 100:.2f}",
                        "effort": one["effort"],
                    }
                    for one in advice["changes"]
                ],
            )

    def rows(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show equal objects as a table.

        Where that is much wider than the terminal, a single one is shown as two columns, and what
        several ones all say is told once, below, if the rest fits then.
        """
        if not rows:
            self.say(f"{title}: nothing")
            return
        table = _laid_out(title, rows)
        if self._fits(table):
            self._out.print(table)
        elif len(rows) == 1:
            self.table(title, rows[0])
        else:
            once = told_once(rows[0], rows)
            left = [{name: row[name] for name in row if name not in once} for row in rows]
            narrow = _laid_out(title, left)
            if once and self._fits(narrow):
                self._out.print(narrow)
                told = (f"{name.replace('_', ' ')} {one or '—'}" for name, one in once.items())
                self.say(f"In every row: {', '.join(told)}.")
            else:
                self._out.print(table)

    def _fits(self, table: Table) -> bool:
        """Whether a table can be read on this terminal, if folded a little."""
        unfolded = self._out.options.update(width=_UNFOLDED)
        return Measurement.get(self._out, unfolded, table).maximum <= _FOLDED * self.width

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._out.width

    def show(self, laid_out: RenderableType) -> None:
        """Show what is laid out already; its texts are without control characters."""
        self._out.print(laid_out)


OutputT = TypeVar("OutputT", bound=CommandOutput)


def _laid_out(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=printable(title))
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(shown(value) for value in row.values()))
    return table


def told_once(columns: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Find the columns, the first apart, in which all of several rows say the same.

    Args:
        columns: Names of the columns, in order.
        rows: Values by column.

    Returns:
        The value by column, as a table shows it.

    >>> told_once("ab", [{"a": 1, "b": 0}, {"a": 2, "b": 0}])
    {'b': '0'}
    """
    if len(rows) < 2:
        return {}
    values = {name: {shown(row[name]) for row in rows} for name in list(columns)[1:]}
    return {name: next(iter(found)) for name, found in values.items() if len(found) == 1}


def shown(value: object) -> str:
    """A value as a table shows it: whole, and without control characters.

    >>> shown({"a": 1, "b": None}), shown({}), shown(None), shown(["a", 2]), shown([])
    ('a 1, b —', 'none', '—', 'a, 2', 'none')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "none"
    return "—" if value is None else printable(str(value))


def printable(text: str) -> str:
    r"""A text with its control characters escaped; line ends stay.

    >>> printable("a\x1b[2J\u202e\n医"), printable("a b")
    ('a\\x1b[2J\\u202e\n医', 'a b')
    """
    if text.isprintable():
        return text
    return "".join(
        repr(one)[1:-1] if one != "\n" and unicodedata.category(one) in _UNSEEN else one
        for one in text
    )


_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of characters that move, turn or hide what a terminal shows."""


@contextmanager
def speaking(output: OutputT, describe: Callable[[Exception], ErrorText]) -> Iterator[OutputT]:
    """Run a command's body; an error becomes one message and its exit code.

    Args:
        output: Where to speak.
        describe: Gives code, message and exit code of an error.

    Raises:
        typer.Exit: The body failed; the message has been said.
    """
    try:
        yield output
    except (typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt as error:
        output.hint("Interrupted. What was committed stays; run the command again to go on.")
        raise typer.Exit(INTERRUPTED_EXIT) from error
    except OSError as error:
        place = "the operating system refuses" if error.filename is None else str(error.filename)
        mend = "check the path and its rights" if error.filename else "mend that and run it again"
        _tell(output, SYSTEM, f"{place}: {error.strerror or error}; {mend}")
        raise typer.Exit(SYSTEM_EXIT) from error
    except Exception as error:
        code, message, exit_code = describe(error)
        if code == UNEXPECTED:
            message = f"{message}; the details are in {_keep_details(error)}"
        _tell(output, code, message)
        raise typer.Exit(exit_code) from error


def _tell(output: CommandOutput, code: str, message: str) -> None:
    if output.as_json:
        output.json({"error": code, "message": message})
    else:
        output.hint(f"Error ({code}): {message}")


def _keep_details(error: Exception) -> str:
    """Write the traceback of a defect to a file that only the operator can read."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="yixin-fault-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.writelines(traceback.format_exception(error))
        return file.name
