"""How a command shows a key ring: each epoch with what stands under it."""

from collections.abc import Mapping
from typing import Any

from security.operator.output import CommandOutput

__all__ = ["say_ring"]


def say_ring(out: CommandOutput, told: Mapping[str, Any]) -> None:
    """Show a ring.

    Args:
        out: Where to.
        told: As ``security.at_rest.telling.told_ring`` tells it.
    """
    if out.as_json:
        out.json(told)
        return
    out.rows(
        f"Key ring, protected by: {told['master']}; epoch {told['newest']} seals", told["rows"]
    )
    if told["lost"]:
        out.say(
            f"Values stand under epochs that the ring does not hold: {told['lost']}. They stay "
            "closed; restore the directory as a whole from one backup."
        )
