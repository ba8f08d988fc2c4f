"""Commands `yixin hub agreements …`."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Sharing agreements (共享协议): what may be shared, and what was.",
)
