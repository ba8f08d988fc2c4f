from __future__ import annotations

import pytest

from scoring_kernel.check_digits import is_valid_id_card, is_valid_uscc


@pytest.mark.parametrize(
    "text",
    [
        "330302195803121016",  # Day of birth 1958-03-12, invented holder.
        "11010519491231002X",  # The standard's own example.
    ],
)
def test_id_cards_with_the_right_check_digit_are_valid(text: str) -> None:
    assert is_valid_id_card(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "330302195803121017",
        "11010519491231002x",
        "330302195813121016",
        "330302195802301016",
        "030302195803121016",
        "33030219580312101",
        "3303021958031210160",
        "".join(chr(0xFF10 + int(digit)) for digit in "330302195803121016"),
        "330302195803121016\n",
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
    text = "330302195803121016"
    for digit in "0123456789":
        if digit != text[place]:
            assert not is_valid_id_card(text[:place] + digit + text[place + 1 :])
