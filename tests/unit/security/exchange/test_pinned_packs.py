"""The root of the model packs is kept where the join token pins it, and only that one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from security.errors import JoinRefusedError
from security.exchange.join import verify_answer
from security.exchange.key_files import create_keys
from tests.support.hub_city import FIRST, NODE, join_request, open_city

if TYPE_CHECKING:
    from pathlib import Path

ROOT = b'{"signed": "the first root"}'
PIN = hashlib.sha256(ROOT).digest()


@pytest.mark.parametrize(
    ("pin", "root", "kept"),
    [(PIN, ROOT, ROOT), (b"", ROOT, b""), (b"", b"", b"")],
    ids=["pinned", "not_pinned", "no_packs"],
)
def test_a_root_is_kept_where_it_is_pinned(
    tmp_path: Path, pin: bytes, root: bytes, kept: bytes
) -> None:
    assert joined(tmp_path, pin, root) == kept


@pytest.mark.parametrize("root", [b"", ROOT + b" "], ids=["none", "another"])
def test_another_root_than_the_pinned_one_is_refused(tmp_path: Path, root: bytes) -> None:
    with pytest.raises(JoinRefusedError, match="another root of the model packs than the token"):
        joined(tmp_path, PIN, root)


def joined(place: Path, pin: bytes, root: bytes) -> bytes:
    with open_city(place / "hub") as city:
        token = city.token(NODE, FIRST)
        keys = create_keys(place / "node", post_quantum=False)
        response = city.join(join_request(token, keys, city.clock.ms))
        response.pack_root = root
        membership = verify_answer(
            place / "node",
            response,
            replace(token, pack_root_digest=pin),
            keys,
            kind="node",
            now=city.clock(),
        )
        return bytes(membership.joined.pack_root)
