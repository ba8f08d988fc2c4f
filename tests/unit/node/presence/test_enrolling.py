"""Enrolment with consent, and finding one to one: what is refused, and what is never found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from node.domain.face_templates import NewProxy, Purpose
from node.errors import TemplateError
from node.presence.enrolling import ProtectedTemplate
from scoring_kernel.faces.manifest import ModelKind
from scoring_kernel.faces.manifest_files import shipped_manifests
from scoring_kernel.faces.matching import pack_vector, parse_vector, score_e4
from scoring_kernel.faces.verdict import Cause
from security.moments import to_ms
from tests.support import face_templates as f
from tests.support.face_vectors import units
from tests.support.node_messages import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.store import NodeStore

FACES = units(8, f.DIMENSION)
EMBEDDING = next(one for one in shipped_manifests().values() if one.kind is ModelKind.EMBEDDING)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


@pytest.fixture
def window(store: NodeStore) -> f.Terminal:
    return f.terminal(store)


def near(vector: Any, amount: float, seed: int = 5) -> Any:  # noqa: ANN401
    """The same face on another picture."""
    mixed = vector + amount * units(1, f.DIMENSION, seed)[0]
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def found(window: f.Terminal, person: str = f.PERSON, **more: Any) -> ProtectedTemplate | Cause:  # noqa: ANN401
    arguments: dict[str, Any] = {"purpose": Purpose.VISIT, "model": f.MODEL, "now": f.NOW, **more}
    return window.desk.find(person, **arguments)


def test_who_is_enrolled_is_found_and_compares_as_before(window: f.Terminal) -> None:
    template = window.enrol(f.PERSON, FACES[0])
    answer = found(window)

    assert isinstance(answer, ProtectedTemplate)
    assert (answer.id, answer.person, answer.model) == (template, f.PERSON, f.MODEL)
    assert answer.epoch == window.desk.transform(f.NOW).epoch
    assert answer.expires_at_ms == to_ms(datetime(2028, 11, 21, 16, tzinfo=UTC))
    kept = parse_vector(answer.vector, f.DIMENSION)
    for other in (near(FACES[0], 0.5), FACES[1]):
        (probe,) = window.protected(other)
        score = score_e4(parse_vector(probe, f.DIMENSION), kept)
        assert abs(score - score_e4(other, FACES[0])) <= 1


def test_the_mean_of_pictures_of_one_person_is_kept(store: NodeStore, window: f.Terminal) -> None:
    f.calibrate_site(store, 5_000)
    pictures = [near(FACES[0], 0.4, seed) for seed in (5, 6, 7)]
    window.enrol(f.PERSON, *pictures)

    answer = found(window)
    assert isinstance(answer, ProtectedTemplate)
    total = np.sum(pictures, axis=0, dtype=np.float64)
    mean_of = np.asarray(total / np.linalg.norm(total), np.float32)
    (mean,) = window.protected(mean_of)
    assert score_e4(parse_vector(answer.vector, 64), parse_vector(mean, 64)) >= 9_999


def test_pictures_of_two_people_are_refused(store: NodeStore, window: f.Terminal) -> None:
    f.calibrate_site(store, 5_000)
    with pytest.raises(TemplateError, match="not one person"):
        window.enrol(f.PERSON, FACES[0], near(FACES[0], 0.2), FACES[1])
    assert found(window) is Cause.NO_TEMPLATE


def test_without_a_calibration_one_picture_is_taken_and_several_are_not(
    window: f.Terminal,
) -> None:
    with pytest.raises(TemplateError, match="without a calibration"):
        window.enrol(f.PERSON, FACES[0], near(FACES[0], 0.2))
    assert window.enrol(f.PERSON, FACES[0])


def test_the_manifests_number_counts_where_the_operator_says_so(store: NodeStore) -> None:
    trusting = replace(
        f.terminal(store, uncalibrated="manifest"), model=bytes.fromhex(EMBEDDING.sha256)
    )
    one, other = units(2, EMBEDDING.output.size)
    with pytest.raises(TemplateError, match="not one person"):
        trusting.enrol(f.PERSON, one, other)
    assert trusting.enrol(f.PERSON, one, one)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"consent": ""}, "consent of 0 characters"),
    ({"consent": " "}, "consent of 1 characters"),
    ({"consent": "x" * 101}, "consent of 101 characters"),
    ({"consent": "a\x1b[2J"}, "consent of 5 characters"),
    ({"consent_at_ms": 0}, "moment of consent"),
    ({"consent_at_ms": -1}, "moment of consent"),
    ({"consent_at_ms": to_ms(f.NOW + timedelta(minutes=6))}, "moment of consent"),
    ({"consent_at_ms": 1 << 62}, "moment of consent"),
    ({"purposes": ()}, "no purpose"),
    ({"purposes": ("marketing",)}, "purpose 'marketing'"),
    ({"purposes": ("visit", "duty")}, "insured with duty, visit"),
    ({"subject": "staff"}, "staff with bed_check, visit"),
    ({"subject": "guest"}, "subject 'guest'"),
    ({"subject": "staff", "purposes": ()}, "no purpose"),
    ({"person": ""}, "person of 0 characters"),
    ({"person": "3" * 31}, "person of 31 characters"),
    ({"person": "33 03"}, "person of 5 characters"),
    ({"operator": ""}, "operator of 0 characters"),
    ({"model": b"\x07" * 31}, "model of 31 bytes"),
    ({"epoch": 0}, "transform epoch 0, expected 1"),
    ({"epoch": 2}, "transform epoch 2, expected 1"),
    ({"proxy_for": "P2"}, "proxy_for"),
    ({"subject": "proxy", "proxy_for": f.PERSON}, "proxy_for"),
    ({"vectors": ()}, "0 vectors"),
    ({"vectors": (pack_vector(FACES[0]),) * 6}, "6 vectors"),
    ({"vectors": (b"",)}, "0 bytes"),
    ({"vectors": (b"\0" * 3,)}, "3 bytes"),
    ({"vectors": (b"\0" * 4,)}, "4 bytes"),
    ({"vectors": (b"\0" * 4 * 2049,)}, "8196 bytes"),
    ({"vectors": (b"\0" * 4 * 64,)}, "length 0"),
    ({"vectors": (pack_vector(FACES[0] * 2),)}, "length 2"),
    ({"vectors": (pack_vector(FACES[0]), pack_vector(FACES[0])[:-4])}, "252 bytes"),
    ({"vectors": (np.full(64, np.nan, "<f4").tobytes(),)}, "length nan"),
    ({"vectors": (np.full(64, np.inf, "<f4").tobytes(),)}, "length inf"),
    ({"vectors": (np.full(64, 3e38, "<f4").tobytes(),)}, "of length"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_what_is_no_enrolment_is_refused_and_nothing_is_kept(
    store: NodeStore, window: f.Terminal, change: dict[str, Any], words: str
) -> None:
    asked = replace(window.enrolment(f.PERSON, FACES[0]), **change)
    with pytest.raises(TemplateError, match=words) as refused:
        window.desk.enrol(asked, f.NOW)
    assert f.PERSON not in str(refused.value)
    assert store.edge.templates.rows(None, 10) == ()
    assert store.desk.entries() == ()


def test_a_model_has_one_length_of_vectors(window: f.Terminal) -> None:
    window.enrol(f.PERSON, FACES[0])
    with pytest.raises(TemplateError, match="128 bytes, expected 256"):
        window.enrol("P2", units(1, 32)[0])


def test_a_model_that_the_program_knows_has_the_length_of_its_manifest(store: NodeStore) -> None:
    known = replace(f.terminal(store), model=bytes.fromhex(EMBEDDING.sha256))
    with pytest.raises(TemplateError, match=f"expected {4 * EMBEDDING.output.size}"):
        known.enrol(f.PERSON, FACES[0])


def test_a_template_is_found_for_its_purposes_its_model_and_its_time_alone(
    window: f.Terminal,
) -> None:
    window.enrol(f.PERSON, FACES[0])
    last = datetime(2028, 11, 21, 15, 59, tzinfo=UTC)

    assert isinstance(found(window, purpose=Purpose.BED_CHECK), ProtectedTemplate)
    assert found(window, purpose=Purpose.DUTY) is Cause.NO_TEMPLATE
    assert found(window, model=b"\x08" * 32) is Cause.OTHER_MODEL
    assert found(window, person="P2") is Cause.NO_TEMPLATE
    assert isinstance(found(window, now=last), ProtectedTemplate)
    assert found(window, now=last + timedelta(minutes=1)) is Cause.NO_TEMPLATE
    assert found(window, model=b"\x08" * 32, now=last + timedelta(minutes=1)) is Cause.NO_TEMPLATE


def test_who_is_enrolled_again_has_one_template_and_the_first_one_is_gone(
    store: NodeStore, window: f.Terminal
) -> None:
    f.calibrate_site(store, 5_000)
    first = window.enrol(f.PERSON, FACES[0])
    second = window.enrol(f.PERSON, near(FACES[0], 0.5))
    answer = found(window)

    assert isinstance(answer, ProtectedTemplate)
    assert answer.id == second
    kept = {row.id: row.revoked_at for row in store.edge.templates.rows(f.PERSON, 10)}
    assert kept == {first: "2026-11-23T02:00:00+00:00", second: None}
    logged = [(one.action, one.subject) for one in store.desk.entries()][:3]
    assert logged == [
        ("template_enrol", second.hex()),
        ("template_revoke", first.hex()),
        ("template_enrol", first.hex()),
    ]


def test_a_terminal_does_not_put_another_face_in_a_persons_place(
    store: NodeStore, window: f.Terminal
) -> None:
    f.calibrate_site(store, 5_000)
    first = window.enrol(f.PERSON, FACES[0])
    with pytest.raises(TemplateError, match="another face than that of the template") as refused:
        window.enrol(f.PERSON, FACES[1])
    assert first.hex() in str(refused.value)
    assert f.PERSON not in str(refused.value)
    assert [row.revoked_at for row in store.edge.templates.rows(f.PERSON, 5)] == [None]

    newer = window.enrol(f.PERSON, near(FACES[0], 0.5))
    assert store.edge.templates.revoke(f.PERSON, f.CLERK, 730) == 1
    other = window.enrol(f.PERSON, FACES[1])
    assert len({first, newer, other}) == 3
    answer = found(window)
    assert isinstance(answer, ProtectedTemplate)
    assert answer.id == other


def test_where_nothing_is_calibrated_nobody_takes_a_persons_place(
    store: NodeStore, window: f.Terminal
) -> None:
    """Another site of the node may be calibrated, or this one later: the face would count there."""
    first = window.enrol(f.PERSON, FACES[0])
    with pytest.raises(TemplateError, match="nobody can tell") as refused:
        window.enrol(f.PERSON, FACES[1])
    assert first.hex() in str(refused.value)
    assert store.edge.templates.revoke(f.PERSON, f.CLERK, 730) == 1
    window.enrol(f.PERSON, FACES[1])


def test_staff_are_enrolled_for_duty(window: f.Terminal) -> None:
    asked = replace(
        window.enrolment("D330302000017", FACES[2]), subject="staff", purposes=("duty",)
    )
    window.desk.enrol(asked, f.NOW)
    assert isinstance(found(window, "D330302000017", purpose=Purpose.DUTY), ProtectedTemplate)
    assert found(window, "D330302000017") is Cause.NO_TEMPLATE


def test_a_proxy_is_found_in_the_persons_place_while_the_registration_counts(
    store: NodeStore, window: f.Terminal
) -> None:
    asked = replace(
        window.enrolment("P2", FACES[2]), subject="proxy", purposes=("visit",), proxy_for=f.PERSON
    )
    template = window.desk.enrol(asked, f.NOW).id
    proxies, today = store.edge.templates.proxies, date(2026, 11, 23)

    answer = found(window, proxy="P2")
    assert isinstance(answer, ProtectedTemplate)
    assert (answer.id, answer.person) == (template, "P2")
    assert found(window) is Cause.NO_TEMPLATE
    assert found(window, proxy="P3") is Cause.NO_TEMPLATE
    assert found(window, person="P9", proxy="P2") is Cause.NO_TEMPLATE
    assert found(window, proxy="P2", purpose=Purpose.BED_CHECK) is Cause.NO_TEMPLATE
    assert proxies.in_force(f.PERSON, "P2", today)
    assert not proxies.in_force("P2", f.PERSON, today)
    assert not proxies.in_force(f.PERSON, "P2", today - timedelta(days=1))
    assert proxies.in_force(f.PERSON, "P2", today + timedelta(days=729))
    assert not proxies.in_force(f.PERSON, "P2", today + timedelta(days=730))
    assert proxies.end(f.PERSON, "P2", today, f.CLERK) == 1
    assert isinstance(found(window, proxy="P2"), ProtectedTemplate)
    assert found(window, proxy="P2", now=f.NOW + timedelta(days=1)) is Cause.NO_TEMPLATE


def test_a_registration_ended_before_it_began_is_gone(store: NodeStore) -> None:
    proxies, today = store.edge.templates.proxies, date(2026, 11, 23)
    asked = NewProxy(
        person=f.PERSON,
        proxy="P2",
        begins_on=today,
        ends_on=today,
        consent="2026-0118",
    )
    proxies.add(asked, f.CLERK)
    assert [one.kept for one in proxies.of("P2")] == [asked]
    assert proxies.end(f.PERSON, "P2", today - timedelta(days=1), f.CLERK) == 1
    assert proxies.of("P2") == ()
    assert proxies.end(f.PERSON, "P2", today, f.CLERK) == 0
    assert [one.action for one in store.desk.entries()] == ["proxy_end", "proxy_add"]
