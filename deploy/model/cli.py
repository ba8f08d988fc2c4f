"""``yixin model``: check, list, score, explain, compile and simulate rating models.

Exit codes: 0 done, 2 no such model or day, 3 a path cannot be used, 6 a file of inputs cannot be
read, 18 the catalogue, a model or the inputs are not sound. The message says where and how to
mend it.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from deploy.errors import InputFileError, ModelChoiceError
from deploy.model.checking import inputs_table, models_table, verify_catalog
from deploy.model.choosing import choose_model, find_composite, parse_day
from scoring_kernel.catalog_loader import load_catalog, read_changes
from scoring_kernel.errors import KernelError
from security.errors import KeyFileError
from security.operator.output import (
    SYSTEM_EXIT,
    UNEXPECTED,
    CommandOutput,
    ErrorText,
    Result,
    speaking,
)

EXIT_USAGE: Final = 2
EXIT_INPUT_FILE: Final = 6
EXIT_UNSOUND: Final = 18
EXIT_UNEXPECTED: Final = 70

app = typer.Typer(
    name="model",
    no_args_is_help=True,
    help="Check, score, explain, compile and simulate rating models.",
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model id or short name (institution, physician …), or a .yaml file of your own.",
    ),
]
InputsOption = Annotated[
    Path,
    typer.Option("--inputs", help="Inputs, one row per subject: .csv, .parquet or .arrow."),
]
DayOption = Annotated[
    str | None,
    typer.Option(
        "--day", help="Day or period whose parameters apply, as 2026-06-30 or 2026H1; else today."
    ),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(
        "--reference", help="Peer reference of a hub (JSON); else the subjects of the file."
    ),
]


def today() -> date:
    """Day of the command, Asia/Shanghai."""
    return datetime.now(tz=UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()


def describe(error: Exception) -> ErrorText:
    """Say an error of a model command: stable code, message, exit code."""
    if isinstance(error, KernelError):
        return "kernel", str(error), EXIT_UNSOUND
    if isinstance(error, InputFileError):
        return "import_file", str(error), EXIT_INPUT_FILE
    if isinstance(error, ModelChoiceError):
        return "usage", str(error), EXIT_USAGE
    if isinstance(error, KeyFileError):
        return "configuration", str(error), SYSTEM_EXIT
    return UNEXPECTED, f"unexpected {type(error).__name__}", EXIT_UNEXPECTED


@app.command("check")
def check(
    *,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="A model file of your own, checked with the catalogue."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the whole catalogue, or a model file of your own within it.

    Formats, references, weights, bands, shapes, statuses, sources and the change list.

    Example: [bold]yixin model check[/bold]
    Example: [bold]yixin model check edited.yaml[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), describe) as out:
        if model is not None:
            chosen = choose_model(model).model
            out.done(
                {"model": chosen.id, "status": str(chosen.status), "digest": chosen.digest.hex()},
                f"sound: {chosen.id}, {len(chosen.indicators)} indicators, status "
                f"{chosen.status}, digest {chosen.digest.hex()[:16]}",
            )
            return
        catalog = load_catalog()
        summary: Result = verify_catalog(catalog, read_changes(), today())
        if as_json:
            out.done(summary, "")
            return
        Console().print(models_table(catalog))
        out.say(
            f"sound: digest {catalog.digest.hex()[:16]}, {summary['items']} information items, "
            f"{len(catalog.measure_sets)} measure sets, {summary['transactions']} transactions"
        )


@app.command("list")
def show(*, as_json: JsonOption = False) -> None:
    """List models, measure sets and information items.

    Example: [bold]yixin model list --json[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), describe) as out:
        catalog = load_catalog()
        if as_json:
            listed: Result = {
                "models": {one.id: str(one.status) for one in catalog.models.values()},
                "measures": [
                    f"{one.id}.{measure.id}"
                    for one in catalog.measure_sets.values()
                    for measure in one.measures
                ],
                "items": {one.number: one.name_zh for one in catalog.items.values()},
            }
            out.done(listed, "")
            return
        console = Console()
        console.print(models_table(catalog))
        console.print(inputs_table(catalog))


@app.command("score")
def score(
    *,
    model: ModelArgument,
    inputs: InputsOption,
    out_file: Annotated[
        Path, typer.Option("--out", help="Where the scores go: .csv, .parquet or .arrow.")
    ],
    day: DayOption = None,
    reference: ReferenceOption = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Write a second file beside it with the reason of every point."
        ),
    ] = False,
    measures: Annotated[
        Path | None,
        typer.Option("--measures", help="Composite models only: the measure table, a .csv file."),
    ] = None,
    subject_column: Annotated[
        str,
        typer.Option("--subject-column", help="Composite models only: column of the subject ids."),
    ] = "subject",
    as_json: JsonOption = False,
) -> None:
    """Score a file of subjects with a model.

    Example: [bold]yixin model score institution --inputs inputs.csv --out scores.csv[/bold]
    Example: [bold]yixin model score pharmacy --inputs p.parquet --out s.parquet --explain[/bold]
    Example: [bold]yixin model score cms_hospital_stars_2021 --inputs figures.csv
    --measures measures.csv --subject-column PROVIDER_ID --out stars.csv[/bold]
    """
    from deploy.model import composite, input_files, scoring  # noqa: PLC0415 - pyarrow only here

    with speaking(CommandOutput(as_json=as_json), describe) as out, out.bar():
        input_files.refuse_ending(out_file)
        stars = find_composite(model)
        if stars is not None:
            if measures is None:
                raise InputFileError(
                    f"{stars.id} is a composite model: name its measure table with --measures"
                )
            out.progress("score", 0, 1)
            found = composite.score_file(
                stars,
                inputs=inputs,
                measures=measures,
                subject_column=subject_column,
                out=out_file,
            )
            out.table(f"Scores by {stars.id} (basis: {stars.status.value})", found)
            return
        choice = choose_model(model)
        read_on = parse_day(day, today())
        peers = None if reference is None else scoring.read_reference(reference)
        out.progress("read inputs", 0, 3)
        table = input_files.read_inputs(inputs, choice.model, choice.catalog)
        out.progress("score", 1, 3, "subjects")
        scored = scoring.score_table(choice.model, table, read_on, peers)
        summary: Result = scored.summary()
        out.progress("write", 2, 3)
        input_files.write_table(scoring.scores_table(scored.result), out_file)
        summary["out"] = str(out_file)
        if explain:
            beside = out_file.with_name(f"{out_file.stem}.explained{out_file.suffix}")
            input_files.write_table(scoring.explained_table(scored.result), beside)
            summary["explained"] = str(beside)
        out.table(f"Scores by {choice.model.id} (basis: {scored.result.basis})", summary)


@app.command("explain")
def explain(
    *,
    model: ModelArgument,
    subject: Annotated[str, typer.Option("--subject", help="Subject id.")],
    inputs: Annotated[
        Path | None,
        typer.Option("--inputs", help="Inputs of the subject and its peers; else the example."),
    ] = None,
    day: DayOption = None,
    reference: ReferenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one subject's grade, the greatest loss first, and what would raise it.

    Without --inputs a packaged example is read, a simulated city of 2026H1.

    Example: [bold]yixin model explain institution --subject H33030200001[/bold]
    """
    from deploy.model import explaining  # noqa: PLC0415 - pyarrow only where needed

    with speaking(CommandOutput(as_json=as_json), describe) as out:
        choice = choose_model(model)
        found = explaining.explain_subject(
            choice, subject, inputs=inputs, reference=reference, day=day, today=today()
        )
        if as_json:
            out.done(found.to_json(), "")
            return
        explaining.show(found, out)


@app.command("compile")
def compile_(
    *,
    model: ModelArgument,
    out_file: Annotated[Path, typer.Option("--out", help="Where the ONNX file goes.")],
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="Peer reference of a hub (JSON); else none is built in."),
    ] = None,
    day: DayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compile a model to ONNX: the same points, total and grade, bit for bit.

    Example: [bold]yixin model compile institution --out institution.onnx --day 2026H1[/bold]
    """
    from deploy.model.compiling import compile_to  # noqa: PLC0415 - onnx only where needed

    with speaking(CommandOutput(as_json=as_json), describe) as out:
        choice = choose_model(model)
        summary = compile_to(choice.model, reference, parse_day(day, today()), out_file)
        out.table(f"ONNX of {choice.model.id}", summary)


@app.command("simulate")
def simulate(
    *,
    model: Annotated[str, typer.Argument(metavar="FILE", help="The edited model, a .yaml file.")],
    inputs: InputsOption,
    earlier: Annotated[
        Path | None,
        typer.Option("--earlier", help="Inputs of an earlier period, to measure stability."),
    ] = None,
    day: DayOption = None,
    picture: Annotated[
        Path | None, typer.Option("--png", help="Draw everything as one picture.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an edited model would change: who moves, why, how steady the grades are.

    The inputs are those of a graded period (`yixin hub inputs`), the model is an edited copy of
    the packaged one.

    Example: [bold]yixin model simulate edited.yaml --inputs 2026H1.csv --png moves.png[/bold]
    """
    from deploy.model import showing, simulating  # noqa: PLC0415 - pyarrow only where needed

    with speaking(CommandOutput(as_json=as_json), describe) as out, out.bar():
        found = simulating.run(
            choose_model(model),
            inputs=inputs,
            earlier=earlier,
            day=parse_day(day, today()),
            progress=out.progress,
        )
        if picture is not None:
            out.progress("draw", 0, 1)
            from deploy.model.chart import draw  # noqa: PLC0415 - matplotlib only where needed

            draw(found, picture)
        if as_json:
            out.done(found.to_json(), "")
            return
        showing.show_what_if(found, out)
        if picture is not None:
            out.say(f"picture: {picture}")
