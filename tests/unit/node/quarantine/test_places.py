"""Paths name fields as faults do, and put values where they say."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ConfigurationError
from node.quarantine.fields import KnownFields
from node.quarantine.places import open_place, parse_path, place_name, put_value
from scoring_kernel import load_catalog
from tests.support import node_messages as m

CATALOG = load_catalog()
FIELDS = KnownFields(CATALOG, "2204")


def message() -> m.Document:
    return copy.deepcopy(m.fees(1, lines=3))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("request.msgid", "request.msgid"),
        ("infno", "infno"),
        ("request.feedetail[2].cnt", "request.input.feedetail[2].cnt"),
        ("request.input.feedetail[2].cnt", "request.input.feedetail[2].cnt"),
        ("response.infcode", "response.infcode"),
        ("response.result[3].cnt", "response.output.result[3].cnt"),
        ("request.feedetail[1].brand_new_key", "request.input.feedetail[1].brand_new_key"),
    ],
)
def test_input_and_output_may_be_left_out(path: str, place: str) -> None:
    assert place_name(open_place(message(), path, FIELDS.head)) == place


def test_a_bare_request_has_the_same_paths() -> None:
    request = message()["request"]
    for path in ("request.feedetail[2].cnt", "feedetail[2].cnt", "input.feedetail[2].cnt"):
        place = open_place(request, path, FIELDS.head)
        assert place_name(place) == "input.feedetail[2].cnt"
    with pytest.raises(ConfigurationError, match="without a response"):
        open_place(request, "response.result[1].cnt", FIELDS.head)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "no path"),
        ("a..b", "no path"),
        ("request.feedetail[0].cnt", "no path"),
        ("request.feedetail[-1].cnt", "no path"),
        ("request.费用.cnt", "no path"),
        (".".join("a" * 20), "no path"),
        ("request", "names no field"),
        ("request.feedetail.cnt", "feedetail has 3 lines; name one"),
        ("request.feedetail[4].cnt", "feedetail has 3 lines; name one"),
        ("request.nothing.cnt", "the message has no nothing there"),
        ("request.msgid.x", "the message has no"),
        ("request.feedetail[1].cnt.x.y", "the message has no"),
    ],
)
def test_what_lies_nowhere_is_told(path: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        open_place(message(), path, FIELDS.head)


def test_an_empty_list_and_no_object_are_told() -> None:
    document = message()
    document["request"]["input"]["feedetail"] = []
    with pytest.raises(ConfigurationError, match="has no lines"):
        open_place(document, "request.feedetail.cnt", FIELDS.head)
    with pytest.raises(ConfigurationError, match="no JSON object"):
        open_place([document], "request.feedetail.cnt", FIELDS.head)


@given(line=st.integers(1, 3), name=st.sampled_from(["cnt", "pric", "new_key"]), value=st.text())
def test_only_the_named_value_changes_and_can_be_put_back(line: int, name: str, value: str) -> None:
    document = message()
    before = copy.deepcopy(document)
    place = open_place(document, f"request.feedetail[{line}].{name}", FIELDS.head)
    held = put_value(document, place, value)
    lines = document["request"]["input"]["feedetail"]
    assert lines[line - 1].pop(name) == value
    if name in before["request"]["input"]["feedetail"][line - 1]:
        lines[line - 1][name] = held
    assert document == before


@given(st.text(max_size=80))
def test_any_text_is_a_path_or_our_error(text: str) -> None:
    try:
        parts = parse_path(text)
    except ConfigurationError:
        return
    assert len(parts) == text.count(".") + 1


def test_values_take_the_type_the_interface_names() -> None:
    def typed(path: str, text: str) -> object:
        return FIELDS.typed(open_place(message(), path, FIELDS.head), text)

    assert typed("request.feedetail[1].cnt", "2") == 2
    assert typed("request.feedetail[1].cnt", " 35.60 ") == 35.6
    assert typed("request.feedetail[1].med_list_codg", "007") == "007"
    assert typed("request.feedetail[1].unknown_to_us", "2") == "2"
    assert typed("request.msgid", "1") == "1"
    for wrong in ("many", "NaN", "1e999", "0.1234567890123456789012", "9" * 60, ""):
        with pytest.raises(ConfigurationError, match="expected a decimal number"):
            typed("request.feedetail[1].cnt", wrong)


def test_what_the_catalogue_does_not_know_is_personal() -> None:
    place = open_place(message(), "request.feedetail[1].new_key", FIELDS.head)
    assert FIELDS.shown(place, "abc") == "*** (3 characters)"
    known = open_place(message(), "request.feedetail[1].med_list_codg", FIELDS.head)
    assert FIELDS.shown(known, "abc") == "abc"
    assert KnownFields(CATALOG, "no such").is_personal(known)
