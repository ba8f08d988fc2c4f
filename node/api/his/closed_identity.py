"""What the gateway answers where identity is closed and the daemon is silent: a block.

It needs the rules, for the words and for the scenes at which identity is asked, and no state.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from node.api.his.encounters import read_asked
from node.api.his.own_faults import place_of
from node.api.his.prechecks import JUDGED_HERE
from node.api.his.warnings import told_result
from node.supervision.judging import IDENTITY, proposed, unverified
from scoring_kernel.legal_basis import LegalBasis
from scoring_kernel.rules import RuleBook
from scoring_kernel.rules.live.judge import LiveRules

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
        """Make ``result`` of the answer: one block, or nothing where identity is not asked."""
        infno, msgid, task = request["infno"], request.get("msgid"), ""
        if infno not in JUDGED_HERE:
            return []
        try:
            asked = read_asked(infno, request["input"], "", 0)
            plan = self._rules.plan(infno, asked.scenes, asked.rules)
            if IDENTITY not in {rule for _, rule in plan}:
                return []
            task = asked.task
        except Exception as error:  # noqa: BLE001  # what cannot be read is blocked, and not quoted
            _LOG.error("a call could not be read: %s", place_of(error))
        return told_result(
            [unverified(self._book, None)],
            msgid=msgid if isinstance(msgid, str) else "",
            task=task,
            sources=self._sources,
        )
