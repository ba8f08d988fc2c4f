"""Searching for a person (一对多检索, 1:N): who at the node a face may be; no I/O.

Rules:
- Off unless the node's operator switched it on, and asked from windows and entrances alone. Both
  are said before anybody is looked at, and the node judges both again.
- The vector leaves under the node's transform; neither it nor the picture is kept.
- Candidates are for somebody to look at. A search is no verification: it makes no event, and the
  node's log of operators says which terminal asked, and what for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from edge_devices.errors import DeviceConfigurationError, NodeRefusedError
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.matching import ONE_E4, pack_vector
from scoring_kernel.faces.transform import protect, transform_matrix
from security.devices import Place

if TYPE_CHECKING:
    from edge_devices.face_terminals.standing import Standing
    from scoring_kernel.faces.arrays import FloatVector

__all__ = ["DEFAULT_COUNT", "MAX_COUNT", "PLACES", "Identified", "Identifying", "verify_allowed"]

MAX_COUNT: Final = 20
"""Most candidates that any node allows."""
DEFAULT_COUNT: Final = 5
"""Candidates that a node allows where its operator says nothing else."""
PLACES: Final = frozenset((Place.WINDOW, Place.ENTRANCE))
"""Where a terminal may search."""
_MAX_PURPOSE: Final = 100
_MAX_NUMBER: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifying:
    """A search: what for, and how many may come of it."""

    purpose: str
    """In words, for the node's log."""
    count: int = DEFAULT_COUNT
    """Most candidates."""

    def verify(self) -> None:
        """Refuse what no node would take.

        Raises:
            DeviceConfigurationError: The purpose or the count is out of its bounds.
        """
        length = len(self.purpose)
        if not self.purpose.strip() or length > _MAX_PURPOSE or not self.purpose.isprintable():
            raise DeviceConfigurationError(
                f"--purpose of {length} characters found, expected 1 to {_MAX_PURPOSE} on one "
                "line: say what the search is for; it goes into the node's log"
            )
        if not 1 <= self.count <= MAX_COUNT:
            raise DeviceConfigurationError(f"--count {self.count}, expected 1 to {MAX_COUNT}")

    def request(
        self, vector: FloatVector, standing: Standing, model: bytes
    ) -> edge_pb2.IdentifyRequest:
        """Put a face under the node's transform, and say what it is searched for.

        Args:
            vector: Unit vector, shape (d,).
            standing: What the node said of this terminal.
            model: SHA-256 of the embedding model.
        """
        matrix = transform_matrix(standing.transform, vector.size)
        return edge_pb2.IdentifyRequest(
            model=model,
            epoch=standing.epoch,
            vector=pack_vector(protect(vector[None], matrix)[0]),
            count=self.count,
            purpose=self.purpose,
        )

    def read(self, response: edge_pb2.IdentifyResponse) -> Identified:
        """Read the node's answer.

        Raises:
            NodeRefusedError: It is no answer to this search.
        """
        found = Identified(
            candidates=tuple((one.person, one.score_e4) for one in response.candidates),
            searched=response.searched,
        )
        count = len(found.candidates)
        if count > min(self.count, found.searched):
            raise _nonsense(f"{count} candidates", f"at most {min(self.count, found.searched)}")
        for person, score in found.candidates:
            if not 1 <= len(person) <= _MAX_NUMBER or not person.isprintable():
                raise _nonsense(f"a number of {len(person)} characters", f"1 to {_MAX_NUMBER}")
            if abs(score) > ONE_E4:
                raise _nonsense(f"a likeness of {score}", f"at most {ONE_E4}")
        if any(later > earlier for (_, earlier), (_, later) in pairwise(found.candidates)):
            raise _nonsense("candidates out of order", "the best first")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Whom a face may be."""

    candidates: tuple[tuple[str, int], ...] = field(repr=False)
    """Persons with their likeness in ten-thousandths, best first."""
    searched: int
    """Templates that were looked at."""


def verify_allowed(standing: Standing) -> None:
    """Refuse a search that the node would refuse, before anybody is looked at.

    Args:
        standing: What the node said of this terminal.

    Raises:
        NodeRefusedError: The terminal stands at another place, or searches are off.
    """
    if standing.place not in PLACES:
        raise NodeRefusedError(
            f"this terminal stands at place {standing.place}, expected one of "
            f"{', '.join(sorted(PLACES))}: search from a terminal there; nobody was looked at"
        )
    if not standing.allows_searches:
        raise NodeRefusedError(
            "one-to-many search is off at this node; verify a named person, or have its operator "
            "set identify = true in [faces] of node.toml after the security officer's decision; "
            "nobody was looked at"
        )


def _nonsense(found: str, expected: str) -> NodeRefusedError:
    return NodeRefusedError(
        f"the node's answer to a search has {found}, expected {expected}; is it of another release?"
    )
