from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from hub.desk import register
from hub.desk.refusals import DeskRequestError
from hub.store.engine import reading, writing
from security.errors import KeyFileError
from security.linking import PeriodKeys
from security.linking.oprf import MAX_POINTS, POINT_BYTES, PeriodKey, blind
from tests.support.hub_city import Clock
from tests.support.link_desks import PERIOD, PROVINCE, HeldDesk, caller

if TYPE_CHECKING:
    from pathlib import Path

    from hub.desk.evaluating import DeskCaller

NODE = caller("yixin://330302/node/H33030200001", "a")
POINTS = blind(PERIOD, ["1", "2", "3"]).points
DAY_IN_PERIOD = datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> HeldDesk:
    made = HeldDesk(directory=tmp_path / "desk", clock=Clock(DAY_IN_PERIOD))
    made.allow(NODE)
    return made


def ask(
    desk: HeldDesk,
    points: bytes = POINTS,
    *,
    period: str = PERIOD,
    request: int = 1,
    caller: DeskCaller = NODE,
) -> bytes:
    return desk.desk.evaluate(caller, period, request.to_bytes(16, "big"), points).points


def refused(desk: HeldDesk, points: bytes = POINTS, **asked: object) -> DeskRequestError:
    with pytest.raises(DeskRequestError) as caught:
        ask(desk, points, **asked)  # type: ignore[arg-type]  # what `ask` takes
    return caught.value


def log(desk: HeldDesk) -> list[tuple[str, str, int, str]]:
    with reading(desk.engine) as connection:
        lines = register.lines(connection, 1_000)
    return [(one.member, one.period, one.points, one.outcome) for one in reversed(lines)]


def used(desk: HeldDesk) -> int:
    with reading(desk.engine) as connection:
        return register.points_used(connection, NODE.member, PERIOD)


def test_points_are_evaluated_counted_and_noted(desk: HeldDesk) -> None:
    evaluated = ask(desk)
    assert evaluated == desk.keys.load(PERIOD).evaluate(POINTS)
    assert used(desk) == 3
    assert log(desk) == [
        (PROVINCE, PERIOD, 0, "key made"),
        (NODE.member, PERIOD, 3, "evaluated"),
    ]


def test_a_period_tells_its_terms(desk: HeldDesk) -> None:
    ask(desk)
    terms = desk.desk.describe(NODE, PERIOD)
    assert terms.check == desk.keys.load(PERIOD).check(PERIOD)
    assert (terms.quota, terms.used, terms.desk) == (1_000, 3, PROVINCE)
    destroyed = datetime.fromtimestamp(terms.destroy_at_ms / 1000, UTC)
    assert destroyed == datetime(2026, 12, 31, 16, tzinfo=UTC)


def test_the_same_request_is_answered_again_and_counts_once(desk: HeldDesk) -> None:
    assert ask(desk) == ask(desk)
    assert used(desk) == 3
    assert [line[3] for line in log(desk)] == ["key made", "evaluated", "repeated"]


def test_a_known_request_id_with_other_points_is_a_replay(desk: HeldDesk) -> None:
    ask(desk)
    error = refused(desk, blind(PERIOD, ["9"]).points)
    assert error.name == "replay"
    assert "other points" in error.detail
    assert used(desk) == 3


def test_a_known_request_under_another_period_counts_anew(desk: HeldDesk) -> None:
    ask(desk)
    ask(desk, period="2025H2")
    with reading(desk.engine) as connection:
        assert register.points_used(connection, NODE.member, "2025H2") == 3


def test_a_spent_quota_is_refused_whole_and_says_what_is_left(desk: HeldDesk) -> None:
    desk.allow(NODE, quota=5)
    ask(desk)
    error = refused(desk, request=2)
    assert error.name == "quota"
    assert "has used 3 of 5 points in 2026H1 and asks for 3" in error.detail
    assert ask(desk, POINTS[: 2 * POINT_BYTES], request=3)
    assert used(desk) == 5
    assert ask(desk), "a repeat costs nothing, whatever is left"


def test_quotas_are_of_a_node_and_a_period(desk: HeldDesk) -> None:
    other = caller("yixin://330303/node/county", "b")
    desk.allow(NODE, quota=3)
    desk.allow(other, quota=3)
    ask(desk)
    assert ask(desk, caller=other)
    assert ask(desk, period="2025H2", request=2)


@pytest.mark.parametrize(
    "points",
    [b"", b"\x00" * 31, b"\xff" * 32, POINTS + b"\x00", b"\x01" * 32 * (MAX_POINTS + 1)],
    ids=["none", "short", "no point", "a rest", "too many"],
)
def test_garbage_is_refused_and_costs_nothing(desk: HeldDesk, points: bytes) -> None:
    assert refused(desk, points).name == "points"
    assert used(desk) == 0


@pytest.mark.parametrize(
    ("period", "words"),
    [
        ("2026H3", "expected"),
        ("", "expected a half-year"),
        ("330302199001011234", "expected a half-year"),
        ("2026H2", "begins on 2026-07-01"),
    ],
)
def test_a_wrong_period_is_refused(desk: HeldDesk, period: str, words: str) -> None:
    error = refused(desk, period=period)
    assert error.name == "period"
    assert words in error.detail
    assert not desk.keys.has(period)
    assert "330302199001011234" not in str(log(desk))


def test_a_stranger_and_a_borrowed_name_are_refused(desk: HeldDesk) -> None:
    stranger = caller("yixin://330303/node/county", "a")
    borrowed = caller(NODE.member, "c")
    for one in (stranger, borrowed):
        assert refused(desk, caller=one).name == "member"
        with pytest.raises(DeskRequestError, match="not on this desk's register"):
            desk.desk.describe(one, PERIOD)
    with writing(desk.engine) as connection:
        assert register.end(connection, NODE.member, desk.clock.ms)
        assert not register.end(connection, NODE.member, desk.clock.ms)
    assert refused(desk).name == "member"


def test_a_key_is_destroyed_after_its_retention_and_never_made_again(desk: HeldDesk) -> None:
    ask(desk)
    desk.clock.at = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)
    assert desk.desk.destroy_due() == ()
    assert ask(desk, request=2)
    desk.clock.advance(minutes=1)
    assert refused(desk, request=3).name == "destroyed"
    assert desk.desk.destroy_due() == (PERIOD,)
    assert desk.desk.destroy_due() == ()
    assert not desk.keys.has(PERIOD)
    error = refused(desk, request=4)
    assert error.name == "destroyed"
    assert "its key is destroyed" in error.detail
    with pytest.raises(DeskRequestError):
        desk.desk.describe(NODE, PERIOD)
    assert (PROVINCE, PERIOD, 0, "key destroyed") in log(desk)


def test_a_key_is_not_made_for_a_period_whose_retention_is_over(desk: HeldDesk) -> None:
    assert refused(desk, period="2024H1").name == "destroyed"
    assert not desk.keys.has("2024H1")


def test_an_officer_destroys_a_key_while_the_desk_holds_it(desk: HeldDesk) -> None:
    ask(desk)
    officer = HeldDesk(directory=desk.directory, clock=desk.clock)
    assert officer.desk.destroy(PERIOD)
    assert officer.desk.destroy(PERIOD)
    assert not officer.desk.destroy("2025H1")
    assert refused(desk, request=2).name == "destroyed"


def test_a_crash_between_note_and_file_leaves_nothing_behind(desk: HeldDesk) -> None:
    ask(desk)
    kept = (desk.directory / "keys" / f"{PERIOD}.key").read_bytes()
    desk.desk.destroy(PERIOD)
    (desk.directory / "keys" / f"{PERIOD}.key").write_bytes(kept)
    again = HeldDesk(directory=desk.directory, clock=desk.clock)
    assert refused(again, request=2).name == "destroyed"
    again.desk.sweep()
    assert not again.keys.has(PERIOD)


def test_a_crash_between_file_and_row_keeps_the_half(desk: HeldDesk) -> None:
    made = desk.keys.create(PERIOD)
    assert ask(desk) == made.evaluate(POINTS)


def test_a_restart_keeps_half_and_counts(desk: HeldDesk) -> None:
    first = ask(desk)
    again = HeldDesk(directory=desk.directory, clock=desk.clock)
    assert ask(again) == first
    assert used(again) == 3


def test_no_point_and_no_half_lies_in_the_tables(desk: HeldDesk) -> None:
    evaluated = ask(desk)
    half = desk.keys.load(PERIOD).to_bytes()
    desk.engine.dispose()
    held = b"".join(path.read_bytes() for path in desk.directory.rglob("*") if path.is_file())
    for points in (POINTS, evaluated):
        for at in range(0, len(points), POINT_BYTES):
            assert points[at : at + POINT_BYTES] not in held
    assert half not in held
    names = inspect(desk.engine).get_table_names()
    expected = {"allowed", "line", "period", "request", "revocation_list", "revoked", "used"}
    assert set(names) == expected | {"schema_version"}


def test_refused_lines_of_a_member_are_bounded_and_evaluations_are_not(
    desk: HeldDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "KEPT_REFUSALS", 3)
    ask(desk)
    for number in range(6):
        refused(desk, b"", request=2 + number)
    outcomes = [line[3] for line in log(desk)]
    assert outcomes == ["key made", "evaluated", "points", "points", "points"]


def test_a_half_opens_for_its_period_and_its_desk_only(desk: HeldDesk) -> None:
    desk.keys.create("2025H1")
    path = desk.directory / "keys" / "2025H1.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(desk.directory / "keys" / "2025H2.key")
    with pytest.raises(KeyFileError, match="damaged or belongs to another desk"):
        desk.keys.load("2025H2")
    with pytest.raises(KeyFileError):
        desk.keys.load("2025H1")
    with pytest.raises(KeyFileError, match="already there"):
        PeriodKeys(desk.directory / "keys", desk.vault).create("2025H2")
    assert not desk.keys.destroy("2024H2")


def test_a_desk_waits_for_shanghai_and_not_for_utc(desk: HeldDesk) -> None:
    desk.clock.at = datetime(2026, 6, 30, 15, 59, tzinfo=UTC)
    assert refused(desk, period="2026H2").name == "period"
    desk.clock.at += timedelta(minutes=1)
    assert ask(desk, period="2026H2")


def test_two_desks_never_make_the_same_half() -> None:
    assert PeriodKey.generate().check(PERIOD) != PeriodKey.generate().check(PERIOD)
