"""Mutants of audit bundles: bytes of the archive, and single files in it."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from security.audit import Trust, Verdict, verify_bundle, write_bundle
from security.errors import AuditInputError
from tests.support.logs import sample_log
from tests.support.members import HubUnderTest, city
from tests.support.mutants import change_byte, register

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tests.support.mutants import Draw, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """An archive with a few exchanges; refused is what is not valid."""

    data: bytes = field(repr=False)
    hub: HubUnderTest = field(repr=False)
    scratch: Path

    def judge(self, data: bytes) -> Hashable:
        self.scratch.write_bytes(data)
        report = verify_bundle(self.scratch, Trust.of(self.hub.anchor))
        if report.verdict is not Verdict.VALID:
            raise AuditInputError(f"verdict {report.verdict}")
        files = _files(data)
        # When the bundle was made is a remark of whoever made it, and no evidence.
        manifest = json.loads(files.pop("manifest.json")) | {"created": ""}
        return tuple(sorted(files.items())), tuple(sorted(manifest.items()))

    def change_field(self, draw: Draw) -> bytes:
        files = _files(self.data)
        name = draw.choice(sorted(files))
        if draw.randrange(8) == 0:
            del files[name]
        else:
            files[name] = change_byte(files[name], draw) if files[name] else b"\0"
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for other, content in files.items():
                archive.writestr(other, content)
        return out.getvalue()


def _files(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError) as error:
        raise AuditInputError(str(error)) from error


@register("bundles", weight=10)
def bundles() -> Sequence[Subject]:
    hub, node = city()
    scratch = Path(tempfile.mkdtemp(prefix="yixin-mutants-")) / "bundle.zip"
    write_bundle(scratch, sample_log(hub, node).parts())
    return [Bundle(data=scratch.read_bytes(), hub=hub, scratch=scratch)]
