"""Commands `yixin hub keys …`."""

import typer

app = typer.Typer(no_args_is_help=True, help="Keys at rest: status and rotation.")
