"""Heads of messages, checked against the envelope of the catalogue, a column at a time.

Rules:
- A key that is filled must have the type, the length and the code the catalogue names.
- A key that is missing is no fault here: what the node needs is demanded where a
  message is decoded, and vendors leave the others out.
- ``err_msg`` has the right type only: platforms send longer ones than the interface
  names, and a refusal that the till has seen already must not lose its record.

Source:
    National interface, message head (报文头).
"""

from collections.abc import Sequence

from node.intake.columns import FaultBook
from node.intake.field_rules import NodeRules
from node.intake.layouts import REQUEST
from node.intake.messages import Message
from node.intake.nodes import check_rows

__all__ = ["check_heads"]


def check_heads(rules: Sequence[NodeRules], messages: Sequence[Message], book: FaultBook) -> None:
    """Check the heads of requests and responses.

    Args:
        rules: The envelope's two nodes.
        messages: Messages with a readable head.
        book: Takes the first fault of each message, by its position.
    """
    for node in rules:
        heads = [
            (owner, head)
            for owner, message in enumerate(messages)
            if (head := message.request if node.direction == REQUEST else message.response)
        ]
        check_rows(node, [head for _, head in heads], [owner for owner, _ in heads], book)
