"""What the gateway answers where identity is closed and the daemon is silent: a block.

It needs the rules, for the words, for the scenes at which identity is asked and for what is an
emergency, which passes; and no state.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from node.api.his.encounters import read_asked
from node.api.his.own_faults import place_of
from node.api.his.prechecks import JUDGED_HERE
from node.api.his.warnings import told_result
from node.supervision.closing import IDENTITY, unverified
from node.supervision.judging import proposed
from scoring_kernel.legal_basis import LegalBasis
from scoring_kernel.rules import RuleBook
from scoring_kernel.rules.live.judge import LiveRules

if TYPE_CHECKING:
    from scoring_kernel.rules.live.encounter import Encounter

__all__ = ["ClosedIdentity"]

_LOG: Final = logging.getLogger(__name__)


class ClosedIdentity:
    """Blocks calls that ask for the identity check, where nobody can check it."""

    def __init__(self, book: RuleBook, sources: Mapping[str, LegalBasis]) -> None:
        """Take the rules, and the sources of the catalogue."""
        self._book = book
        self._sources = sources
        self._rules = LiveRules(book, proposed(book))

    def result(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Make ``result`` of the answer: blocks, or nothing where identity is not asked."""
        infno, msgid, task = request["infno"], request.get("msgid"), ""
        institution = request.get("fixmedins_code")
        encounters: list[Encounter] = []
        if infno not in JUDGED_HERE:
            return []
        try:
            sender = institution if isinstance(institution, str) else ""
            asked = read_asked(infno, request["input"], sender, 0)
            plan = self._rules.plan(infno, asked.scenes, asked.rules)
            if IDENTITY not in {rule for _, rule in plan}:
                return []
            task, encounters = asked.task, asked.encounters
        except Exception as error:  # noqa: BLE001  # what cannot be read is blocked, and not quoted
            _LOG.error("a call could not be read: %s", place_of(error))
        return told_result(
            unverified(self._book, encounters),
            msgid=msgid if isinstance(msgid, str) else "",
            task=task,
            sources=self._sources,
        )
