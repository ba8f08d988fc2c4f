"""``yixin model pack|keys|root|publish|sign|release``: packs, made and signed by TUF.

Each step is one person's, at that person's desk: the repository is a directory that is handed
on, and no step needs another one's key.

Exit codes: those of ``yixin model``; 46 a pack, a key or the repository cannot be used; those of
``yixin hub`` where ``release`` gives an order.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.model.options import EXIT_UNEXPECTED, JsonOption, describe, today
from deploy.model.targets import refuse_target
from scoring_kernel.packs import PackCard
from security.errors import PackError
from security.operator.output import CommandOutput, ErrorText, speaking

app = typer.Typer()
keys_app = typer.Typer(no_args_is_help=True, help="Keys of who signs packs (签名密钥).")
root_app = typer.Typer(no_args_is_help=True, help="The root of the packs: who may sign what.")
app.add_typer(keys_app, name="keys")
app.add_typer(root_app, name="root")

RepositoryArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The packs' repository.", file_okay=False)
]
KeyOption = Annotated[
    Path, typer.Option("--key", help="Private key of the signer.", dir_okay=False)
]
PublicOption = Annotated[
    list[Path], typer.Option(help="Public key (.pub); repeat for each.", dir_okay=False)
]


@app.command("pack")
def pack(
    *,
    out_file: Annotated[Path, typer.Option("--out", help="Where the pack goes: a .zip file.")],
    version: Annotated[
        str | None, typer.Option("--version", help="Version, as 2026.12.1; else today's.")
    ] = None,
    from_day: Annotated[
        str | None, typer.Option("--from", help="First day it may be used, yyyy-mm-dd; else today.")
    ] = None,
    to_day: Annotated[
        str | None, typer.Option("--to", help="Last day; else until further notice.")
    ] = None,
    grace_days: Annotated[
        int,
        typer.Option(
            "--grace-days", min=0, max=400, help="Days nodes go on with it when metadata expired."
        ),
    ] = 30,
    catalog: Annotated[
        Path | None,
        typer.Option("--catalog", file_okay=False, help="An edited copy; else the packaged one."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a pack of the catalogue: rules, compiled models and golden vectors.

    Example: [bold]yixin model pack --version 2026.12.1 --from 2026-12-01 --out P.zip[/bold]
    """
    from deploy.model.packing import make_pack  # noqa: PLC0415 - DuckDB and ONNX only here

    with speaking(CommandOutput(as_json=as_json), _describe) as out, out.bar():
        refuse_target(out_file, "--out", inputs=[], ending=".zip")
        day = today()
        card = PackCard(
            version=version or f"{day.year}.{day.month}.{day.day}",
            effective_from=_day(from_day) or day,
            effective_to=_day(to_day),
            grace_days=grace_days,
        )
        out.table(f"Pack {card.version}", make_pack(catalog, card, out_file, out.progress))


@keys_app.command("new")
def new_key(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who holds it, in small letters.")],
    role: Annotated[str, typer.Option("--role", help="root, targets or online.")],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Where the private key goes; else NAME.key.")
    ] = None,
    post_quantum: Annotated[
        bool, typer.Option("--post-quantum", help="ML-DSA-65 in place of Ed25519.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key: a private file to keep, and beside it a public one (.pub) to hand out.

    Example: [bold]yixin model keys new --role targets security-officer[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from security.packs.keys import Role, create_key, public_path  # noqa: PLC0415 - TUF

        if role not in set(Role):
            raise PackError(f"{role[:40]!r} is no role: expected {', '.join(Role)}")
        path = out_file or Path(f"{name}.key")
        made = create_key(path, name, Role(role), post_quantum=post_quantum)
        out.done(
            {"holder": name, "role": role, "keyid": made.key_id, "private": str(path)},
            f"Key {made.key_id[:16]} of {name} for {role}: keep {path}, hand out "
            f"{public_path(path)}",
        )


@root_app.command("init")
def init_root(
    *,
    directory: RepositoryArgument,
    root: PublicOption,
    targets: PublicOption,
    online: Annotated[Path, typer.Option(help="Public key of the desk that releases.")],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Validity, days.")] = 365,
    as_json: JsonOption = False,
) -> None:
    """Lay out the first root for signing: three keys of the root, two of the targets, one online.

    Example: [bold]yixin model root init repo --root a.key.pub --root b.key.pub --root c.key.pub
    --targets business.key.pub --targets security.key.pub --online desk.key.pub[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from security.packs.metadata_files import newest_root  # noqa: PLC0415 - TUF only here

        if newest_root(directory) is not None:
            raise PackError(f"{directory} has a root: change it with yixin model root rotate")
        _stage(out, directory, (root, targets, online), days)


@root_app.command("rotate")
def rotate_root(
    *,
    directory: RepositoryArgument,
    root: PublicOption,
    targets: PublicOption,
    online: Annotated[Path, typer.Option(help="Public key of the desk that releases.")],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Validity, days.")] = 365,
    as_json: JsonOption = False,
) -> None:
    """Lay out the next root: other keys, or the same for longer. Two old and two new keys sign it.

    Example: [bold]yixin model root rotate repo --root a.key.pub --root b.key.pub --root d.key.pub
    --targets business.key.pub --targets security.key.pub --online desk.key.pub[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from security.packs.metadata_files import newest_root  # noqa: PLC0415 - TUF only here

        if newest_root(directory) is None:
            raise PackError(f"{directory} has no root yet: make one with yixin model root init")
        _stage(out, directory, (root, targets, online), days)


@root_app.command("sign")
def sign_root(
    *, directory: RepositoryArgument, key: KeyOption, as_json: JsonOption = False
) -> None:
    """Sign the root that waits. Two of three make it hold.

    Example: [bold]yixin model root sign repo --key a.key[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from security.packs import ceremony, keys  # noqa: PLC0415 - TUF only here

        done = ceremony.sign_root(directory, keys.load_signer(key))
        state = "holds" if done.is_complete else "waits for another signature"
        out.done(_signed(done), f"Root {done.version}: {done.signatures} signatures, {state}")


@app.command("publish")
def publish(
    *,
    pack_file: Annotated[
        Path, typer.Argument(metavar="PACK", help="The pack, a .zip file.", dir_okay=False)
    ],
    repository: Annotated[Path, typer.Option("--repository", help="The packs' repository.")],
    key: KeyOption,
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="Validity, days.")] = 180,
    as_json: JsonOption = False,
) -> None:
    """Check a pack, add it to the repository, and sign it as the first of two.

    Example: [bold]yixin model publish P.zip --repository repo --key business.key[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out, out.bar():
        from deploy.model.packing import check_pack  # noqa: PLC0415 - DuckDB and ONNX only here
        from security.packs import ceremony, keys  # noqa: PLC0415 - TUF only here
        from security.packs.archive import MAX_BYTES  # noqa: PLC0415 - beside the others

        signer = keys.load_signer(key)
        with pack_file.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        out.progress("check", 0, 1, "packs")
        told = check_pack(content)
        done = ceremony.stage_pack(
            repository,
            str(told["version"]),
            content,
            signer=signer,
            now=_now(),
            days=days,
        )
        out.done(
            told | _signed(done),
            f"Pack {told['version']} is signed by one of two and seen by nobody.\n"
            f"Next, the other officer: yixin model sign {repository} --key KEY",
        )


@app.command("sign")
def sign(*, directory: RepositoryArgument, key: KeyOption, as_json: JsonOption = False) -> None:
    """Check the packs that wait, and sign them as the second of two.

    Example: [bold]yixin model sign repo --key security.key[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out, out.bar():
        from deploy.model.packing import check_pack  # noqa: PLC0415 - DuckDB and ONNX only here
        from security.packs import ceremony, keys  # noqa: PLC0415 - TUF only here
        from security.packs.files import read_pack  # noqa: PLC0415 - beside the others
        from security.packs.layout import file_of  # noqa: PLC0415 - beside the others

        signer = keys.load_signer(key)
        waiting = ceremony.waiting_packs(directory)
        for number, (name, digest) in enumerate(waiting.items()):
            out.progress("check", number, len(waiting), "packs")
            check_pack(read_pack(directory / file_of(name, digest), digest))
        done = ceremony.sign_targets(directory, signer)
        out.done(
            _signed(done) | {"packs": list(waiting)},
            f"Both signed: {', '.join(waiting) or 'a longer validity'}.\n"
            f"Next, the desk: yixin model release {directory} --key KEY",
        )


@app.command("release")
def release(
    *,
    directory: RepositoryArgument,
    key: KeyOption,
    group: Annotated[
        str | None, typer.Option("--group", help="Order a pack for this group at once.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", help="Version that is ordered; else the newest, without officers."
        ),
    ] = None,
    from_day: Annotated[
        str | None, typer.Option("--from", help="First day of the order, yyyy-mm-dd; else today.")
    ] = None,
    hub: Annotated[
        Path | None, typer.Option("--hub", help="State directory of the hub that gives the order.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign snapshot and timestamp: what both signed is seen from now on. Repeat within a week.

    With --group the hub logs the release and orders the pack for the first group.

    Example: [bold]yixin model release repo --key desk.key --group pilot --from 2026-12-01[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from security.packs import ceremony, keys  # noqa: PLC0415 - TUF only here

        if group is None and (from_day, version, hub) != (None, None, None):
            raise PackError(
                "--from, --version and --hub need --group: who is to use the pack first?"
            )
        day = _day(from_day) or today()
        result: dict[str, Any] = dict(ceremony.release(directory, keys.load_signer(key), _now()))
        text = f"Released: targets {result['targets']}, timestamp {result['timestamp']}."
        if group is not None:
            from hub.commands import run_job  # noqa: PLC0415 - the hub only where it is asked
            from hub.config import hub_directory  # noqa: PLC0415 - the same

            ordered = run_job(
                hub_directory(hub),
                "packs-order",
                {"group": group, "from_day": day.isoformat(), "version": version},
                out,
            )
            result |= ordered
            text += (
                f"\nOrdered {ordered['target']} for {group} from {day}: {ordered['members']} "
                "members. See: yixin hub packs status"
            )
        out.done(result, text)


def _stage(
    out: CommandOutput, directory: Path, public: tuple[list[Path], list[Path], Path], days: int
) -> None:
    from security.packs import ceremony, keys  # noqa: PLC0415 - TUF only here

    root, targets, online = public
    named = ceremony.RootKeys(
        root=[keys.load_public(path) for path in root],
        targets=[keys.load_public(path) for path in targets],
        online=keys.load_public(online),
    )
    done = ceremony.stage_root(directory, named, _now(), days)
    out.done(
        _signed(done),
        f"Root {done.version} waits for two signatures: yixin model root sign {directory} "
        "--key KEY",
    )


def _signed(done: Any) -> dict[str, Any]:  # noqa: ANN401 - its type would import TUF
    return {
        "what": done.what,
        "version": done.version,
        "signatures": done.signatures,
        "holds": done.is_complete,
    }


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise PackError(f"{text[:40]!r} is no day, expected yyyy-mm-dd") from error


def _now() -> datetime:
    return datetime.now(tz=UTC)


def _describe(error: Exception) -> ErrorText:
    told = describe(error)
    if told[2] != EXIT_UNEXPECTED:
        return told
    from hub.api.errors import describe as of_hub  # noqa: PLC0415 - only where it failed

    return of_hub(error)
