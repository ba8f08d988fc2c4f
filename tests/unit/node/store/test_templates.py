"""What stands on disk of a template: no vector and no person in clear, and nothing once it went."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from node.domain.face_templates import NewProxy, NewTemplate, Purpose, Subject
from node.errors import StoreError, TemplateError
from node.presence.rekeying import rekey
from node.store.calibrations import CalibrationUse
from node.store.sealed_places import wrapped_epochs, wrapped_places
from scoring_kernel.faces.transform import protect, transform_matrix
from security.at_rest import Vault
from security.at_rest.key_ring import KeyRing
from security.at_rest.rotation import rewrap
from security.errors import VaultError
from security.private_files import write_private
from tests.support import face_templates as f
from tests.support import node_messages as m
from tests.support.face_vectors import units

if TYPE_CHECKING:
    from pathlib import Path

    from node.store import NodeStore

FACES = units(4, f.DIMENSION)
TODAY = date(2026, 11, 23)


def on_disk(home: Path) -> bytes:
    """Every byte of the node's database and its log."""
    return b"".join(path.read_bytes() for path in sorted(home.glob("node.db*")))


def patterns(*vectors: Any) -> list[bytes]:  # noqa: ANN401
    """Pieces of vectors of 16 bytes, in the forms that somebody might have written."""
    found = []
    for one in vectors:
        for form in ("<f4", ">f4", "<f8", "<f2"):
            content = np.asarray(one).astype(form).tobytes()
            found += [content[at : at + 16] for at in range(0, len(content) - 15, 16)]
    return found


def sealed_row(store: NodeStore, template: bytes) -> tuple[bytes, bytes]:
    with closing(sqlite3.connect(store_path(store))) as connection:
        row = connection.execute(
            "select wrapped_key, body from template where id = ?", (template,)
        ).fetchone()
    return bytes(row[0]), bytes(row[1])


def store_path(store: NodeStore) -> str:
    rows = store._connection.execute("pragma database_list").fetchall()  # noqa: SLF001 - its file
    return str(rows[0][2])


def change(store: NodeStore, statement: str, *values: object) -> None:
    """Somebody with the file changes a row."""
    with closing(sqlite3.connect(store_path(store))) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def test_no_vector_and_no_person_is_on_disk_in_clear(tmp_path: Path, store: NodeStore) -> None:
    window = f.terminal(store)
    window.enrol(m.PERSON, FACES[0])
    asked = replace(
        window.enrolment("33030000000000000000100002", FACES[1]),
        subject="proxy",
        purposes=("visit",),
        proxy_for=m.PERSON,
    )
    window.desk.enrol(asked, f.NOW)
    key = window.desk.transform(f.NOW).key
    transformed = protect(FACES[:2], transform_matrix(key, f.DIMENSION))
    content = on_disk(tmp_path / "node")

    assert b"2026-0117" in content
    for pattern in (*patterns(*FACES[:2], *transformed), m.PERSON.encode(), key):
        assert pattern not in content


@pytest.mark.parametrize("way", ["revoke", "delete", "replace", "expire", "rekey"])
def test_what_went_leaves_no_key_and_no_body_behind(
    tmp_path: Path, store: NodeStore, way: str
) -> None:
    window = f.terminal(store)
    template = window.enrol(m.PERSON, FACES[0])
    wrapped, body = sealed_row(store, template)
    templates = store.edge.templates
    if way == "revoke":
        assert templates.revoke(m.PERSON, f.CLERK, 730) == 1
    elif way == "delete":
        assert templates.delete(m.PERSON, f.CLERK) == 1
    elif way == "replace":
        f.calibrate_site(store, 5_000)
        window.enrol(m.PERSON, FACES[0])
    elif way == "rekey":
        (transform,) = templates._connection.execute(  # noqa: SLF001 - its file
            "select wrapped from template_transform"
        ).fetchone()
        assert rekey(templates, f.CLERK) == (2, 1)
        assert transform not in on_disk(tmp_path / "node")
    else:
        later = replace(f.CLERK, at=f.NOW + timedelta(days=730))
        assert templates.delete_due(later, 730) == {"template": 1, "template_proxy": 0}

    content = on_disk(tmp_path / "node")
    assert wrapped not in content
    assert body not in content


def test_a_revoked_row_tells_who_consented_and_then_goes_too(store: NodeStore) -> None:
    window, templates = f.terminal(store), store.edge.templates
    template = window.enrol(m.PERSON, FACES[0])
    by = replace(f.CLERK, at=f.NOW + timedelta(days=10), why="撤回同意")
    assert templates.revoke(m.PERSON, by, 730) == 1
    assert templates.revoke(m.PERSON, by, 730) == 0

    (row,) = templates.rows(m.PERSON, 5)
    assert (row.consent, row.revoked_at) == ("2026-0117", "2026-12-03T02:00:00+00:00")
    assert row.expires_on == date(2028, 12, 2)
    assert sealed_row(store, template) == (b"", b"")
    assert list(templates.opened([template])) == []
    assert templates.due(date(2028, 12, 1), 730)["template"] == {}
    assert templates.due(date(2028, 12, 2), 730)["template"] == {202812: 1}
    over = replace(f.CLERK, at=f.NOW + timedelta(days=740))
    assert templates.delete_due(over, 730)["template"] == 1
    assert templates.rows(m.PERSON, 5) == ()
    logged = [(one.action, one.detail) for one in store.desk.entries()][:2]
    assert logged == [
        ("template_retain", "template 1, template_proxy 0"),
        ("template_revoke", "撤回同意"),
    ]


def test_deleting_takes_every_row_of_a_person_and_of_nobody_else(store: NodeStore) -> None:
    window, templates = f.terminal(store), store.edge.templates
    f.calibrate_site(store, 5_000)
    first, second = (window.enrol(m.PERSON, FACES[0]) for _ in range(2))
    window.enrol("P2", FACES[2])
    assert templates.delete(m.PERSON, f.CLERK) == 2
    assert templates.rows(m.PERSON, 5) == ()
    assert templates.delete(m.PERSON, f.CLERK) == 0
    assert templates.persons(TODAY) == 1
    deleted = {one.subject for one in store.desk.entries() if one.action == "template_delete"}
    assert deleted == {first.hex(), second.hex()}


def test_a_crash_inside_an_enrolment_leaves_the_old_template(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, templates = f.terminal(store), store.edge.templates
    f.calibrate_site(store, 5_000)
    template = window.enrol(m.PERSON, FACES[0])

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(templates._log, "note", full)  # noqa: SLF001 - the last step
    with pytest.raises(StoreError, match="disk is full"):
        window.enrol(m.PERSON, FACES[0])
    monkeypatch.undo()
    found = templates.find(m.PERSON, f.MODEL, TODAY)
    assert found is not None
    assert found.row.id == template
    assert len(templates.rows(m.PERSON, 5)) == 1


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("update template set person = x'00112233445566778899aabbccddeeff'", None),
        ("update template set epoch = 2", TemplateError),
        ("update template set purposes = 'everything'", TemplateError),
        ("update template set subject = 'guest'", TemplateError),
        ("update template set expires_on = 'never'", TemplateError),
        ("update template set body = zeroblob(length(body))", VaultError),
        ("update template set wrapped_key = zeroblob(length(wrapped_key))", VaultError),
        ("update template set body = substr(body, 1, 40)", VaultError),
    ],
)
def test_a_row_that_somebody_changed_is_no_template(
    store: NodeStore, statement: str, error: type[Exception] | None
) -> None:
    window, templates = f.terminal(store), store.edge.templates
    template = window.enrol(m.PERSON, FACES[0])
    templates.begin_rekey(f.CLERK)
    change(store, f"{statement} where id = ?", template)
    if error is None:
        assert templates.find(m.PERSON, f.MODEL, TODAY) is None
        with pytest.raises(TemplateError, match="changed on disk") as told:
            list(templates.opened([template]))
        assert template.hex() in str(told.value)
        return
    with pytest.raises(error) as refused:
        templates.find(m.PERSON, f.MODEL, TODAY)
    assert m.PERSON not in str(refused.value)


def test_one_persons_row_does_not_answer_for_another(store: NodeStore) -> None:
    window, templates = f.terminal(store), store.edge.templates
    one, _ = window.enrol("P1", FACES[0]), window.enrol("P2", FACES[1])
    templates.revoke("P2", f.CLERK, 730)
    change(store, "update template set person = ? where id = ?", templates.digest("P2"), one)
    with pytest.raises(TemplateError, match="changed on disk"):
        templates.find("P2", f.MODEL, TODAY)


def test_keys_are_rotated_with_their_templates_and_old_ones_may_go(
    tmp_path: Path, store: NodeStore
) -> None:
    home, window = tmp_path / "node", f.terminal(store)
    window.enrol("P1", FACES[0])
    window.enrol("P2", FACES[1])
    store.edge.templates.revoke("P2", f.CLERK, 730)
    assert dict(wrapped_epochs(home))["template.wrapped_key"] == {0: 1}
    bodies = sealed_row(store, store.edge.templates.rows("P1", 1)[0].id)[1]

    done = rewrap(wrapped_places(home), _newer(tmp_path))
    assert (done["template.wrapped_key"], done["template_transform.wrapped"]) == (1, 1)
    assert dict(wrapped_epochs(home))["template.wrapped_key"] == {1: 1}
    assert dict(wrapped_epochs(home))["template_transform.wrapped"] == {1: 1}
    assert sealed_row(store, store.edge.templates.rows("P1", 1)[0].id)[1] == bodies


def _newer(directory: Path) -> Vault:
    """A vault that opens what the store's sealed and seals under a newer epoch."""
    path = directory / "ring.key"
    write_private(path, m.VAULT_KEY)
    KeyRing.load(path).grown(1).save(path)
    return Vault.load(path)


def test_a_proxys_row_that_was_changed_is_refused(store: NodeStore) -> None:
    proxies = store.edge.templates.proxies
    for proxy in ("P2", "P3"):
        asked = NewProxy(
            person="P1", proxy=proxy, begins_on=TODAY, ends_on=TODAY, consent="2026-0118"
        )
        proxies.add(asked, f.CLERK)
    assert {one.kept.proxy for one in proxies.of("P1")} == {"P2", "P3"}
    change(
        store,
        "update template_proxy set person = ? where proxy = ?",
        store.edge.templates.digest("P9"),
        store.edge.templates.digest("P3"),
    )
    with pytest.raises(VaultError):
        proxies.of("P9")
    assert [one.kept.proxy for one in proxies.of("P1")] == ["P2"]


def test_a_template_under_another_transform_is_not_kept(store: NodeStore) -> None:
    templates = store.edge.templates
    made = NewTemplate(
        person="P1",
        subject=Subject.INSURED,
        purposes=frozenset((Purpose.VISIT,)),
        consent="c",
        consent_at=f.CLERK.moment,
        model=f.MODEL,
        epoch=1,
        vector=FACES[0],
        device="",
        expires_on=date(2028, 1, 1),
    )
    with pytest.raises(TemplateError, match="epoch 1, expected 0"):
        templates.enrol([made], f.CLERK, 730)
    templates.transforms.ensure(f.CLERK.moment)
    other = replace(made, person="P2", epoch=7)
    with pytest.raises(TemplateError, match="epoch 7, expected 1"):
        templates.enrol([made, other], f.CLERK, 730)
    assert templates.rows(None, 5) == ()


def test_thousands_are_enrolled_in_one_transaction(store: NodeStore) -> None:
    templates = store.edge.templates
    epoch = templates.transforms.ensure(f.CLERK.moment).epoch
    faces = units(3_000, 32)
    many = [
        NewTemplate(
            person=f"P{number}",
            subject=Subject.INSURED,
            purposes=frozenset((Purpose.VISIT,)),
            consent="c",
            consent_at=f.CLERK.moment,
            model=f.MODEL,
            epoch=epoch,
            vector=face,
            device="",
            expires_on=date(2028, 1, 1),
        )
        for number, face in enumerate(faces)
    ]
    ids = templates.enrol(many, f.CLERK, 730)
    assert templates.persons(TODAY) == 3_000
    assert templates.ids(f.MODEL, Purpose.VISIT, TODAY) == set(ids)
    assert templates.ids(f.MODEL, Purpose.BED_CHECK, TODAY) == set()
    by_id = {one.row.id: one for one in templates.opened(ids)}
    assert all((by_id[one].vector == face).all() for one, face in zip(ids, faces, strict=True))
    assert store.desk.verify_log()[0] == 3_000


def test_one_calibration_of_a_model_site_and_use_is_in_force(store: NodeStore) -> None:
    kept, other = store.edge.calibrations, f.calibration(6_000, seed=2)
    first = f.calibration(5_000)
    kept.put(first, CalibrationUse.VERIFY, f.CLERK)
    kept.put(other, CalibrationUse.IDENTIFY, f.CLERK)
    assert kept.at(f.MODEL, m.HOSPITAL) == first
    assert kept.at(f.MODEL, m.HOSPITAL, CalibrationUse.IDENTIFY) == other
    kept.put(other, CalibrationUse.VERIFY, f.CLERK)
    assert kept.at(f.MODEL, m.HOSPITAL) == other
    assert kept.at(f.MODEL, m.PHARMACY) is None
    assert kept.at(b"\x09" * 32, m.HOSPITAL) is None
    kept.put(first, CalibrationUse.VERIFY, f.CLERK)
    assert kept.at(f.MODEL, m.HOSPITAL) == first
    assert len(kept.kept()) == 2
    assert len(kept.kept(ended=True)) == 3
    assert kept.end(first.digest.hex()[:10], f.CLERK) == 1
    assert kept.end(first.digest.hex()[:10], f.CLERK) == 0
    assert kept.at(f.MODEL, m.HOSPITAL) is None
    actions = [one.action for one in store.desk.entries()]
    assert actions == ["calibration_end", *["calibration_import"] * 4]


def test_a_calibration_that_was_changed_on_disk_judges_nothing(store: NodeStore) -> None:
    f.calibrate_site(store, 5_000)
    change(store, "update face_calibration set body = cast(replace(body, '5000', '1000') as blob)")
    with pytest.raises(StoreError, match="changed on disk"):
        store.edge.calibrations.at(f.MODEL, m.HOSPITAL)
