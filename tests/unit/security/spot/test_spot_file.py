"""A spot file is taken only as its hub signed it, over commitments that its log holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import AuditExportError
from hub.exchange.spot_file import make_spot_file
from protos.yixin.v1 import identity_pb2, spot_pb2
from security.errors import SpotCheckError
from security.spot.spot_file import SpotFile, open_spot_file, sign_spot_file
from tests.support.hub_city import NODE, OTHER, open_city
from tests.support.inspected import MONTH, Inspected, inspected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Body = spot_pb2.SpotFileBody


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspected]:
    with inspected(tmp_path_factory.mktemp("spot")) as found:
        found.keep([300])
        found.end_day()
        yield found


def opened(world: Inspected, content: bytes) -> SpotFile:
    anchor = world.city.parts.identity.anchor
    return open_spot_file(content, {anchor.hub: anchor})


def body_of(content: bytes) -> Body:
    return Body.FromString(spot_pb2.SpotFile.FromString(content).body)


def test_a_file_holds_what_was_committed_and_stated(world: Inspected) -> None:
    content = world.spot_file()
    spot = opened(world, content)
    assert (spot.member, spot.month) == (NODE, MONTH)
    assert [note.size for note in spot.notes] == [200, 201]
    assert spot.committed.size == 201
    assert {slot.measure_set for slot in spot.slots} >= {"settlement"}
    assert all(slot.ledger_size in {200, 201} for slot in spot.slots)
    # The seed belongs to the two checkpoints, and to nothing a node could choose afterwards.
    assert spot.seed == opened(world, content).seed


def test_a_later_checkpoint_of_the_log_makes_another_seed(world: Inspected) -> None:
    first = opened(world, world.spot_file())
    world.keep([301 + first.committed.size])
    world.end_day()
    assert opened(world, world.spot_file()).seed != first.seed


def _other_size(body: Body) -> None:
    body.notes[0].note = body.notes[0].note.replace("\n200\n", "\n199\n")


def _swapped(body: Body) -> None:
    first, second = body.notes[0].note, body.notes[1].note
    body.notes[0].note, body.notes[1].note = second, first


def _other_leaf(body: Body) -> None:
    body.notes[0].log_index += 1


def _foreign_log(body: Body) -> None:
    body.checkpoint = body.checkpoint.replace("\n", "x\n", 1)


def _no_notes(body: Body) -> None:
    del body.notes[:]


def _no_keys(body: Body) -> None:
    del body.certificates[:]


def _other_format(body: Body) -> None:
    body.format = 2


def _other_hub(body: Body) -> None:
    body.hub = "yixin://330400/hub/city"


@pytest.mark.parametrize(
    "change",
    [
        _other_size,
        _swapped,
        _other_leaf,
        _foreign_log,
        _no_notes,
        _no_keys,
        _other_format,
        _other_hub,
    ],
)
def test_what_the_hub_signs_must_still_be_proved(
    world: Inspected, change: Callable[[Body], None]
) -> None:
    body = body_of(world.spot_file())
    change(body)
    with pytest.raises(SpotCheckError):
        opened(world, sign_spot_file(body, world.city.parts.identity.signing))


def test_no_byte_of_a_file_may_change(world: Inspected) -> None:
    content = world.spot_file()
    for at in range(0, len(content), 97):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(SpotCheckError):
            opened(world, bytes(changed))
    for hostile in (b"", content[:-1], content + b"\0", b"\xff" * 64):
        with pytest.raises(SpotCheckError):
            opened(world, hostile)


def test_a_node_that_committed_nothing_has_no_file(world: Inspected, tmp_path: Path) -> None:
    parts = world.city.parts
    with pytest.raises(AuditExportError, match="covers no commitment"):
        make_spot_file(parts.engine, parts.identity, parts.log, member=OTHER, month=MONTH, now_ms=1)
    with (
        open_city(tmp_path / "new") as city,
        pytest.raises(AuditExportError, match="covers no commitment"),
    ):
        make_spot_file(
            city.parts.engine,
            city.parts.identity,
            city.parts.log,
            member=NODE,
            month=MONTH,
            now_ms=1,
        )


def test_a_trust_file_of_another_hub_is_told(world: Inspected) -> None:
    anchor = identity_pb2.TrustAnchor()
    anchor.CopyFrom(world.city.parts.identity.anchor)
    with pytest.raises(SpotCheckError, match="take the trust file of that hub"):
        open_spot_file(world.spot_file(), {"yixin://330400/hub/city": anchor})
