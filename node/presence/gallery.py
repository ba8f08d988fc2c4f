"""The gallery of a one-to-many search (1:N, 一对多检索): all templates of a model, in memory.

Rules:
- Vectors stand in anonymous memory that is mapped (``memfd_create``), never in a file: they are
  in clear here, so no disk may hold them, and no core dump.
- The rows lie without gaps; a row that goes is overwritten by the last one.
- Before every search the gallery follows the store: what was revoked, deleted or has expired is
  out, what was enrolled is in, and another transform means all of it anew.
- The search reads every row, and its answer is exact: see ``scoring_kernel.faces.matching``.
"""

import mmap
import os
from collections.abc import Collection, KeysView, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from threading import Lock
from typing import Final

import numpy as np

from node.domain.face_templates import Purpose
from node.store.templates import TemplateStore
from scoring_kernel.faces.arrays import FloatMatrix, FloatVector
from scoring_kernel.faces.matching import Gallery

__all__ = ["MappedVectors", "TemplateGallery"]

_FIRST_ROWS: Final = 1024
_BEGIN: Final = 16
"""Where the rows begin in their memory, bytes: as in numpy's own arrays. Rows that begin where a
page begins are read a quarter to a half slower."""
_PIECE: Final = 1024
"""Templates that are opened before they are added."""


class MappedVectors:
    """Unit vectors by id, in mapped anonymous memory; used under the caller's lock."""

    def __init__(self, dimension: int) -> None:
        """Make room.

        Args:
            dimension: Length d of the vectors.
        """
        self._dimension: Final = dimension
        self._ids: list[bytes] = []
        self._place: dict[bytes, int] = {}
        self._file: Final = os.memfd_create("yixin-gallery", os.MFD_CLOEXEC)
        try:
            self._rows = self._mapped(_FIRST_ROWS)
        except BaseException:
            os.close(self._file)
            raise

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, one: bytes) -> bool:
        return one in self._place

    @property
    def ids(self) -> KeysView[bytes]:
        """Whose vectors are here."""
        return self._place.keys()

    def add(self, ids: Sequence[bytes], vectors: FloatMatrix) -> None:
        """Add vectors.

        Args:
            ids: None of them is here.
            vectors: One a row, shape (n, d).
        """
        count = len(self._ids)
        end = count + len(ids)
        if end > len(self._rows):
            self._rows = self._mapped(max(end, 2 * len(self._rows)))
        self._rows[count:end] = vectors
        self._place.update(zip(ids, range(count, end), strict=True))
        self._ids += ids

    def remove(self, ids: Collection[bytes]) -> None:
        """Take vectors out; those that are not here are passed over."""
        for one in ids:
            place = self._place.pop(one, None)
            if place is None:
                continue
            last = self._ids.pop()
            end = len(self._ids)
            if place != end:
                self._rows[place] = self._rows[end]
                self._ids[place] = last
                self._place[last] = place
            self._rows[end] = 0.0

    def search(
        self, probe: FloatVector, threshold_e4: int, limit: int
    ) -> tuple[tuple[bytes, int], ...]:
        """Find the vectors at or over a threshold; see ``Gallery.search``.

        Raises:
            TemplateMismatchError: The probe has another length, or is no unit vector.
        """
        seen = self._rows[: len(self._ids)]
        seen.flags.writeable = False
        return Gallery(seen, self._ids).search(probe, threshold_e4, limit)

    def close(self) -> None:
        """Give the memory back; nothing may be searched any more."""
        self._ids, self._place = [], {}
        self._rows = np.empty((0, self._dimension), np.float32)
        os.close(self._file)

    def _mapped(self, rows: int) -> FloatMatrix:
        """The file's memory, with room for so many rows; what is in it stays."""
        count = rows * self._dimension
        size = _BEGIN + 4 * count
        os.ftruncate(self._file, size)
        area = mmap.mmap(self._file, size)
        area.madvise(mmap.MADV_DONTDUMP)
        return np.frombuffer(area, np.float32, count, _BEGIN).reshape(rows, self._dimension)


@dataclass(slots=True, kw_only=True)
class _Held:
    """One model's vectors, and what they are as of."""

    vectors: MappedVectors
    epoch: int
    mark: tuple[int, date] = field(default=(-1, date.min))
    """Version of the store, and day."""


class TemplateGallery:
    """The galleries of a node, by model; safe to share between threads."""

    def __init__(self, templates: TemplateStore) -> None:
        self._templates: Final = templates
        self._held: Final[dict[bytes, _Held]] = {}
        self._lock: Final = Lock()

    def size(self, model: bytes, day: date) -> int:
        """Count the templates that a search on a day looks at.

        Args:
            model: SHA-256 of the embedding model's file.
            day: Day in Shanghai.

        Raises:
            TemplateError: A template was changed on disk.
            VaultError: One does not open.
        """
        with self._lock:
            held = self._followed(model, day)
            return 0 if held is None else len(held.vectors)

    def search(
        self, model: bytes, probe: FloatVector, threshold_e4: int, limit: int, day: date
    ) -> tuple[tuple[bytes, int], ...]:
        """Find the templates at or over a threshold, among those for visits.

        Args:
            model: SHA-256 of the embedding model's file.
            probe: Unit vector under the newest transform.
            threshold_e4: Ten-thousandths, rounded up.
            limit: Most answers.
            day: Day in Shanghai.

        Returns:
            Ids and scores, best first; equal ones by id.

        Raises:
            TemplateMismatchError: The probe has another length, or is no unit vector.
            TemplateError: A template was changed on disk.
            VaultError: One does not open.
        """
        with self._lock:
            held = self._followed(model, day)
            return () if held is None else held.vectors.search(probe, threshold_e4, limit)

    def close(self) -> None:
        """Give all memory back."""
        with self._lock:
            for held in self._held.values():
                held.vectors.close()
            self._held.clear()

    def _followed(self, model: bytes, day: date) -> _Held | None:
        """The gallery of a model as of now; None where there is nothing to search."""
        # Read first: what changes meanwhile is seen at the next search.
        mark = (self._templates.version, day)
        newest = self._templates.transforms.newest()
        held = self._held.get(model)
        if held is not None and newest is not None and held.epoch == newest.epoch:
            if held.mark == mark:
                return held
        elif held is not None:
            self._held.pop(model).vectors.close()
            held = None
        wanted = self._templates.ids(model, Purpose.VISIT, day)
        dimension = self._templates.dimension(model) if held is None and wanted else None
        if held is None and newest is not None and dimension is not None:
            held = _Held(vectors=MappedVectors(dimension), epoch=newest.epoch)
        if held is None:
            return None
        held.vectors.remove(held.vectors.ids - wanted)
        self._add(held.vectors, sorted(wanted - held.vectors.ids))
        held.mark = mark
        self._held[model] = held
        return held

    def _add(self, vectors: MappedVectors, ids: Sequence[bytes]) -> None:
        opened = self._templates.opened(ids)
        while piece := list(islice(opened, _PIECE)):
            vectors.add([one.row.id for one in piece], np.stack([one.vector for one in piece]))
