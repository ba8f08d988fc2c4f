from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.encoding import pae, parse_exactly


def test_the_encoding_of_one_part_is_that_of_dsse() -> None:
    # Source: secure-systems-lab/dsse, protocol.md, "hello world" example.
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(
    left=st.lists(st.binary(max_size=6), max_size=4),
    right=st.lists(st.binary(max_size=6), max_size=4),
)
def test_different_parts_never_encode_alike(left: list[bytes], right: list[bytes]) -> None:
    assert (pae("t", *left) == pae("t", *right)) == (left == right)


def test_moving_a_byte_between_parts_changes_the_encoding() -> None:
    assert pae("t", b"ab", b"c") != pae("t", b"a", b"bc")
    assert pae("t", b"abc") != pae("t", b"abc", b"")


def test_an_oversized_message_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ValueError, match="5 bytes, at most 4 are read"):
        parse_exactly(envelope_pb2.EnvelopeHeader, b"\xff" * 5, 4)


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(ValueError, match="not a serialised EnvelopeHeader"):
        parse_exactly(envelope_pb2.EnvelopeHeader, b"\xff\xff", 10)


def test_content_smuggled_in_an_unknown_field_is_refused() -> None:
    smuggled = b"\xfa\x07\x06secret"  # field 127, which no header has
    with pytest.raises(ValueError, match="unknown fields in EnvelopeHeader"):
        parse_exactly(envelope_pb2.EnvelopeHeader, smuggled, 100)


def test_a_known_message_is_parsed() -> None:
    data = envelope_pb2.EnvelopeHeader(format=1, period="2026H1").SerializeToString()
    assert parse_exactly(envelope_pb2.EnvelopeHeader, data, 100).period == "2026H1"


def test_content_smuggled_in_a_message_within_is_refused() -> None:
    inner = exchange_pb2.ChainHead(seq=1).SerializeToString() + b"\xfa\x07\x06secret"
    smuggled = b"\x1a" + bytes([len(inner)]) + inner  # field 3, heads, of a statement of heads
    with pytest.raises(ValueError, match="unknown fields in HeadsBody"):
        parse_exactly(exchange_pb2.HeadsBody, smuggled, 100)
