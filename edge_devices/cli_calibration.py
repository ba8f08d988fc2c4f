"""``yixin device calibrate`` and ``evaluate``: thresholds from data, never one constant (标定)."""

import json
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edge_devices.calibration_options import (
    gate_of,
    millionths,
    site_of,
    subjects_of,
    verify_target,
)
from edge_devices.commands import start
from edge_devices.config import DEFAULT_DIRECTORY
from edge_devices.options import AsJson, Directory, Models, models_directory

if TYPE_CHECKING:
    from edge_devices.evaluation.calibrating import Calibrated
    from security.operator import CommandOutput

__all__ = ["register"]

_SHARED: Final = Path("../shared/data/faces")
_CONFIDENCE_UNIT: Final = 10_000

EmbeddingOption = Annotated[
    str | None, typer.Option("--embedding", help="Id of the embedding model, where several are.")
]
GateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="NAME=off",
        help="Put a part of the quality gate off: size, dark, pose, occlusion; repeatable.",
    ),
]
ConfidenceOption = Annotated[
    str, typer.Option("--confidence", help="Confidence of the intervals, in [0.5, 1).")
]
RoundsOption = Annotated[
    int, typer.Option("--bootstrap", min=200, max=100_000, help="Drawings of the subjects.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Of the drawings.")]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("calibrate")(calibrate)
    app.command("evaluate")(evaluate)


def calibrate(
    *,
    pairs: Annotated[
        Path,
        typer.Argument(
            metavar="PAIRS.csv",
            help="left,right,same (pictures, paths beside the table) or score,same; and where "
            "known left_subject,right_subject and group.",
        ),
    ],
    site: Annotated[str, typer.Option("--site", help="Code of the institution.")],
    far: Annotated[
        str, typer.Option("--far", help="Target false-accept rate, such as 0.001.")
    ] = "0.001",
    embedding: EmbeddingOption = None,
    models: Models = None,
    directory: Directory = DEFAULT_DIRECTORY,
    gate: GateOption = None,
    upscale: Annotated[
        int, typer.Option("--upscale", min=1, max=8, help="Enlarge small pictures so many times.")
    ] = 1,
    bootstrap: RoundsOption = 2_000,
    seed: SeedOption = 1,
    confidence: ConfidenceOption = "0.95",
    cautious: Annotated[
        bool,
        typer.Option("--cautious/--point", help="In force: the upper end of the interval, or not."),
    ] = True,
    det: Annotated[
        Path | None, typer.Option("--det", help="Draw the error trade-off there (.png).")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write the calibration there (.json).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the threshold for a target false-accept rate, for one model at one site.

    At least 3 / rate pairs of two persons, 30 of one, and 10 subjects where
    they are named. Name them: pairs of one person depend on each other, and
    without subjects the interval is too narrow. 200 subjects of the site are
    a good number, 20 are not.

    Example: [bold]yixin device calibrate pairs.csv --site H33030200001 --far 0.001
    --det det.png --out calibration.json[/bold]
    """
    with start(as_json) as out:
        from edge_devices.evaluation.calibrating import Fitting, calibrate_table  # noqa: PLC0415
        from edge_devices.models import ModelStore  # noqa: PLC0415  # fast --help
        from edge_devices.models.opening import require_camera  # noqa: PLC0415

        require_camera()
        for path, option, ending in ((det, "--det", ".png"), (out_file, "--out", ".json")):
            verify_target(path, option, ending=ending, inputs=[pairs])
        fitting = Fitting(
            site=site_of(site),
            far_e6=millionths(far, "--far"),
            embedding=embedding,
            gate=gate_of(gate or []),
            upscale=upscale,
            rounds=bootstrap,
            seed=seed,
            confidence_e4=millionths(confidence, "--confidence", unit=_CONFIDENCE_UNIT),
            cautious=cautious,
        )
        with out.bar():
            found = calibrate_table(
                pairs,
                ModelStore(models_directory(models, directory)),
                fitting,
                now=_now(),
                release=_release(),
                progress=out.progress,
            )
            _write(found, det, out_file)
        _say(out, found, det, out_file)


def evaluate(
    *,
    data: Annotated[
        Path, typer.Option("--data", help="Known faces: a folder for every subject.")
    ] = _SHARED / "orl",
    liveness: Annotated[
        Path | None,
        typer.Option(
            "--liveness",
            help="Photos for liveness, T… living, F… false; else ../shared/data/faces/"
            "liveness_samples where it is there.",
        ),
    ] = None,
    upscale: Annotated[
        int, typer.Option("--upscale", min=1, max=8, help="Enlarge pictures so many times.")
    ] = 4,
    fit: Annotated[str, typer.Option("--fit", help="Subjects to fit on.")] = "1-20",
    report: Annotated[str, typer.Option("--report", help="Subjects to try on.")] = "21-40",
    far: Annotated[
        str, typer.Option("--far", help="Target false-accept rates, with commas.")
    ] = "0.01,0.001",
    embedding: EmbeddingOption = None,
    models: Models = None,
    directory: Directory = DEFAULT_DIRECTORY,
    gate: GateOption = None,
    bootstrap: RoundsOption = 2_000,
    seed: SeedOption = 1,
    confidence: ConfidenceOption = "0.95",
    det: Annotated[
        Path | None, typer.Option("--det", help="Draw the error trade-off there (.png).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate the installed models on known faces: accuracy, TAR, FAR, liveness, protocol.

    By default ORL (40 subjects, 23 by 28 pixels), enlarged 4 times, with the
    gate's part size off; thresholds fitted on subjects 1 to 20 and tried on 21
    to 40. For pictures of a usual size: --upscale 1 --gate size=on.

    Example: [bold]yixin device evaluate --models models[/bold]

    Example: [bold]yixin device evaluate --data faces --upscale 1 --fit 1-150 --report
    151-300 --far 0.001 --json[/bold]
    """
    with start(as_json) as out:
        from edge_devices.evaluation.evaluating import Evaluating, run  # noqa: PLC0415  # fast --help
        from edge_devices.evaluation.protocol import Plan  # noqa: PLC0415
        from edge_devices.evaluation.report import evaluation_values, say_evaluation  # noqa: PLC0415

        verify_target(det, "--det", ending=".png", inputs=[])
        samples = _SHARED / "liveness_samples"
        with out.bar():
            done = run(
                Evaluating(
                    data=data,
                    liveness=liveness or (samples if samples.is_dir() else None),
                    models=models_directory(models, directory),
                    embedding=embedding,
                    gate=gate_of(["size=off", *(gate or [])]),
                    plan=Plan(
                        fit=subjects_of(fit, "--fit"),
                        report=subjects_of(report, "--report"),
                        targets_e6=tuple(millionths(one, "--far") for one in far.split(",")),
                        upscale=upscale,
                        rounds=bootstrap,
                        confidence_e4=millionths(confidence, "--confidence", unit=_CONFIDENCE_UNIT),
                    ),
                    seed=seed,
                    det=det,
                ),
                progress=out.progress,
            )
        if as_json:
            out.json(evaluation_values(done.found, done.photos, done.about))
            return
        say_evaluation(out, done.found, done.photos, done.about)


def _now() -> datetime:
    """The moment of the command, to the second."""
    return datetime.now(tz=UTC).replace(microsecond=0)  # noqa: TID251  # a command without `app.py`


def _release() -> str:
    """Release of the program; ``unknown`` where it runs out of its sources."""
    try:
        return metadata.version("yixin")
    except metadata.PackageNotFoundError:
        return "unknown"


def _write(found: "Calibrated", det: Path | None, out_file: Path | None) -> None:
    """Write what was asked for, each file whole or not at all."""
    from security.private_files import write_private  # noqa: PLC0415  # fast --help

    calibration = found.calibration
    if det is not None:
        from edge_devices.evaluation.det_plot import draw_det, lines_of  # noqa: PLC0415  # slow

        lines = lines_of(found.scores, calibration.result.groups)
        title = f"DET of {found.manifest.id} at {calibration.site}"
        content = draw_det(lines, calibration.result, cautious=calibration.cautious, title=title)
        write_private(det, content, replace=True)
    if out_file is not None:
        write_private(out_file, calibration.to_json(), replace=True)


def _say(
    out: "CommandOutput", found: "Calibrated", det: Path | None, out_file: Path | None
) -> None:
    """Say what was found, in words or as JSON."""
    from edge_devices.evaluation.report import say_result  # noqa: PLC0415  # fast --help

    calibration = found.calibration
    if out.as_json:
        told: dict[str, Any] = json.loads(calibration.to_json())
        out.json({**told, "digest": calibration.digest.hex(), "embedding": found.manifest.id})
        return
    dropped = ", ".join(f"{name} {count}" for name, count in calibration.gated.items())
    out.say(
        f"{found.manifest.id} at {calibration.site}: {calibration.result.point.tar.of} pairs of "
        f"one person and {calibration.result.point.far.of} of two, of {found.pictures} pictures; "
        f"left out by the gate: {dropped or 'none'}."
    )
    say_result(out, calibration.result, cautious=calibration.cautious)
    way = "cautious" if calibration.cautious else "point"
    out.say(f"In force once imported: {calibration.threshold_e4 / 10_000:.4f} ({way}).")
    out.say(f"Calibration {calibration.digest.hex()}")
    for path in (det, out_file):
        if path is not None:
            out.say(f"Written: {path}")
    if out_file is not None:
        out.say(f"Next, at the node: yixin node faces calibration import {out_file}")
