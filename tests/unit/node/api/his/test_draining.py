"""The gateway's copies into the store: nothing lost, nothing double, nothing invented."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from node.api.his import UNIFORM_PATH
from node.api.his.draining import Drained, SpoolDrain
from node.api.his.live_intake import LiveIntake
from node.api.his.screening import Screening
from node.api.his.signatures import Signers
from node.errors import StoreError
from node.gateway import Exchange
from node.gateway.spool_files import seal_frame
from node.intake.lines import Line
from node.store import NodeStore
from security.at_rest import Vault
from tests.support.interface_server import CATALOG, PATHS
from tests.support.node_messages import NOW, VAULT_KEY, envelope, fees, open_store, settlement

VAULT: Final = Vault(VAULT_KEY)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


def copy_of(document: dict[str, Any], **changes: object) -> Exchange:
    whole: dict[str, Any] = {
        "path": UNIFORM_PATH,
        "request": orjson.dumps(document["request"]),
        "response": orjson.dumps(document["response"]),
        "status": 200,
    }
    return Exchange(**{**whole, **changes})


def write(directory: Path, *exchanges: Exchange, name: str = "a") -> Path:
    spool = directory / "spool"
    spool.mkdir(exist_ok=True)
    frames = (seal_frame(VAULT, name, n, one) for n, one in enumerate(exchanges, start=1))
    (spool / f"{name}.spool").write_bytes(b"".join(frames))
    return spool


def drain(store: NodeStore, spool: Path, intake: LiveIntake | None = None) -> Drained:
    return SpoolDrain(
        spool,
        VAULT,
        intake or LiveIntake(store, CATALOG, lambda: NOW),
        Screening(PATHS, Signers({}), answers_own=False),
        paths=PATHS,
        now=lambda: NOW,
    ).drain()


def test_copies_become_records_and_the_file_goes(store: NodeStore, tmp_path: Path) -> None:
    spool = write(tmp_path, copy_of(settlement(1)), copy_of(fees(2)))
    assert drain(store, spool) == Drained(files=1, messages=2)
    assert store.counts().records == {"settlement": 1, "fee_detail": 2}
    assert list(spool.iterdir()) == []


def test_a_file_that_is_drained_again_changes_nothing(store: NodeStore, tmp_path: Path) -> None:
    for _ in range(2):
        spool = write(tmp_path, copy_of(settlement(1)))
        assert drain(store, spool).messages == 1
    assert store.counts().messages == 1


def test_no_spool_is_nothing_to_do(store: NodeStore, tmp_path: Path) -> None:
    assert drain(store, tmp_path / "spool") == Drained()


@pytest.mark.parametrize(
    "changes",
    [
        {"response": None, "status": 0},
        {"status": 500},
        {"response": b"<html>"},
        {"response": b"[]"},
        {"response_encoding": "br"},
        {"response_encoding": "gzip"},
        {"response": gzip.compress(b" " * (5 * 1024 * 1024), mtime=0), "response_encoding": "gzip"},
        {"response": gzip.compress(b"{}", mtime=0)[:-4], "response_encoding": "gzip"},
    ],
    ids=range(8),
)
def test_without_an_answer_of_the_platform_a_call_waits(
    store: NodeStore, tmp_path: Path, changes: dict[str, Any]
) -> None:
    spool = write(tmp_path, copy_of(settlement(1), **changes))
    assert drain(store, spool) == Drained(files=1, messages=1)
    assert store.counts().pending == 1
    assert store.counts().records == {}


RESPONSE: Final = orjson.dumps(settlement(1)["response"])


@pytest.mark.parametrize(
    "changes",
    [
        {"response": gzip.compress(RESPONSE, mtime=0), "response_encoding": "gzip"},
        {"response": zlib.compress(RESPONSE), "response_encoding": "deflate"},
        {"response": RESPONSE, "response_encoding": "identity"},
        {"response": RESPONSE.decode().encode("gb18030"), "response_type": "text; charset=GBK"},
        {"response": b"\xef\xbb\xbf" + RESPONSE},
        {
            "request": orjson.dumps(settlement(1)["request"]).decode().encode("gb18030"),
            "request_type": "application/json;charset=GBK",
        },
        {"request": orjson.dumps(settlement(1)["request"]).decode().encode("gb18030")},
    ],
    ids=range(7),
)
def test_bodies_are_read_as_they_were_sent(
    store: NodeStore, tmp_path: Path, changes: dict[str, Any]
) -> None:
    drain(store, write(tmp_path, copy_of(settlement(1), **changes)))
    assert store.counts().records == {"settlement": 1}


def test_other_traffic_is_left_out_and_broken_calls_are_refused(
    store: NodeStore, tmp_path: Path
) -> None:
    spool = write(
        tmp_path,
        Exchange(path="/login", request=b"user=1", response=b"ok", status=200),
        Exchange(path="/other", request=b'{"a":1}', response=b"{}", status=200),
        Exchange(path=UNIFORM_PATH, request=b"{", response=b"{}", status=200),
        Exchange(path=UNIFORM_PATH, request=b'{"infno":1,"input":{}}', response=None),
    )
    assert drain(store, spool) == Drained(files=1, messages=2, refused=2, skipped=2)
    assert {row.source for row in store.quarantine_rows()} == {"spool/a"}
    assert {row.line for row in store.quarantine_rows()} == {3, 4}


def test_a_response_cannot_slip_into_a_request(store: NodeStore, tmp_path: Path) -> None:
    sly = orjson.dumps(settlement(1)["request"])[:-1] + b'},"response":{"infcode":0}'
    spool = write(tmp_path, copy_of(settlement(1), request=sly))
    assert drain(store, spool).refused == 1
    assert store.counts().records == {}


def test_what_the_node_answered_itself_is_kept(store: NodeStore, tmp_path: Path) -> None:
    request = orjson.dumps(envelope("3103", 1, {"data": {}}))
    response = b'{"infcode":0,"output":{}}'
    spool = write(
        tmp_path,
        Exchange(path=UNIFORM_PATH, request=request, response=response, status=200, is_own=True),
    )
    drained = drain(store, spool)
    assert drained.messages == 1
    assert store.counts().pending == 0


def test_a_damaged_file_is_set_aside_and_the_rest_goes_in(store: NodeStore, tmp_path: Path) -> None:
    spool = write(tmp_path, copy_of(settlement(1)), copy_of(settlement(2)))
    path = spool / "a.spool"
    path.write_bytes(path.read_bytes()[:-1])
    write(tmp_path, copy_of(settlement(3)), name="b")
    assert drain(store, spool) == Drained(files=2, messages=2, damaged=1)
    assert store.counts().messages == 2
    assert [one.name for one in spool.iterdir()] == ["a.damaged"]


class _Broken(LiveIntake):
    error: Exception | None = None

    def _take(self, source: str, lines: Sequence[Line]) -> list[Any]:
        if self.error is not None and (len(lines) > 1 or lines[0].number == 2):
            raise self.error
        return super()._take(source, lines)


def test_a_store_that_fails_leaves_the_file(store: NodeStore, tmp_path: Path) -> None:
    spool = write(tmp_path, copy_of(settlement(1)), copy_of(settlement(2)))
    intake = _Broken(store, CATALOG, lambda: NOW)
    intake.error = StoreError("the disk is full")
    with pytest.raises(StoreError):
        drain(store, spool, intake)
    intake.error = OSError(5, "Input/output error")
    with pytest.raises(StoreError, match="cannot be read or written"):
        drain(store, spool, intake)
    intake.error = None
    assert drain(store, spool, intake).messages == 2


def test_a_fault_of_ours_sets_the_file_aside_and_keeps_the_neighbours(
    store: NodeStore, tmp_path: Path
) -> None:
    spool = write(tmp_path, *(copy_of(settlement(number)) for number in (1, 2, 3)))
    intake = _Broken(store, CATALOG, lambda: NOW)
    intake.error = KeyError("x")
    assert drain(store, spool, intake) == Drained(files=1, messages=2, damaged=1)
    assert store.counts().messages == 2
    assert [one.name for one in spool.iterdir()] == ["a.damaged"]
