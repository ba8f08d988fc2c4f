"""Bodies of calls through the interface's desk, as the server hands them to it.

What MUST hold of every call, whatever it is:
0. it gets one answer, in the official envelope, that blames no fault of the program;
1. the answer says accepted only of what was taken in.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Final

from node.api.his import UNIFORM_PATH
from node.api.his.answering import Answering
from node.api.his.desk import InterfaceDesk
from node.api.his.live_intake import LiveIntake
from node.api.his.screening import Call, Screening
from node.api.his.signatures import Signers
from node.domain.official_answers import FAILED
from node.intake.lines import Line
from node.intake.outcomes import Outcome, Taken
from node.store import NodeStore
from tests.support import node_messages as m
from tests.support.interface_server import CATALOG, PATHS, official

__all__ = ["call_all"]

_TYPES: Final = (
    *("", "application/json", "application/json;charset=UTF-8", "text/plain; charset=gbk"),
    *("application/json;charset=utf-16", ";;charset*=x''%ff", "=?x?b?x?=", "x" * 9_000),
)
_SIGNERS: Final = Signers({m.PHARMACY: ("RSA", lambda signature, _text: len(signature) > 1)})
_OUR_FAULT: Final = "program"


class _Recorded:
    """A real intake that remembers what it said."""

    def __init__(self, intake: LiveIntake) -> None:
        self._intake = intake
        self.taken: list[Taken] = []

    def take(self, source: str, lines: Sequence[Line]) -> Sequence[Taken | None]:
        taken = self._intake.take(source, lines)
        assert [None if one is None else one.line for one in taken] == [
            line.number for line in lines
        ]
        self.taken.extend(one for one in taken if one is not None)
        return taken

    def settle(self) -> None:
        self._intake.settle()


def call_all(store: NodeStore, random: Random, bodies: Sequence[bytes]) -> list[Taken]:
    """Call the interface with every body; the first and the last call are plain ones.

    Args:
        store: Takes them in.
        random: Chooses content types, paths and the mode.
        bodies: The bodies.

    Returns:
        What became of each, in order.
    """
    calls = [
        Call(
            path=_chosen(random, (UNIFORM_PATH, *PATHS), is_plain or random.random() < 0.8),
            body=body,
            content_type=_chosen(random, _TYPES, is_plain),
            received_at=m.NOW,
        )
        for number, body in enumerate(bodies)
        for is_plain in [number in {0, len(bodies) - 1} or random.random() < 0.5]
    ]
    return asyncio.run(_call(store, calls, is_mirror=random.random() < 0.5))


def _chosen(random: Random, choices: Sequence[str], is_plain: bool) -> str:  # noqa: FBT001
    return choices[0] if is_plain else random.choice(choices)


async def _call(store: NodeStore, calls: Sequence[Call], *, is_mirror: bool) -> list[Taken]:
    intake = _Recorded(LiveIntake(store, CATALOG, lambda: m.NOW))
    with ThreadPoolExecutor(1) as writer:
        desk = InterfaceDesk(
            intake,
            Screening(PATHS, _SIGNERS, answers_own=not is_mirror),
            Answering(lambda: m.NOW),
            writer,
            source="http/fuzz",
            is_mirror=is_mirror,
            answer_timeout_s=600,
        )
        desk.start()
        answers = [official(one) for one in await asyncio.gather(*map(desk.answer, calls))]
        await desk.stop()
    assert len(intake.taken) == len(calls)
    for answer, taken in zip(answers, intake.taken, strict=True):
        assert _OUR_FAULT not in answer["err_msg"], answer["err_msg"]
        assert answer["infcode"] == FAILED or taken.standing is not Outcome.REFUSED
    return intake.taken
