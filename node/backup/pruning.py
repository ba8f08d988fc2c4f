"""Remove old snapshots, and pieces that none of the others needs."""

from pathlib import Path

from node.backup.manifest import read_manifest, remove_manifest, snapshots
from node.backup.objects import Objects

__all__ = ["prune"]


def prune(location: Path, passphrase: str, keep: int) -> tuple[str, ...]:
    """Remove all but the newest snapshots.

    Pieces are removed only when every snapshot that stays could be read: an unreadable one, of
    another passphrase say, may need them.

    Args:
        location: Directory of the backup.
        passphrase: Opens the snapshots that stay.
        keep: How many stay, at least one.

    Returns:
        Names of the removed snapshots.

    Raises:
        BackupError: A snapshot that stays does not open; nothing was removed.
    """
    names = snapshots(location)
    old, staying = names[:-keep], names[-keep:]
    needed: set[str] = set()
    for name in staying:
        manifest, _ = read_manifest(location, name, passphrase)
        needed.update(piece for entry in manifest.files for piece in entry.pieces)
    for name in old:
        remove_manifest(location, name)
    objects = Objects(location)
    for piece in set(objects.names()) - needed:
        objects.remove(piece)
    return old
