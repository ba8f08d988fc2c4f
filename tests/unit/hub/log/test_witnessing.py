from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.errors import LogReadOnlyError
from hub.log.sequencer import publish
from hub.log.witnessing import (
    CONTRADICTION,
    NOT_MIRRORED,
    SEEN_MORE,
    UNTRUSTED,
    Answer,
    hear,
    witness,
)
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading, writing
from security.keys import SigningKey
from security.tlog.cosigning import verify_cosignatures
from security.tlog.reader import TileReader
from security.tlog.witness_policy import Witness
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.hub_city import NODE, OTHER
from tests.support.hub_logs import append, size
from tests.support.witnesses import asked_for, befriend, cosigned, peer_of

if TYPE_CHECKING:
    from hub.log.hub_log import HubLog
    from tests.support.hub_city import City


def evidence(log: HubLog) -> tuple[dict[str, str | int], ...]:
    with reading(log.engine) as connection:
        return log_peers.evidence(connection)


def held(log: HubLog, origin: str) -> Checkpoint | None:
    with reading(log.engine) as connection:
        found = log_peers.find_witnessed(connection, origin)
    return found.checkpoint if found else None


def test_a_witness_signs_what_continues_and_mirrors_it(city: City, province: City) -> None:
    own, by = city.parts.log, province.parts.log
    made = publish(own)
    for count in (1, 5, 300):
        append(own, count)
        answer = cosigned(own, by)
        made = publish(own)
        note = made.note + answer.lines
        assert verify_cosignatures(note, [by.witness()], now_s=by.now_ms // 1000)
        assert answer.size == made.checkpoint.size
    mirror = TileReader(by.mirror(made.checkpoint.origin), made.checkpoint)
    mirror.verify_all()


def test_the_same_checkpoint_is_signed_again(city: City, province: City) -> None:
    append(city.parts.log, 3)
    first = cosigned(city.parts.log, province.parts.log)
    assert cosigned(city.parts.log, province.parts.log).size == first.size


def test_a_log_that_is_wrong_about_the_size_is_told(city: City, province: City) -> None:
    own, by = city.parts.log, province.parts.log
    total = append(own, 3)
    cosigned(own, by)
    append(own, 2)
    for wrong in (0, total - 1, total + 1):
        asked = asked_for(own, min(wrong, total + 2))
        assert witness(by, peer_of(own), replace(asked, old_size=wrong)) == Answer(size=total)
    assert evidence(by) == ()


def test_a_witness_signs_no_second_history(city: City, province: City) -> None:
    own, by = city.parts.log, province.parts.log
    total = append(own, 4)
    cosigned(own, by)
    fork = replace(own, directory=own.directory / "fork", place=str(own.directory / "fork"))
    with own.engine.begin() as connection:
        for table in ("log_leaf", "log_state", "log_frontier"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - names from above
    append(own, total + 3, word="another history")

    answer = witness(by, peer_of(own), asked_for(fork, total))
    assert (answer.lines, answer.refusal) == ("", CONTRADICTION)
    same_size = Checkpoint(origin=own.origin(1), size=total, root=bytes(32))
    asked = asked_for(fork, total, path=(), note=own.sign(same_size))
    assert witness(by, peer_of(own), asked).refusal == CONTRADICTION

    kept = evidence(by)
    assert len(kept) == 2
    assert all(row["held"] and row["shown"] and row["hub"] == own.hub for row in kept)
    found = held(by, own.origin(1))
    assert found is not None
    assert found.size == total


def test_contradictions_without_number_do_not_fill_the_disk(city: City) -> None:
    log = city.parts.log
    shown = {
        OTHER: [f"note {number}" for number in range(2 * log_peers.KEPT_EVIDENCE)],
        NODE: ["note 0", "another note"],
    }
    with writing(log.engine) as connection:
        for hub, texts in shown.items():
            for text in texts:
                log_peers.add_evidence(
                    connection,
                    hub=hub,
                    origin=log.origin(1),
                    cause="",
                    held="",
                    shown=text,
                    now_ms=1,
                )

    kept = Counter(str(row["hub"]) for row in evidence(log))
    assert kept == {OTHER: log_peers.KEPT_EVIDENCE, NODE: 1}


@pytest.mark.parametrize("signer", ["another key", "another hub's log", "garbage"])
def test_a_checkpoint_that_the_log_did_not_sign_is_refused(
    city: City, province: City, signer: str
) -> None:
    own, by = city.parts.log, province.parts.log
    append(own, 2)
    checkpoint = publish(own).checkpoint
    note = {
        "another key": sign_checkpoint(checkpoint, SigningKey.generate(post_quantum=True)),
        "another hub's log": by.sign(replace(checkpoint, origin=by.origin(1))),
        "garbage": "garbage",
    }[signer]
    assert witness(by, peer_of(own), asked_for(own, note=note)).refusal == UNTRUSTED
    assert held(by, own.origin(1)) is None


@pytest.mark.parametrize("entries", ["none", "fewer", "more", "others"])
def test_leaves_that_do_not_make_the_root_are_not_mirrored(
    city: City, province: City, entries: str
) -> None:
    own, by = city.parts.log, province.parts.log
    append(own, 5)
    cosigned(own, by)
    total = append(own, 3)
    asked = asked_for(own, total - 3)
    leaves = tuple(asked.entries)
    wrong = {
        "none": (),
        "fewer": leaves[:-1],
        "more": (*leaves, b"x"),
        "others": (*leaves[:-1], b"x"),
    }[entries]
    answer = witness(by, peer_of(own), replace(asked, entries=wrong))
    assert answer == Answer(size=total - 3, refusal=NOT_MIRRORED)
    assert cosigned(own, by).size == total


def test_nobody_is_overtaken(city: City, province: City, monkeypatch: pytest.MonkeyPatch) -> None:
    own, by = city.parts.log, province.parts.log
    append(own, 2)
    first = asked_for(own)
    total = append(own, 1)
    second = asked_for(own)
    original = log_peers.save_witnessed
    looked = log_peers.find_witnessed
    calls = iter([None])

    def raced(connection: object, origin: str) -> object:
        # Between the first look and the last, another process cosigned the larger log.
        if next(calls, "over") == "over":
            monkeypatch.setattr("hub.log.witnessing.log_peers.find_witnessed", looked)
            original(
                connection,  # type: ignore[arg-type]  # a connection
                log_peers.Witnessed(
                    hub=own.hub,
                    checkpoint=publish(own).checkpoint,
                    note=second.note,
                    at_ms=by.now_ms,
                ),
            )
        return looked(connection, origin)  # type: ignore[arg-type]  # a connection

    monkeypatch.setattr("hub.log.witnessing.log_peers.find_witnessed", raced)
    assert witness(by, peer_of(own), first) == Answer(size=total)


def test_a_witness_confirms_by_handing_back_its_lines(city: City, province: City) -> None:
    own, by = city.parts.log, province.parts.log
    befriend(own, by)
    append(own, 2)
    answer = cosigned(own, by)
    note = publish(own).note + answer.lines
    assert hear(own, by.hub, note) == Answer(size=size(own))
    assert by.hub in own.mode.confirmed
    with reading(own.engine) as connection:
        kept = own.cosigned_note(connection)
    assert verify_cosignatures(kept, [by.witness()], now_s=None)


def test_who_is_no_witness_confirms_nothing(city: City, province: City) -> None:
    own = city.parts.log
    append(own, 2)
    assert hear(own, province.parts.log.hub, publish(own).note).size == size(own)
    assert own.mode.confirmed == frozenset()


def test_lines_of_another_key_do_not_count(city: City, province: City) -> None:
    own, by = city.parts.log, province.parts.log
    stranger = Witness(name=by.witness_name, key=SigningKey.generate(post_quantum=True).verifying)
    with writing(own.engine) as connection:
        log_peers.add_peer(connection, replace(peer_of(by), witness=stranger))
    append(own, 2)
    hear(own, by.hub, publish(own).note + cosigned(own, by).lines)
    with reading(own.engine) as connection:
        assert own.cosigned_note(connection) == ""
        assert (
            "cosignature" in log_peers.peers(connection)[0].trouble
            or log_peers.peers(connection)[0].trouble
        )


def test_a_database_and_tiles_rolled_back_together_are_read_only(city: City) -> None:
    own = city.parts.log
    total = append(own, 3)
    later = append(own, 4)
    seen = publish(own).note
    with own.engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM log_leaf WHERE log_index >= {total}")  # noqa: S608
        frontier = leaf_log.extend_frontier(connection, bytes(8), 0, total)
        leaf_log.save_state(connection, {"size": total, "frontier": frontier.to_bytes()})

    answer = hear(own, "yixin://330302/node/H33030200001", seen)
    assert answer == Answer(size=total, refusal=SEEN_MORE)
    with pytest.raises(LogReadOnlyError, match=rf"with {later} leaves.*holds {total} leaves"):
        append(own, 1)
    kept = evidence(own)
    assert len(kept) == 1
    assert kept[0]["shown"] == seen


def test_another_root_at_a_size_that_is_held_closes_the_log(city: City) -> None:
    own = city.parts.log
    total = append(own, 3)
    forged = own.sign(Checkpoint(origin=own.origin(1), size=total, root=bytes(32)))
    assert hear(own, "somebody", forged).refusal == SEEN_MORE
    with pytest.raises(LogReadOnlyError, match="another root"):
        append(own, 1)


def test_what_this_hub_did_not_sign_closes_nothing(city: City) -> None:
    own = city.parts.log
    checkpoint = Checkpoint(origin=own.origin(1), size=99, root=bytes(32))
    forged = sign_checkpoint(checkpoint, SigningKey.generate(post_quantum=True))
    assert hear(own, "somebody", forged).refusal == UNTRUSTED
    append(own, 1)
