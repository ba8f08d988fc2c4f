"""A desk under attack: points that are none, quotas asked for at once, endless repeats."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from hub.desk import register
from hub.desk.refusals import DeskRequestError
from security.linking import MAX_POINTS, POINT_BYTES
from security.linking.oprf import blind
from tests.support.link_desks import PERIOD, HeldDesk, caller
from tests.unit.hub.desk.test_evaluating import NODE, POINTS, ask, desk, log, refused, used

__all__ = ["desk"]

PRIME: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
"""Of the field of P-256."""
POINT: Final = POINTS[:POINT_BYTES]


def number(value: int) -> bytes:
    return value.to_bytes(POINT_BYTES, "big")


def is_on_curve(x: int) -> bool:
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    square = (x**3 - 3 * x + b) % PRIME
    return pow(square, (PRIME - 1) // 2, PRIME) in {0, 1}


ON, OFF = (next(x for x in range(2, 99) if is_on_curve(x) is wanted) for wanted in (True, False))


def test_a_small_point_of_the_curve_is_a_point(desk: HeldDesk) -> None:
    assert ask(desk, number(ON))


@pytest.mark.parametrize(
    "bad",
    [
        number(OFF),  # of the twist
        number(PRIME),
        number(PRIME + ON),  # a point, written with more than the field holds
        number(2**256 - 1),
    ],
    ids=["twist", "prime", "not reduced", "largest"],
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_point_that_is_none_refuses_all(desk: HeldDesk, bad: bytes, at: int) -> None:
    listed = [POINTS[start : start + POINT_BYTES] for start in range(0, len(POINTS), POINT_BYTES)]
    listed[at] = bad
    error = refused(desk, b"".join(listed))
    assert error.name == "points"
    assert bad.hex() not in error.detail
    assert used(desk) == 0


def test_the_most_points_are_evaluated_and_one_more_is_not(desk: HeldDesk) -> None:
    desk.allow(NODE, quota=MAX_POINTS)
    assert refused(desk, POINT * (MAX_POINTS + 1)).name == "points"
    assert len(ask(desk, POINT * MAX_POINTS, request=2)) == MAX_POINTS * POINT_BYTES
    assert used(desk) == MAX_POINTS
    assert refused(desk, POINT, request=3).name == "quota"


def test_what_is_asked_for_at_once_never_passes_the_quota(desk: HeldDesk) -> None:
    desk.allow(NODE, quota=10)

    def once(request: int) -> str:
        try:
            ask(desk, request=request)
        except DeskRequestError as error:
            return error.name
        return "evaluated"

    with ThreadPoolExecutor(8) as threads:
        answered = list(threads.map(once, range(1, 25)))
    assert sorted(answered) == ["evaluated"] * 3 + ["quota"] * 21
    assert used(desk) == 9
    assert [line[3] for line in log(desk)].count("key made") == 1


def test_one_request_sent_many_times_at_once_counts_once(desk: HeldDesk) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(lambda _: ask(desk), range(16)))
    assert len(answers) == 1
    assert used(desk) == 3


def test_lines_of_repeats_are_bounded(desk: HeldDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "KEPT_REFUSALS", 3)
    for _ in range(10):
        ask(desk)
    assert [line[3] for line in log(desk)] == ["key made", "evaluated", *["repeated"] * 3]


@pytest.mark.parametrize(
    "request_id", [b"", b"x" * 15, b"x" * 17, b"x" * 1_000_000], ids=["none", "15", "17", "many"]
)
def test_a_request_id_has_its_length(desk: HeldDesk, request_id: bytes) -> None:
    with pytest.raises(DeskRequestError):
        desk.desk.evaluate(NODE, PERIOD, request_id, POINTS)
    assert used(desk) == 0


@pytest.mark.parametrize(
    "period",
    ["", "2026H1\n", "2026h1", "\uff12026H1", "../../2026H1", "2026H1" * 50, "0000H1", "9999H2"],
)
def test_a_period_is_no_path(desk: HeldDesk, period: str) -> None:
    assert refused(desk, period=period).name == "period"
    assert not list((desk.directory / "keys").glob("*"))


def test_a_member_without_end_is_refused_and_cut(desk: HeldDesk) -> None:
    long = caller("yixin://330302/node/" + "x" * 100_000, "a")
    refused(desk, caller=long)
    assert max(len(line[0]) for line in log(desk)) < 1_000


def test_no_person_lies_in_a_file_and_no_file_is_open_to_others(desk: HeldDesk) -> None:
    ask(desk, blind(PERIOD, ["330302199001011234"]).points)
    for path in desk.directory.rglob("*"):
        if path.is_file():
            assert b"330302199001011234" not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0, path
