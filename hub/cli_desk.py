"""Commands of a link desk, `yixin hub desk …`: it has a directory of its own, beside any hub."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli_options import AsJson, Limit
from hub.commands import start

app = typer.Typer(
    no_args_is_help=True,
    help="A link desk (关联台): holds one half of the keys of link tokens, and counts who asks.",
)

DeskDirectory = Annotated[
    Path, typer.Option("--dir", help="State directory of the desk, not that of a hub.")
]


@app.command("init")
def desk_init(
    *,
    place: Annotated[Path, typer.Argument(metavar="DIR", help="State directory to make.")],
    member: Annotated[
        str, typer.Option("--member", help="Member id of who runs it: a hub or a department.")
    ],
    port: Annotated[
        int, typer.Option("--port", min=1, max=65_535, help="Port to listen on; cards name it.")
    ],
    host: Annotated[
        str, typer.Option("--host", help="Host name or address under which nodes reach it.")
    ] = "localhost",
    bind: Annotated[str, typer.Option("--bind", help="Address to listen on.")] = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Make a desk: settings, keys, log.

    Example: [bold]yixin hub desk init /var/lib/yixin-desk --member yixin://330000/hub/province
    --host desk.example.gov.cn --bind 0.0.0.0 --port 9443[/bold]
    """
    with start(as_json) as out:
        from hub.desk.config import DeskSettings  # noqa: PLC0415 - keeps --help fast
        from hub.desk_app import init_desk  # noqa: PLC0415 - keeps --help fast

        settings = DeskSettings(member=member, port=port, bind=bind, advertised_host=host)
        card = init_desk(place, settings)
        out.done(
            {"directory": str(place), "desk": card.desk, "fingerprint": card.fingerprint},
            f"Made the desk of {card.desk} in {place}.\nNext: yixin hub desk trust --dir {place} "
            "CITY.trust, then yixin hub desk card",
        )


@app.command("card")
def desk_card(
    *,
    file: Annotated[Path, typer.Argument(help="File to write.")],
    directory: DeskDirectory,
    as_json: AsJson = False,
) -> None:
    """Write the desk's card for nodes; it is public. Let people compare the fingerprint.

    Example: [bold]yixin hub desk card province.desk --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json) as out:
        from hub.config import usable  # noqa: PLC0415 - keeps --help fast
        from hub.desk_app import open_desk  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts, usable(file):
            file.write_text(parts.card.to_json() + "\n", encoding="ascii")
            result = {"desk": parts.card.desk, "fingerprint": parts.card.fingerprint}
        out.done(result, f"Wrote the card of {result['desk']}: key {result['fingerprint']}.")


@app.command("trust")
def desk_trust(
    *,
    file: Annotated[Path, typer.Argument(help="A hub's trust file: yixin hub export-trust.")],
    directory: DeskDirectory,
    as_json: AsJson = False,
) -> None:
    """Trust a hub to name its nodes; which of them may ask is for `allow` to say.

    A desk that is serving has to be started again.

    Example: [bold]yixin hub desk trust city.trust --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json) as out:
        from hub.desk_app import open_desk, trust_hub  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts:
            result = trust_hub(parts, file)
        out.done(result, f"Nodes of {result['hub']} may now be allowed.")


@app.command("revocations")
def desk_revocations(
    *,
    file: Annotated[
        Path, typer.Argument(help="A trusted hub's list: yixin hub export-revocations.")
    ],
    directory: DeskDirectory,
    as_json: AsJson = False,
) -> None:
    """Take a hub's revocation list: nodes on it are refused from their next request on.

    Let a timer of the system bring the hub's newest list every day: the same list again changes
    nothing.

    Example: [bold]yixin hub desk revocations city.revocations --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json) as out:
        from hub.desk_app import open_desk, take_revocations  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts:
            result = take_revocations(parts, file)
        out.done(
            result,
            f"Holds revocation list {result['version']} of {result['hub']}: "
            f"{result['certificates']} certificates; a newer one is due by {result['until']}.",
        )


@app.command("allow")
def desk_allow(
    *,
    member: Annotated[str, typer.Argument(help="Member id of the node.")],
    key: Annotated[
        str, typer.Option("--key", help="Digest of its TLS key: `yixin node clues key` prints it.")
    ],
    quota: Annotated[
        int, typer.Option("--quota", help="Points it may ask for in a period: persons and retries.")
    ],
    directory: DeskDirectory,
    as_json: AsJson = False,
) -> None:
    """Let a node ask, or change its key or quota; compare the key with its officer first.

    Example: [bold]yixin hub desk allow yixin://330302/node/H33030200001 --key 3f9a… --quota 600000
    --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json) as out:
        from hub.desk_app import allow_node, open_desk  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts:
            result = allow_node(parts, member, key, quota)
        out.done(result, f"{result['member']} may ask for {result['quota']} points a period.")


@app.command("end")
def desk_end(
    *,
    member: Annotated[str, typer.Argument(help="Member id of the node.")],
    directory: DeskDirectory,
    as_json: AsJson = False,
) -> None:
    """Take a node off the register; it is refused from its next request on.

    Example: [bold]yixin hub desk end yixin://330302/node/H33030200001
    --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json) as out:
        from hub.desk_app import end_node, open_desk  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts:
            result = end_node(parts, member)
        out.done(result, f"{result['member']} may not ask any more.")


@app.command("serve")
def desk_serve(*, directory: DeskDirectory) -> None:
    """Answer nodes, and destroy keys whose retention is over. Ends on SIGTERM or Ctrl-C.

    Example: [bold]yixin hub desk serve --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json=False) as out:
        from hub.desk_app import serve_desk  # noqa: PLC0415 - keeps --help fast

        serve_desk(directory, out.say)


@app.command("status")
def desk_show(*, directory: DeskDirectory, as_json: AsJson = False) -> None:
    """Show who may ask, what was used of the quotas, which keys and revocation lists there are.

    Example: [bold]yixin hub desk status --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json) as out:
        from hub.desk_app import desk_status, open_desk  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts:
            result = desk_status(parts)
        if as_json:
            out.done(result, "")
            return
        out.table("Desk", {key: result[key] for key in ("desk", "address", "fingerprint", "lines")})
        out.rows("Revocation lists", result["revocations"])
        out.rows("Nodes", [_flat(one) for one in result["nodes"]])
        out.rows("Keys", result["periods"])
        for warning in result["warnings"]:
            out.hint(warning)


@app.command("log")
def desk_lines(*, directory: DeskDirectory, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show the desk's log, newest first: who asked, for how many points, and what came of it.

    Example: [bold]yixin hub desk log --limit 20 --dir /var/lib/yixin-desk[/bold]
    """
    with start(as_json) as out:
        from hub.desk_app import desk_log, open_desk  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts:
            result = desk_log(parts, limit)
        out.done(result, "") if as_json else out.rows("Log", result["rows"])


@app.command("destroy")
def desk_destroy(
    *,
    period: Annotated[str, typer.Argument(help="Period, for example 2026H1.")],
    sure: Annotated[
        bool, typer.Option("--yes", help="Really: no token of the period is ever made again.")
    ] = False,
    directory: DeskDirectory,
    as_json: AsJson = False,
) -> None:
    """Destroy the key of a period before its time, for good.

    Example: [bold]yixin hub desk destroy 2026H1 --yes --dir /var/lib/yixin-desk[/bold]
    """
    if not sure:
        raise typer.BadParameter("this cannot be undone; add --yes")
    with start(as_json) as out:
        from hub.desk_app import destroy_key, open_desk  # noqa: PLC0415 - keeps --help fast

        with open_desk(directory) as parts:
            result = destroy_key(parts, period)
        out.done(result, f"The key of {result['period']} is destroyed.")


def _flat(node: dict[str, Any]) -> dict[str, Any]:
    """What a screen has room for."""
    used = ", ".join(f"{period} {points}" for period, points in node["used"].items())
    return {key: node[key] for key in ("member", "quota", "ended_at")} | {"used": used}
