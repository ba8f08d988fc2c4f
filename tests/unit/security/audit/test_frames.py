from __future__ import annotations

import io

import pytest
from google.protobuf import wrappers_pb2
from google.protobuf.proto import serialize_length_prefixed
from hypothesis import given
from hypothesis import strategies as st

from security.audit.frames import read_frames, write_frames
from security.errors import AuditInputError


def framed(*messages: bytes) -> bytes:
    file = io.BytesIO()
    assert write_frames(file, messages) == len(messages)
    return file.getvalue()


def unframed(data: bytes, *, max_bytes: int = 1 << 20, max_count: int = 100) -> list[bytes]:
    return list(read_frames(io.BytesIO(data), "f", max_bytes=max_bytes, max_count=max_count))


@given(messages=st.lists(st.binary(max_size=300), max_size=20))
def test_messages_round_trip(messages: list[bytes]) -> None:
    assert unframed(framed(*messages)) == messages


@pytest.mark.parametrize("length", [0, 127, 128, 16_383, 16_384])
def test_lengths_are_those_of_protobuf(length: int) -> None:
    reference = io.BytesIO()
    serialize_length_prefixed(wrappers_pb2.BytesValue(value=bytes(length)), reference)
    message = wrappers_pb2.BytesValue(value=bytes(length)).SerializeToString()
    assert framed(message) == reference.getvalue()


def test_every_truncation_is_noticed() -> None:
    data = framed(b"first", bytes(200))
    whole = {0, 6}
    for length in range(len(data)):
        if length not in whole:
            with pytest.raises(AuditInputError, match="truncated"):
                unframed(data[:length])


def test_an_oversized_message_is_refused_before_it_is_read() -> None:
    with pytest.raises(AuditInputError, match="f: message 0 has 268435455 bytes, over 10"):
        unframed(b"\xff\xff\xff\x7f", max_bytes=10)


def test_a_length_that_never_ends_is_refused() -> None:
    with pytest.raises(AuditInputError, match="f: truncated or damaged before a message"):
        unframed(b"\xff" * 10)


def test_more_messages_than_announced_are_refused() -> None:
    assert unframed(framed(b"a", b"b"), max_count=2) == [b"a", b"b"]
    with pytest.raises(AuditInputError, match="more than the 1 messages"):
        unframed(framed(b"a", b"b"), max_count=1)


@given(data=st.binary(max_size=200))
def test_any_bytes_give_messages_or_an_error_of_ours(data: bytes) -> None:
    try:
        messages = unframed(data)
    except AuditInputError:
        return
    assert sum(map(len, messages)) <= len(data)
