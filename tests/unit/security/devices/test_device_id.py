from __future__ import annotations

import pytest

from security.devices import DeviceName, Place, is_device_id, parse_device_id
from security.members import is_member_id

GOOD = "yixin-device://H33030200001/window/w3"


def test_an_id_and_its_parts_are_the_same_thing() -> None:
    name = parse_device_id(GOOD)
    assert name == DeviceName(institution="H33030200001", place=Place.WINDOW, name="w3")
    assert name.device_id == GOOD


@pytest.mark.parametrize("place", list(Place))
def test_every_place_makes_an_id(place: Place) -> None:
    name = DeviceName(institution="P33030200017", place=place, name="a.b_c-1")
    assert parse_device_id(name.device_id) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yixin://330302/node/H33030200001",
        "yixin-device://H3303020000/window/w3",
        "yixin-device://H33030200001/roof/w3",
        "yixin-device://H33030200001/window/",
        "yixin-device://H33030200001/window/W3",
        "yixin-device://H33030200001/window/.w3",
        "yixin-device://H33030200001/window/w3\n",
        "yixin-device://H33030200001/window/" + "w" * 33,
        "yixin-device://H33030200001/window/w3/../w4",
        "yixin-device://H\uff133030200001/window/w3",
    ],
)
def test_what_is_no_id_is_refused_with_the_form(text: str) -> None:
    assert not is_device_id(text)
    with pytest.raises(ValueError, match="is not a device id; expected yixin-device://"):
        parse_device_id(text)


def test_no_device_is_a_member() -> None:
    assert not is_member_id(GOOD)


def test_parts_that_make_no_id_are_refused() -> None:
    with pytest.raises(ValueError, match="is not a device id"):
        DeviceName(institution="H1", place=Place.BED, name="b")
