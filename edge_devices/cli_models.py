"""``yixin device models``: install, list and verify the files of face models (人脸模型)."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge_devices.commands import start
from edge_devices.config import DEFAULT_DIRECTORY
from edge_devices.models.store import Installed, ModelFault, ModelStore
from edge_devices.options import AsJson, Directory, Models, models_directory
from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.manifest import ModelUse

__all__ = ["register"]

_SHORT: Final = 12
_USE: Final = {
    ModelUse.UNRESTRICTED: "no restriction is known",
    ModelUse.RESEARCH: "for research: have its use in service allowed before relying on it",
    ModelUse.UNKNOWN: "nobody states what it may be used for: ask its maker before relying on it",
}

models_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Models of faces (人脸模型): supplied by the operator, pinned by SHA-256.",
)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.add_typer(models_app, name="models")


@models_app.command("install")
def install(
    *,
    source: Annotated[
        str,
        typer.Argument(metavar="FILE|URL", help="The model's .onnx file, or its https address."),
    ],
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", help="Your own manifest (YAML), for a model of your own."),
    ] = None,
    models: Models = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Verify a model's file against its manifest, open it, and keep it.

    Nothing is shipped: the files come from you, over https or by hand.
    Without --manifest the SHA-256 must be one that the program knows:
    YuNet (detector), MobileFaceNet or SFace (embedding), an anti-spoofing
    model of print and replay (liveness).

    Example: [bold]yixin device models install face_detection_yunet_2023mar.onnx[/bold]

    Example: [bold]yixin device models install https://files.example/arcface.onnx
    --manifest arcface.yaml[/bold]
    """
    with start(as_json) as out:
        from edge_devices.models.installing import install as take  # noqa: PLC0415  # fast --help

        place = models_directory(models, directory)
        with out.bar():
            made = take(
                place, source, manifest=manifest, clock=time.monotonic, progress=out.progress
            )
        out.done(
            _told(made),
            f"{made.manifest.kind.value} {made.manifest.id} installed in {place}.\n"
            f"SHA-256 {made.manifest.sha256}, {made.manifest.bytes} bytes; it opened and its "
            "inputs and outputs are those of the manifest.\n" + _licence(made),
        )


@models_app.command("list")
def show(
    *, models: Models = None, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """List the installed models with their licences, and whether their bytes are still theirs.

    Example: [bold]yixin device models list --models /var/lib/yixin/models[/bold]
    """
    with start(as_json) as out:
        place = models_directory(models, directory)
        store = ModelStore(place)
        with out.bar():
            out.progress("verifying", 0)
            damaged = {fault.file for fault in store.verify()}
        rows = [
            {**_told(one), "verified": one.path.name not in damaged} for one in store.installed()
        ]
        if as_json:
            out.json({"directory": str(place), "models": rows})
            return
        if not rows:
            out.say(f"No model in {place}.\nInstall one: yixin device models install FILE|URL")
            return
        out.rows(
            f"Models in {place}",
            [
                {
                    "id": row["id"],
                    "kind": row["kind"],
                    "digest": row["sha256"][:_SHORT],
                    "licence": row["licence"],
                    "use": row["use"],
                    "verified": "yes" if row["verified"] else "NO",
                }
                for row in rows
            ],
        )


@models_app.command("verify")
def verify(
    *, models: Models = None, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Read every file again, compare its SHA-256, and open it. Exit code 57 tells a fault.

    Example: [bold]yixin device models verify[/bold]
    """
    with start(as_json) as out:
        place = models_directory(models, directory)
        store = ModelStore(place)
        with out.bar():
            out.progress("verifying", 0)
            faults = store.verify()
        if faults:
            raise FaceModelError(_all(faults))
        count = len(store.installed())
        if not count:
            raise FaceModelError(f"no model in {place}: yixin device models install FILE|URL")
        out.done({"directory": str(place), "verified": count}, f"{count} models verified.")


def _all(faults: tuple[ModelFault, ...]) -> str:
    told = "; ".join(f"{one.file}: {one.problem}" for one in faults)
    return f"{len(faults)} of the store's files are not sound. {told}"


def _licence(made: Installed) -> str:
    licence = made.manifest.licence
    return f"Licence: {licence.name} ({licence.of}); {_USE[licence.use]}."


def _told(made: Installed) -> dict[str, Any]:
    manifest = made.manifest
    threshold = manifest.default_threshold_e4
    return {
        "id": manifest.id,
        "kind": manifest.kind.value,
        "sha256": manifest.sha256,
        "bytes": manifest.bytes,
        "licence": manifest.licence.name,
        "licence_of": manifest.licence.of,
        "use": manifest.licence.use.value,
        "own_manifest": made.own,
        "default_threshold_e4": threshold,
    }
