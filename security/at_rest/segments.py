"""Segments: immutable, encrypted Parquet files of records.

Rules: a segment is on disk under its name only when it is whole and durable (temporary file,
fsync, rename, fsync of the directory); its row in the caller's ledger holds the SHA-256 and the
wrapped key, and a file is read only after its SHA-256 was compared, since a swapped file would
otherwise open without an error; files without a row are leftovers and are swept at start.

Source: Parquet modular encryption (apache/parquet-format, Encryption.md), uniform, AES-256-GCM.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from security.at_rest.file_layer import DISK
from security.at_rest.kms import KEY_BYTES, SegmentKeys, make_crypto_factory
from security.errors import SegmentTamperedError, VaultError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from security.at_rest.file_layer import FileLayer
    from security.at_rest.vault import Vault

SUFFIX: Final = ".parquet"
_TEMPORARY: Final = ".tmp"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_DIGEST_BYTES: Final = 32
_KEY_BITS: Final = 256

Octets: TypeAlias = bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What a ledger keeps of a segment."""

    name: str
    """Name, unique in its store; the file is ``<name>.parquet``."""
    rows: int
    """Number of rows."""
    sha256: Octets
    """SHA-256 of the file."""
    wrapped_key: Octets = field(repr=False)
    """The segment's key, wrapped by the vault for this name."""
    bytes: int
    """Size of the file, bytes."""


class SegmentStore:
    """The segments of one directory; one writer, any number of reading threads."""

    def __init__(self, directory: Path, vault: Vault, files: FileLayer = DISK) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._vault = vault
        self._files = files
        self._keys = SegmentKeys()
        self._factory = make_crypto_factory(self._keys)
        self._connection = pe.KmsConnectionConfig()
        self._verified: set[tuple[str, Octets, int, int, int]] = set()
        options = ds.ParquetFragmentScanOptions(
            decryption_config=ds.ParquetDecryptionConfig(
                self._factory, self._connection, pe.DecryptionConfiguration()
            )
        )
        self._format = ds.ParquetFileFormat(default_fragment_scan_options=options)

    def write(self, table: pa.Table, name: str) -> Segment:
        """Write a table as a new segment; it is durable when this returns.

        Args:
            table: Rows of the segment.
            name: Name, unique in the store: letters, digits, ``.``, ``_``, ``-``.

        Returns:
            What the ledger must keep; without its row the segment is a leftover.

        Raises:
            ValueError: The name is malformed or taken.
            OSError: The disk is full or fails; nothing is left under the name.
        """
        path = self._path(name)
        if path.exists():
            raise ValueError(f"segment {name} is already there; segments are never overwritten")
        key = secrets.token_bytes(KEY_BYTES)
        self._keys.hold(name, key)
        temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
        try:
            self._write_file(table, name, temporary)
            digest = _digest(temporary)
            size = temporary.stat().st_size
            self._files.rename(temporary, path)
        except BaseException:
            self._keys.forget(name)
            self._files.unlink(temporary)
            raise
        self._files.fsync_directory(self._directory)
        segment = Segment(
            name=name,
            rows=table.num_rows,
            sha256=digest,
            wrapped_key=self._vault.wrap(key, segment_context(name)),
            bytes=size,
        )
        self._verified.add(self._fingerprint(segment))
        return segment

    def dataset(self, segments: Sequence[Segment], schema: pa.Schema | None = None) -> Any:  # noqa: ANN401 - pyarrow ships no types
        """A decrypting dataset over segments, for DuckDB or pyarrow.

        Args:
            segments: Ledger rows of the segments to read.
            schema: Columns to read them as; by default those of the first segment.

        Returns:
            A ``pyarrow.dataset.Dataset``.

        Raises:
            SegmentTamperedError: A file is missing, is not the one its row describes, or its
                wrapped key does not open.
            ValueError: No segment and no schema is given.
        """
        if not segments:
            if schema is None:
                raise ValueError("a dataset of no segments needs a schema")
            return ds.dataset(schema.empty_table())
        for segment in segments:
            self._verify(segment)
        paths = [str(self._path(segment.name)) for segment in segments]
        # Opening the first file here unwraps its key under this thread's hold of the interpreter;
        # left to a reader that holds it while Arrow's thread waits for it, it would never end.
        found = ds.dataset(paths, format=self._format)
        return found if schema is None else found.replace_schema(schema)

    def read(self, segment: Segment) -> pa.Table:
        """Read one segment whole.

        Raises:
            SegmentTamperedError: The file is missing or is not the one its row describes.
        """
        return self.dataset([segment]).to_table()

    def sweep(self, known: Iterable[str]) -> tuple[str, ...]:
        """Remove files that no ledger row names: leftovers of an interrupted flush.

        Call it at start, under the writer's lock, before anything is written.

        Args:
            known: Names of every segment in the ledger.

        Returns:
            Names of the removed files, sorted.
        """
        keep = {f"{name}{SUFFIX}" for name in known}
        removed = []
        for path in sorted(self._directory.iterdir()):
            ours = path.name.endswith((SUFFIX, _TEMPORARY))
            if ours and path.name not in keep:
                self._files.unlink(path)
                removed.append(path.name)
        if removed:
            self._files.fsync_directory(self._directory)
        return tuple(removed)

    def unnamed(self, known: Iterable[str]) -> frozenset[str]:
        """Find whole segments on disk that no ledger row names: merged ones, and those to come.

        Args:
            known: Names of every segment in the ledger.
        """
        found = (path.name for path in self._directory.iterdir() if path.name[0] != ".")
        whole = {name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)}
        return frozenset(whole.difference(known))

    def remove(self, names: Iterable[str]) -> None:
        """Erase segments whose rows were erased: their files, and their keys in memory.

        A reader that still holds one of them fails; compaction leaves its old files to ``sweep``.
        """
        for name in names:
            self._keys.forget(name)
            self._files.unlink(self._path(name))
        self._files.fsync_directory(self._directory)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:120]!r} is not a segment name")
        return self._directory / f"{name}{SUFFIX}"

    def _write_file(self, table: pa.Table, name: str, temporary: Path) -> None:
        self._files.create(temporary)
        configuration = pe.EncryptionConfiguration(
            footer_key=name,
            uniform_encryption=True,
            plaintext_footer=False,
            double_wrapping=False,
            internal_key_material=True,
            data_key_length_bits=_KEY_BITS,
        )
        properties = self._factory.file_encryption_properties(self._connection, configuration)
        pq.write_table(table, temporary, compression="zstd", encryption_properties=properties)
        self._files.fsync(temporary)

    def _verify(self, segment: Segment) -> None:
        if len(segment.sha256) != _DIGEST_BYTES:
            raise SegmentTamperedError(f"the row of segment {segment.name} has no SHA-256")
        fingerprint = self._fingerprint(segment)
        if fingerprint not in self._verified:
            if _digest(self._path(segment.name)) != segment.sha256:
                raise SegmentTamperedError(
                    f"segment {segment.name} is not the file its row describes (SHA-256 differs); "
                    "restore it from the backup"
                )
            self._verified.add(fingerprint)
        if not self._keys.is_held(segment.name):
            try:
                key = self._vault.unwrap(segment.wrapped_key, segment_context(segment.name))
            except VaultError as error:
                raise SegmentTamperedError(f"key of segment {segment.name}: {error}") from error
            self._keys.hold(segment.name, key)

    def _fingerprint(self, segment: Segment) -> tuple[str, Octets, int, int, int]:
        # A file that was verified is hashed again only after its inode, size or time changed.
        try:
            status = self._path(segment.name).stat()
        except OSError as error:
            raise SegmentTamperedError(
                f"segment {segment.name} is missing ({error.strerror}); restore it from the backup"
            ) from error
        return (segment.name, segment.sha256, status.st_ino, status.st_size, status.st_ctime_ns)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def segment_context(name: str) -> str:
    """Name the place that a segment's key is wrapped for."""
    return f"segment/{name}"
