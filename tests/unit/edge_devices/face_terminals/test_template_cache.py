"""The cache: sealed, few, not for long, and never of another model, transform or purpose."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from edge_devices.errors import QueueError
from edge_devices.face_terminals.events import Purpose, Subject
from edge_devices.face_terminals.template_cache import CacheLimits, TemplateCache
from protos.yixin.v1 import edge_pb2
from security.at_rest import Vault
from security.moments import to_ms
from tests.support.terminals import MODEL, NOW, PERSON

if TYPE_CHECKING:
    from pathlib import Path

VAULT = Vault(bytes(32))
LIMITS = CacheLimits(hours=24, templates=3)
SUBJECT = Subject(person=PERSON)
VECTOR = b"\x3f\x80\x00\x01" * 32


def opened(directory: Path, vault: Vault = VAULT) -> TemplateCache:
    return TemplateCache(directory / "cache.db", vault)


def template(**values: object) -> edge_pb2.ProtectedTemplate:
    whole = {"person": PERSON, "model": MODEL, "epoch": 1, "vector": VECTOR, **values}
    return edge_pb2.ProtectedTemplate(**whole)  # type: ignore[arg-type]


def finds(cache: TemplateCache, subject: Subject = SUBJECT, **at: float) -> bool:
    return cache.find(subject, model=MODEL, epoch=1, now=NOW + timedelta(**at)) is not None


def test_a_template_is_found_until_its_hour(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put(SUBJECT, template(), LIMITS, NOW)
    assert finds(cache)
    assert finds(opened(tmp_path), hours=23)
    assert not finds(cache, hours=24)
    assert not finds(cache, seconds=-1), "the clock was set back"


def test_consent_that_ends_earlier_ends_it_earlier(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put(SUBJECT, template(expires_at_ms=to_ms(NOW) + 1000), LIMITS, NOW)
    assert finds(cache)
    assert not finds(cache, seconds=1)
    cache.put(SUBJECT, template(expires_at_ms=to_ms(NOW) - 1), LIMITS, NOW)
    assert not finds(cache, seconds=2)


@pytest.mark.parametrize(
    "limits", [CacheLimits(hours=0, templates=3), CacheLimits(hours=1, templates=0)]
)
def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path, limits: CacheLimits) -> None:
    cache = opened(tmp_path)
    cache.put(SUBJECT, template(), limits, NOW)
    assert cache.count == 0


def test_it_is_of_one_person_proxy_purpose_model_and_transform(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put(SUBJECT, template(), LIMITS, NOW)
    for other in (
        Subject(person="other"),
        Subject(person=PERSON, proxy="P2"),
        Subject(person=PERSON, purpose=Purpose.BED_CHECK),
    ):
        assert not finds(cache, other)
    assert cache.find(SUBJECT, model=bytes(32), epoch=1, now=NOW) is None
    assert cache.find(SUBJECT, model=MODEL, epoch=2, now=NOW) is None


def test_the_oldest_go_first(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for number in range(5):
        at = NOW + timedelta(seconds=number)
        cache.put(Subject(person=f"p{number}"), template(), LIMITS, at)
    assert cache.count == 3
    assert [finds(cache, Subject(person=f"p{n}"), seconds=9) for n in range(5)] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_dropped_swept_and_cleared(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put(SUBJECT, template(), LIMITS, NOW)
    cache.drop(SUBJECT)
    assert cache.count == 0
    cache.put(SUBJECT, template(), LIMITS, NOW)
    cache.sweep(NOW + timedelta(hours=25))
    assert cache.count == 0
    cache.put(SUBJECT, template(), LIMITS, NOW)
    cache.clear()
    assert cache.count == 0


def test_nothing_of_it_stands_in_the_file_in_clear(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.keep_standing(b"transform key and threshold")
    cache.put(SUBJECT, template(), LIMITS, NOW)
    cache.close()
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert PERSON.encode() not in content
        assert VECTOR[:16] not in content
        assert b"transform key" not in content
        assert path.stat().st_mode & 0o077 == 0, path
    assert opened(tmp_path).find_standing() == b"transform key and threshold"


def test_a_file_of_another_key_or_none_at_all_is_made_anew(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put(SUBJECT, template(), LIMITS, NOW)
    cache.close()
    other = opened(tmp_path, Vault(b"\x01" * 32))
    assert (other.count, other.find_standing()) == (0, None)
    other.close()
    (tmp_path / "cache.db").write_bytes(b"nonsense" * 1000)
    assert opened(tmp_path).count == 0


def test_a_row_that_was_changed_is_no_template(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put(SUBJECT, template(), LIMITS, NOW)
    with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as other:
        other.execute("update template set body = zeroblob(100)")
    assert not finds(cache)
    assert cache.count == 0


def test_a_directory_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="cannot be made"):
        opened(tmp_path / "gone")
