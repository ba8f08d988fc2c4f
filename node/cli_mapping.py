"""Help with tables on the command line: `--suggest-mapping`, `yixin node mapping check|registers`.

None needs a node: what they work with is the catalogue and the named files.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from node.cli_options import AsJson
from node.commands import NodeOutput, start
from node.errors import ConfigurationError

__all__ = ["register", "suggest"]

ABSENT_EXIT: Final = 1
"""Exit code of a check that found columns missing in the table."""

mapping_app = typer.Typer(no_args_is_help=True, help="Mapping files: what foreign columns mean.")


def register(app: typer.Typer) -> None:
    """Add the commands to the node's."""
    app.add_typer(mapping_app, name="mapping")


def suggest(out: NodeOutput, files: list[Path], sheet: str | None) -> None:
    """Print a proposed mapping for one file.

    Raises:
        ConfigurationError: Several files are named.
    """
    from node.intake.mapping_help import suggest_mapping  # noqa: PLC0415  # keeps `--help` fast
    from scoring_kernel import load_catalog  # noqa: PLC0415  # keeps `--help` fast

    if len(files) != 1:
        raise ConfigurationError("--suggest-mapping looks at one file: name one")
    found = suggest_mapping(files[0], load_catalog(), sheet=sheet)
    out.done(
        {"mapping": found.text, "kinds": list(found.targets), "problem": found.problem},
        found.text.rstrip("\n"),
    )
    if found.problem:
        out.hint(f"Not ready for use: {found.problem}.")


@mapping_app.command("check")
def mapping_check(
    mapping: Annotated[Path, typer.Argument(metavar="MAPPING", help="The mapping file.")],
    table: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A file that is to be read with it."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check a mapping file, and whether a file has the columns it reads; nothing is taken in.

    Exit code 1 tells that the file lacks some.

    Example: [bold]yixin node mapping check fees.mapping.yaml fees.xlsx[/bold]
    """
    with start(as_json) as out:
        from node.intake.mapping_help import check_mapping  # noqa: PLC0415  # keeps `--help` fast
        from scoring_kernel import load_catalog  # noqa: PLC0415  # keeps `--help` fast

        found = check_mapping(mapping, load_catalog(), table)
        rows = [dict(zip(("record", "column", "from"), line, strict=True)) for line in found.lines]
        if as_json:
            out.json(
                {
                    "namespace": found.namespace,
                    "columns": rows,
                    "absent": list(found.absent),
                    "unused": list(found.unused),
                }
            )
        else:
            out.rows(f"Mapping {found.namespace}", rows)
            if table is not None:
                out.say(f"Not read of {table.name}: {', '.join(found.unused) or 'nothing'}.")
            if found.absent:
                out.say(f"Missing in {table and table.name}: {', '.join(found.absent)}.")
        if found.absent:
            raise typer.Exit(ABSENT_EXIT)


@mapping_app.command("registers")
def list_registers(*, as_json: AsJson = False) -> None:
    """List the registers (登记): tables that need no mapping file, with their columns.

    A table whose header is exactly a register's columns, in any order, is taken in as it is.

    Example: [bold]yixin node mapping registers[/bold]
    """
    with start(as_json) as out:
        from node.intake.registers import registers  # noqa: PLC0415  # keeps `--help` fast
        from scoring_kernel import load_catalog  # noqa: PLC0415  # keeps `--help` fast
        from security.operator.wide_tables import lay_out  # noqa: PLC0415  # keeps `--help` fast

        found = registers(load_catalog())
        if as_json:
            out.json({"registers": [asdict(one) for one in found]})
            return
        titles = {"name": "column", "name_zh": "列", "needed": "", "form": "cells"}
        for one in found:
            out.say(f"{one.kind} {one.name_zh}: {one.header}")
            rows = [
                asdict(column) | {"needed": "needed" if column.needed else ""}
                for column in one.columns
            ]
            for part in lay_out(titles, rows, texts=frozenset(titles), width=out.width):
                out.show(part)
            out.say("")
