"""A day at a hospital's till: what its system sends to the core platform, call by call.

One settlement carries a code that lost its leading zero on the way: the simulated platform, which
knows messages by their id alone, answers it all the same; the node's copy must not go in so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from deploy.errors import DemoError
from node.api.his import UNIFORM_PATH

SETTLEMENT: Final = "2207"
_SPOILT: Final = "psn_setlway"
SPOILT_PATH: Final = f"request.data.{_SPOILT}"
"""Field that is spoilt, as the quarantine names it."""
_CALL_S: Final = 30.0
_DAY_SIGNS: Final = len("2026-06-30")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the hospital's system."""

    request: bytes = field(repr=False)
    """What it sends."""
    answer: bytes = field(repr=False)
    """What the platform answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TillDay:
    """The calls of the last day on which patients settled, in order of time."""

    day: str
    """The day, yyyy-mm-dd; quiet days may follow it."""
    calls: tuple[Call, ...] = field(repr=False)
    right: str
    """Right value of the field that one of them spoils."""


def cut_off(messages: Path, *, before: Path, till: Path) -> TillDay:
    """Keep the last day of a file of messages for the till.

    Args:
        messages: File of messages in order of time.
        before: File to write what came before the day to, and what was never answered.
        till: File to write the day's messages to, for the simulated platform.

    Returns:
        The day, one settlement spoilt.

    Raises:
        DemoError: Nobody settled.
    """
    exchanges = [(line, orjson.loads(line)) for line in messages.read_bytes().splitlines()]
    days = [_day(one) for _, one in exchanges if _is_settled(one)]
    if not days:
        raise DemoError(f"{messages} holds no settlement; simulate more claims")
    day = days[-1]
    kept = [line for line, one in exchanges if _day(one) < day or "response" not in one]
    live = [(line, one) for line, one in exchanges if _day(one) >= day and "response" in one]
    for path, lines in ((before, kept), (till, [line for line, _ in live])):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    spoilt = next(one for _, one in live if _is_settled(one))
    data = spoilt["request"]["input"]["data"]
    right = data[_SPOILT]
    data[_SPOILT] = right.lstrip("0")
    return TillDay(
        day=day,
        calls=tuple(
            Call(request=orjson.dumps(one["request"]), answer=orjson.dumps(one["response"]))
            for _, one in live
        ),
        right=right,
    )


def _is_settled(exchange: dict[str, Any]) -> bool:
    accepted = exchange.get("response", {}).get("infcode") == 0
    return bool(accepted and exchange["infno"] == SETTLEMENT)


def _day(exchange: dict[str, Any]) -> str:
    return str(exchange["request"]["inf_time"])[:_DAY_SIGNS]


async def send_all(day: TillDay, url: str) -> int:
    """Send the day's calls one after the other, as a till does.

    Args:
        day: The day.
        url: Address of the gateway.

    Returns:
        How many answers are the platform's own, to the byte.

    Raises:
        DemoError: The gateway cannot be reached.
    """
    unchanged = 0
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_CALL_S) as client:
            for call in day.calls:
                answer = await client.post(UNIFORM_PATH, content=call.request)
                unchanged += answer.content == call.answer
    except httpx.HTTPError as error:
        raise DemoError(f"the gateway at {url} does not answer: {error}") from error
    return unchanged


def waiting(spool: Path) -> Iterator[Path]:
    """Give the files with copies that the daemon has not taken in yet.

    Args:
        spool: The gateway's spool.
    """
    for suffix in ("*.open", "*.spool"):
        yield from spool.glob(suffix)
