"""Commands `yixin hub packs …`."""

import typer

app = typer.Typer(no_args_is_help=True, help="Model packs (模型包): what is in force where.")
