"""Copies in a spool: sealed, in order, behind the traffic; what is lost is counted."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import StoreError
from node.gateway import Capture, Exchange, Spool, SpoolFile, closed_files, gateway_counts, spool
from node.gateway.exchanges import pack_exchange, unpack_exchange
from node.gateway.spool_files import (
    COUNTS_FILE,
    GATEWAY_LOCK,
    close_orphans,
    seal_frame,
    spool_bytes,
)
from security.at_rest import Vault
from security.operator import writer_lock
from tests.support.node_messages import NOW, VAULT_KEY

VAULT: Final = Vault(VAULT_KEY)
PERSON: Final = "张示例".encode()


def exchange(number: int, size: int = 0) -> Exchange:
    return Exchange(
        path="/fsi", request=b'{"n":%d}' % number + PERSON + b" " * size, response=b"{}", status=200
    )


def started(directory: Path, max_bytes: int = 10**9) -> Spool:
    made = Spool(directory, VAULT, max_bytes=max_bytes, now=lambda: NOW)
    made.start()
    return made


def read(directory: Path) -> list[Exchange | None]:
    return [one for file in closed_files(directory) for _, one in file.exchanges(VAULT)]


def test_copies_come_back_as_they_went_in(tmp_path: Path) -> None:
    kept = started(tmp_path)
    for number in range(600):
        kept.put(exchange(number))
    kept.close()
    assert read(tmp_path) == [exchange(number) for number in range(600)]
    assert kept.counts.kept == 600
    assert kept.counts.lost == 0
    assert kept.counts.last_lost_at == ""


def test_nothing_personal_is_on_disk_in_clear(tmp_path: Path) -> None:
    kept = started(tmp_path)
    kept.put(exchange(1))
    kept.close()
    (file,) = closed_files(tmp_path)
    assert PERSON not in file.path.read_bytes()
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_long_files_are_closed_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "FILE_BYTES", 1_000)
    monkeypatch.setattr(spool, "_GROUP", 1)
    kept = started(tmp_path)
    for number in range(9):
        kept.put(exchange(number, size=400))
    kept.close()
    assert len(closed_files(tmp_path)) >= 3
    assert [one for one in read(tmp_path) if one] == [exchange(one, 400) for one in range(9)]


def test_a_full_spool_loses_copies_and_says_how_many(tmp_path: Path) -> None:
    kept = started(tmp_path, max_bytes=2_000)
    for number in range(5):
        kept.put(exchange(number, size=1_000))
    kept.close()
    held = len(read(tmp_path))
    assert kept.counts.lost == 5 - held > 0
    assert kept.counts.last_lost_at == "2026-07-15T04:00:00+00:00"
    counts = gateway_counts(tmp_path)
    assert counts is not None
    assert counts["lost"] == kept.counts.lost


def test_a_spool_that_was_full_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "KEPT_FREE_BYTES", 10**18)
    kept = started(tmp_path)
    kept.put(exchange(1))
    with pytest.raises(TimeoutError):
        _until(lambda: kept.counts.kept == 1, tries=20)
    monkeypatch.setattr(spool, "KEPT_FREE_BYTES", 0)
    _until(lambda: kept.counts.kept == 1)
    kept.close()
    assert read(tmp_path) == [exchange(1)]
    assert kept.counts.lost == 0


def test_a_write_that_fails_is_repeated_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = os.fsync, [OSError(28, "No space left on device")] * 2

    def fsync(descriptor: int) -> None:
        if failures:
            raise failures.pop()
        real(descriptor)

    monkeypatch.setattr("node.gateway.spool.os.fsync", fsync)
    kept = started(tmp_path)
    kept.put(exchange(1))
    _until(lambda: kept.counts.kept == 1)
    kept.close()
    assert set(read(tmp_path)) == {exchange(1)}
    assert len(closed_files(tmp_path)) == 2
    assert kept.counts.lost == 0


def test_memory_is_bounded_while_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "KEPT_FREE_BYTES", 10**18)
    monkeypatch.setattr(spool, "MAX_QUEUED_BYTES", 5_000)
    kept = started(tmp_path)
    for number in range(10):
        kept.put(exchange(number, size=1_000))
    assert kept.counts.lost == 6
    kept.close()
    assert kept.counts.lost == 10


def _until(holds: Callable[[], bool], tries: int = 3_000) -> None:
    for _ in range(tries):
        if holds():
            return
        threading.Event().wait(0.005)
    raise TimeoutError


def test_counts_go_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        kept = started(tmp_path)
        kept.put(exchange(1))
        kept.note(too_long=True)
        kept.note(was_sent=True)
        kept.note(was_sent=False)
        kept.close()
    counts = gateway_counts(tmp_path)
    assert counts is not None
    shown = {name: counts[name] for name in ("kept", "too_long", "unanswered", "not_reached")}
    assert shown == {"kept": 2, "too_long": 2, "unanswered": 2, "not_reached": 2}
    assert counts["waiting_bytes"] == spool_bytes(tmp_path) > 0


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"kept":"many","x":1}'])
def test_broken_counts_begin_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / COUNTS_FILE).write_bytes(content)
    kept = started(tmp_path)
    kept.put(exchange(1))
    kept.close()
    assert orjson.loads((tmp_path / COUNTS_FILE).read_bytes())["kept"] == 1


def frames(name: str, count: int) -> list[bytes]:
    return [seal_frame(VAULT, name, number, exchange(number)) for number in range(1, count + 1)]


def test_a_file_that_was_cut_off_gives_its_whole_copies(tmp_path: Path) -> None:
    parts = frames("a", 2)
    whole = b"".join(parts)
    path = tmp_path / "a.spool"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = [one for _, one in SpoolFile(path=path).exchanges(VAULT)]
        complete = sum(length >= len(b"".join(parts[: count + 1])) for count in range(2))
        at_border = length in (0, len(parts[0]))
        assert found == [exchange(n + 1) for n in range(complete)] + [None] * (not at_border)


def test_a_copy_that_was_changed_or_moved_spoils_no_other(tmp_path: Path) -> None:
    one, two, three = frames("a", 3)
    path = tmp_path / "a.spool"
    path.write_bytes(one + two[:-1] + bytes([two[-1] ^ 1]) + three)
    assert [found is None for _, found in SpoolFile(path=path).exchanges(VAULT)] == [0, 1, 0]
    path.write_bytes(two + one + three)
    assert [found is None for _, found in SpoolFile(path=path).exchanges(VAULT)] == [1, 1, 0]
    path.rename(tmp_path / "b.spool")
    assert all(found is None for found in read(tmp_path))


@given(content=st.binary(max_size=300))
def test_any_bytes_are_copies_or_damage(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("spool") / "a.spool"
    path.write_bytes(content)
    assert all(one is None for _, one in SpoolFile(path=path).exchanges(VAULT))


def test_what_a_dead_gateway_left_open_is_closed_by_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "a.open").write_bytes(frames("a", 1)[0])
    with writer_lock(tmp_path, GATEWAY_LOCK):
        close_orphans(tmp_path)
        assert read(tmp_path) == []
    close_orphans(tmp_path)
    assert read(tmp_path) == [exchange(1)]


def test_a_file_is_deleted_or_set_aside(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.spool").write_bytes(frames(name, 1)[0])
    first, second = closed_files(tmp_path)
    first.forget()
    second.set_aside()
    assert [path.name for path in tmp_path.iterdir()] == ["b.damaged"]


@given(
    request=st.binary(max_size=50),
    response=st.none() | st.binary(max_size=50),
    path=st.text(st.characters(codec="utf-8"), max_size=20),
    status=st.integers(0, 599),
    is_own=st.booleans(),
)
def test_an_exchange_is_written_and_read(
    request: bytes, response: bytes | None, path: str, status: int, *, is_own: bool
) -> None:
    one = Exchange(path=path, request=request, response=response, status=status, is_own=is_own)
    assert unpack_exchange(pack_exchange(one)) == one
    assert PERSON.decode() not in repr(exchange(1))


@given(raw=st.binary(max_size=80))
def test_bytes_of_another_release_are_named(raw: bytes) -> None:
    try:
        unpack_exchange(raw)
    except StoreError as error:
        assert "another release" in str(error)  # noqa: PT017 - either outcome is right


def test_a_capture_ends_at_its_bound() -> None:
    capture = Capture(max_bytes=4)
    capture.add(b"ab")
    capture.add(b"cd")
    assert capture.body == b"abcd"
    capture.add(b"e")
    capture.add(b"f")
    assert capture.body is None
