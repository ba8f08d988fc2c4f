"""Commands `yixin node backup` and `yixin node restore`.

Either works on files alone and needs no daemon: a backup reads beside a running one, a restore
writes a directory that no daemon serves yet.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from node.cli_options import AsJson, Directory
from node.commands import existing, start
from node.config import node_directory
from node.errors import BackupError
from security.private_files import read_private

__all__ = ["register"]

ENVIRONMENT: Final = "YIXIN_BACKUP_PASSPHRASE"
_MAX_PASSPHRASE_BYTES: Final = 1024

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="File of mode 0600 with the passphrase; else YIXIN_BACKUP_PASSPHRASE, else asked.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the node's."""
    app.command()(backup)
    app.command()(restore)


def backup(
    *,
    to: Annotated[
        Path, typer.Option("--to", help="Directory of the backup, on another disk or a share.")
    ],
    directory: Directory = None,
    passphrase_file: PassphraseFile = None,
    keep: Annotated[
        int, typer.Option("--keep", min=0, help="Keep only so many newest snapshots; 0 keeps all.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Back the node up while it runs: one consistent, sealed snapshot, verified after writing.

    A second backup to the same place adds only what is new. Keep the passphrase apart from the
    backup: without it nothing can be restored, and nobody else can read it. It has at least 12
    characters.

    Example: [bold]yixin node backup --to /mnt/backup/node --keep 30[/bold]
    """
    with start(as_json) as out:
        from node.app import utc_now  # noqa: PLC0415  # keeps `--help` fast
        from node.backup.taking import take_backup  # noqa: PLC0415  # keeps `--help` fast

        home = existing(node_directory(directory))
        passphrase = _passphrase(passphrase_file, confirm=True)
        with out.bar():
            report = take_backup(
                home, to, passphrase, now=utc_now(), keep=keep, progress=out.progress
            )
        removed = len(report.removed_snapshots)
        out.done(
            asdict(report),
            f"Snapshot {report.snapshot} in {to}: {report.records} records, {report.files} files, "
            f"{_size(report.bytes)}, of which {_size(report.added_bytes)} new. Read back and "
            f"compared: all whole." + (f"\nOld snapshots removed: {removed}." if removed else ""),
        )


def restore(
    *,
    source: Annotated[Path, typer.Option("--from", help="Directory of the backup.")],
    directory: Directory = None,
    passphrase_file: PassphraseFile = None,
    snapshot: Annotated[
        str, typer.Option("--snapshot", help="Name of the snapshot; else the newest.")
    ] = "",
    list_only: Annotated[
        bool, typer.Option("--list", help="Only list the snapshots of the backup.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a node from a backup into a new directory.

    Stop the old node for good first: two nodes with the same keys disturb each other at the hub.
    The restored node's next synchronisation opens new chains that name the hub's last receipt;
    messages that came after the snapshot are sent or ingested again, none is counted twice.

    Example: [bold]yixin node restore --from /mnt/backup/node --dir /var/lib/yixin[/bold]
    """
    with start(as_json) as out:
        from node.app import utc_now  # noqa: PLC0415  # keeps `--help` fast
        from node.backup.manifest import snapshots  # noqa: PLC0415  # keeps `--help` fast
        from node.backup.restoring import restore_backup  # noqa: PLC0415  # keeps `--help` fast

        if list_only:
            names = snapshots(source)
            out.done(
                {"snapshots": list(names)},
                "\n".join(names) or f"{source} holds no snapshot.",
            )
            return
        home = node_directory(directory)
        passphrase = _passphrase(passphrase_file, confirm=False)
        with out.bar():
            report = restore_backup(
                source,
                home,
                passphrase,
                now=utc_now(),
                snapshot=snapshot,
                progress=out.progress,
            )
        last = "; ".join(report.receipts) or "none"
        out.done(
            asdict(report),
            f"Restored {report.snapshot} to {home}: {report.records} records, "
            f"{report.messages} messages, {report.files} files, {_size(report.bytes)}.\n"
            f"Last receipts known: {last}.\n"
            f"Next: yixin node serve --dir {home}; then send or ingest again what came after "
            f"{report.created_at}.",
        )


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    """Find the passphrase; it is never an argument, which other users could read.

    Raises:
        BackupError: None is given and nobody can be asked.
    """
    if file is not None:
        try:
            return read_private(file, _MAX_PASSPHRASE_BYTES).decode("utf-8").strip("\r\n")
        except UnicodeDecodeError as error:
            raise BackupError(f"{file} is not UTF-8 text; write the passphrase anew") from error
    if named := os.environ.get(ENVIRONMENT):
        return named
    if not sys.stdin.isatty():
        raise BackupError(
            f"no passphrase: name a file of mode 0600 with --passphrase-file, or set {ENVIRONMENT}"
        )
    asked = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return str(asked)


def _size(count: int) -> str:
    """Write a number of bytes for people.

    >>> _size(999), _size(2_500_000)
    ('999 B', '2.5 MB')
    """
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
