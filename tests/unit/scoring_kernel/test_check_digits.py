from __future__ import annotations

import pytest

from scoring_kernel.check_digits import is_valid_id_card, is_valid_uscc


@pytest.mark.parametrize(
    "text",
    [
        "990001195803121016",  # Reserved division, day of birth 1958-03-12.
        "99000219491231007X",  # Reserved division, check digit X.
    ],
)
def test_id_cards_with_the_right_check_digit_are_valid(text: str) -> None:
    assert is_valid_id_card(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "990001195803121017",
        "99000219491231007x",
        "99000119581312101X",
        "990001195802301015",
        "090001195803121013",
        "99000119580312101",
        "9900011958031210160",
        "".join(chr(0xFF10 + int(digit)) for digit in "990001195803121016"),
        "990001195803121016\n",
    ],
)
def test_other_texts_are_no_id_cards(text: str) -> None:
    assert not is_valid_id_card(text)


@pytest.mark.parametrize("text", ["91350100M000100Y43", "12100000400010000N"])
def test_uscc_with_the_right_check_sign_is_valid(text: str) -> None:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(sign) * 3**place for place, sign in enumerate(text[:17]))
    assert is_valid_uscc(text[:17] + alphabet[(31 - total % 31) % 31])


def test_the_published_example_is_valid() -> None:
    assert is_valid_uscc("91350100M000100Y43")


@pytest.mark.parametrize(
    "text",
    ["", "91350100M000100Y44", "91350100I000100Y43", "91350100m000100Y43", "91350100M000100Y4"],
)
def test_other_texts_are_no_uscc(text: str) -> None:
    assert not is_valid_uscc(text)


@pytest.mark.parametrize("place", range(17))
def test_one_wrong_digit_is_always_seen(place: int) -> None:
    text = "990001195803121016"
    for digit in "0123456789":
        if digit != text[place]:
            assert not is_valid_id_card(text[:place] + digit + text[place + 1 :])
