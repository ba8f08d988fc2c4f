"""Commands over proofs of delivery, forks and spot checks."""

import typer

app = typer.Typer()
