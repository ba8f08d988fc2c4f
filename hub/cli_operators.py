"""Commands `yixin hub operators …`."""

import typer

app = typer.Typer(no_args_is_help=True, help="Operators (操作员), their roles, approvals and log.")
