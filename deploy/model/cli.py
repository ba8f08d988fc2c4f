"""``yixin model``: check, list, score, explain, compile, simulate and pack rating models.

Exit codes: 0 done, 2 no such model or day, 3 a path cannot be used, 6 a file of inputs cannot be
read, 18 the catalogue, a model or the inputs are not sound. The message says where and how to
mend it.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import ModelChoiceError
from deploy.model import pack_commands
from deploy.model.checking import (
    composites_table,
    inputs_table,
    models_table,
    verify_catalog,
)
from deploy.model.choosing import (
    choose_model,
    find_composite,
    model_file,
    needed_measures,
    parse_day,
    refuse_composite,
    refuse_given,
)
from deploy.model.options import (
    DayOption,
    InputsOption,
    JsonOption,
    MeasuresOption,
    ModelArgument,
    ReferenceOption,
    SubjectColumnOption,
    describe,
    today,
)
from scoring_kernel.catalog_loader import load_catalog, read_changes
from security.operator.output import CommandOutput, Result, speaking

app = typer.Typer(
    name="model",
    no_args_is_help=True,
    help="Check, score, explain, compile and simulate rating models; make and sign packs.",
)
app.add_typer(pack_commands.app)


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
                f"{chosen.status}, digest {chosen.digest.hex()}",
            )
            return
        catalog = load_catalog()
        summary: Result = verify_catalog(catalog, read_changes(), today())
        if as_json:
            out.done(summary, "")
            return
        out.show(models_table(catalog))
        out.show(composites_table(catalog))
        out.say(
            f"sound: digest {catalog.digest.hex()}, {summary['items']} information items, "
            f"{len(catalog.measure_sets)} measure sets, {summary['transactions']} transactions"
        )


@app.command("list")
def show(
    *,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="Model whose input columns, levels, types and grades are wanted; else all.",
        ),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option("--template", help="Write the header of the model's inputs to a .csv file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List models, measure sets and information items; or what one model wants to know.

    Example: [bold]yixin model list --json[/bold]
    Example: [bold]yixin model list physician --template inputs.csv[/bold]
    """
    from deploy.model import columns, targets  # noqa: PLC0415 - pyarrow only where needed

    with speaking(CommandOutput(as_json=as_json), describe) as out:
        if model is not None:
            refuse_composite(model, "list", "its inputs are the measures of its measure table")
            choice = choose_model(model)
            if template is not None:
                targets.refuse_target(
                    template, "--template", inputs=[model_file(model)], ending=".csv"
                )
                columns.write_template(choice, template)
            named: Result = {} if template is None else {"template": str(template)}
            if as_json:
                out.done(columns.described(choice) | named, "")
                return
            for line in (*columns.summary_lines(choice), *columns.column_lines(choice)):
                out.say(line)
            if template is not None:
                out.say(f"template: {template}")
            return
        if template is not None:
            raise ModelChoiceError("--template needs a model: name one before it")
        catalog = load_catalog()
        if as_json:
            listed: Result = {
                "models": {one.id: str(one.status) for one in catalog.models.values()},
                "composites": {one.id: str(one.status) for one in catalog.composites.values()},
                "measures": [
                    f"{one.id}.{measure.id}"
                    for one in catalog.measure_sets.values()
                    for measure in one.measures
                ],
                "items": {one.number: one.name_zh for one in catalog.items.values()},
            }
            out.done(listed, "")
            return
        out.show(models_table(catalog))
        out.show(composites_table(catalog))
        out.show(inputs_table(catalog))


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
    measures: MeasuresOption = None,
    subject_column: SubjectColumnOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a file of subjects with a model.

    Example: [bold]yixin model score institution --inputs inputs.csv --out scores.csv[/bold]
    Example: [bold]yixin model score pharmacy --inputs p.parquet --out s.parquet --explain[/bold]
    Example: [bold]yixin model score cms_hospital_stars_2021 --inputs figures.csv
    --measures measures.csv --subject-column PROVIDER_ID --out stars.csv[/bold]
    """
    from deploy.model import composite, scoring, targets  # noqa: PLC0415 - pyarrow only here

    with speaking(CommandOutput(as_json=as_json), describe) as out, out.bar():
        beside = out_file.with_name(f"{out_file.stem}.explained{out_file.suffix}")
        read = [inputs, reference, measures, model_file(model)]
        for target in (out_file, beside) if explain else (out_file,):
            targets.refuse_target(target, "--out", inputs=read)
        stars = find_composite(model)
        if stars is not None:
            refuse_given(
                stars.id,
                {"--day": day, "--reference": reference, "--explain": explain or None},
            )
            out.progress("score", 0, 1)
            found = composite.score_file(
                stars,
                inputs=inputs,
                measures=needed_measures(stars.id, measures),
                subject_column=subject_column or "subject",
                out=out_file,
            )
            out.table(f"Scores by {stars.id} (basis: {stars.status.value})", found)
            return
        choice = choose_model(model)
        refuse_given(choice.model.id, {"--measures": measures, "--subject-column": subject_column})
        scored = scoring.score_file(
            choice,
            inputs=inputs,
            reference=reference,
            day=None if day is None else parse_day(day, today()),
            today=today(),
            explained=explain,
            progress=out.progress,
        )
        out.progress("write", 2, 3)
        summary: Result = scored.summary() | {"out": str(out_file)}
        targets.write_table(scoring.scores_table(scored.result), out_file)
        if explain:
            targets.write_table(scoring.explained_table(scored.result), beside)
            summary["explained"] = str(beside)
        out.table(f"Scores by {choice.model.id} (basis: {scored.result.basis})", summary)
        if scored.warning is not None:
            out.hint(scored.warning)


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
    measures: MeasuresOption = None,
    subject_column: SubjectColumnOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one subject's grade, the greatest loss first, and what would raise it.

    Without --inputs a packaged example is read, a simulated city of 2026H1. A composite model
    needs --inputs and --measures.

    Example: [bold]yixin model explain institution --subject H33030200001[/bold]
    """
    from deploy.model import composite, explaining  # noqa: PLC0415 - pyarrow only where needed

    with speaking(CommandOutput(as_json=as_json), describe) as out:
        stars = find_composite(model)
        if stars is not None:
            refuse_given(stars.id, {"--day": day, "--reference": reference})
            if inputs is None:
                raise ModelChoiceError(f"{stars.id}: name the figures with --inputs")
            result = composite.score_subjects(
                stars, inputs, needed_measures(stars.id, measures), subject_column or "subject"
            )
            told = composite.explain_subject(result, subject)
            if as_json:
                out.done(asdict(told), "")
                return
            composite.show(told, result, out)
            return
        choice = choose_model(model)
        refuse_given(choice.model.id, {"--measures": measures, "--subject-column": subject_column})
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
    from deploy.model.targets import refuse_target  # noqa: PLC0415 - pyarrow only where needed

    with speaking(CommandOutput(as_json=as_json), describe) as out:
        refuse_composite(model, "compile", "only points models are compiled; score it instead")
        read = [reference, model_file(model)]
        refuse_target(out_file, "--out", inputs=read, ending=".onnx")
        choice = choose_model(model)
        asked = None if day is None else parse_day(day, today())
        summary = compile_to(choice.model, reference, asked, today(), out_file)
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
    day: Annotated[
        str | None,
        typer.Option(
            "--day",
            help="Day or period whose parameters apply, as 2026-06-30 or 2026H1; else today.",
        ),
    ] = None,
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
    from deploy.model.targets import refuse_target  # noqa: PLC0415 - pyarrow only where needed

    with speaking(CommandOutput(as_json=as_json), describe) as out, out.bar():
        refuse_composite(model, "simulate", "only points models are compared")
        if picture is not None:
            read = [inputs, earlier, model_file(model)]
            refuse_target(picture, "--png", inputs=read, ending=".png")
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
