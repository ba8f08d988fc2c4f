"""Commands `yixin hub log …`."""

import typer

app = typer.Typer(no_args_is_help=True, help="The transparency log (透明日志): status, witnesses.")
