from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.errors import LogCorruptError
from security.operator.log_chain import NO_ENTRY, ChainedEntry, entry_hash, verify_chain

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = st.lists(st.lists(st.binary(max_size=8), min_size=1, max_size=3), min_size=2, max_size=6)


def chain(said: Sequence[Sequence[bytes]]) -> list[ChainedEntry]:
    entries: list[ChainedEntry] = []
    head = NO_ENTRY
    for number, parts in enumerate(said, start=1):
        hashed = entry_hash(head, number, parts)
        entries.append(ChainedEntry(number=number, parts=parts, previous=head, hash=hashed))
        head = hashed
    return entries


def test_an_empty_log_has_no_head() -> None:
    assert verify_chain([]) == (0, NO_ENTRY)


def test_columns_cannot_be_shifted_into_each_other() -> None:
    assert entry_hash(NO_ENTRY, 1, [b"ab", b"c"]) != entry_hash(NO_ENTRY, 1, [b"a", b"bc"])


@given(PARTS, st.data())
def test_a_changed_removed_or_moved_entry_is_found(
    said: list[list[bytes]], data: st.DataObject
) -> None:
    entries = chain(said)
    assert verify_chain(entries) == (len(entries), entries[-1].hash)
    at = data.draw(st.integers(0, len(entries) - 2))

    changed = entries.copy()
    changed[at] = replace(changed[at], parts=[*changed[at].parts, b"x"])
    for broken in (
        changed,
        entries[:at] + entries[at + 1 :],
        [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]],
        [*entries[: at + 1], *entries[at:]],
    ):
        with pytest.raises(LogCorruptError, match="operator log"):
            verify_chain(broken)


@given(PARTS)
def test_a_log_that_was_written_anew_has_another_head(said: list[list[bytes]]) -> None:
    """Whoever rewrites the whole chain meets the head that was fixed elsewhere."""
    other = [[*said[0], b"x"], *said[1:]]

    assert verify_chain(chain(said))[1] != verify_chain(chain(other))[1]
