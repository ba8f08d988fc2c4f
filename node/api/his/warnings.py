"""Findings in the official nesting of the answers to 3101 and 3102.

| field | content |
|---|---|
| jr_id, jrd_id | msgid, warning and number: the feedback (3103) names a warning by jr_id |
| rule_id, rule_name | the rule that was hit (M01), or the warning itself (W01) |
| sev_deg | 1 for a violation and for what blocks, 2 for a grave suspicion, else 3 |
| vola_bhvr_type | 1 policy, 2 management, 3 medical |
| vola_item_type | 1 violating, 2 involved |
| warn_id, answer | not of the interface: the warning (W08), and ``warn`` or ``block`` |

Only the call's own orders are named: what another institution charged is not told.

Source:
    National interface, 3101 and 3102, responses; code lists sev_deg, vola_bhvr_type and
    vola_item_type.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from node.domain.masking import printable
from node.supervision.closing import Told
from scoring_kernel.legal_basis import LegalBasis
from scoring_kernel.rules.rule import VIOLATING, Rule

__all__ = ["told_result"]

_MSGID: Final = re.compile(r"[A-Za-z0-9]{1,34}")
_MAX_WORDS: Final = 500
_MAX_NAME: Final = 200
_MAX_ID: Final = 50
_MAX_DETAILS: Final = 200
"""Most lines of one warning that are listed."""
_CLASSES: Final = {"policy": "1", "management": "2", "medical": "3"}
_CALCULATED: Final = "1"


def told_result(
    told: Sequence[Told], *, msgid: str, task: str, sources: Mapping[str, LegalBasis]
) -> list[dict[str, Any]]:
    """Make ``result`` of an answer.

    Args:
        told: What was found.
        msgid: The request's message id.
        task: Its task_id.
        sources: Sources of the catalogue.
    """
    numbers: Counter[str] = Counter()
    stem = msgid if _MSGID.fullmatch(msgid) else hashlib.sha256(msgid.encode()).hexdigest()[:30]
    result = []
    for one in told:
        warning = one.finding.warning
        numbers[warning] += 1
        result.append(_result(one, f"{stem}-{warning}-{numbers[warning]}", task, sources))
    return result


def _result(told: Told, jr_id: str, task: str, sources: Mapping[str, LegalBasis]) -> dict[str, Any]:
    finding, encounter = told.finding, told.encounter
    rule, hit = finding.rule, finding.hit
    person = "" if encounter is None else encounter.person
    visit = "" if encounter is None else encounter.mdtrt_id
    orders = [(line.order, line) for line in hit.lines if line.order is not None]
    return {
        "jr_id": jr_id,
        "rule_id": rule.id,
        "rule_name": rule.name_zh[:_MAX_NAME],
        "vola_cont": printable(hit.words or rule.name_zh)[:_MAX_WORDS],
        "patn_id": person[:_MAX_ID],
        "mdtrt_id": visit[:_MAX_ID],
        "judge_result_detail_dtos": [
            {
                "jrd_id": f"{jr_id}-{number}",
                "patn_id": person[:_MAX_ID],
                "mdtrt_id": visit[:_MAX_ID],
                "rx_id": order.id[:_MAX_ID],
                "vola_item_type": "1" if line.role == VIOLATING else "2",
                "vola_amt": line.amount_fen / 100,
            }
            for number, (order, line) in enumerate(orders[:_MAX_DETAILS], start=1)
        ],
        "vola_amt": hit.amount_fen / 100,
        "vola_amt_stas": _CALCULATED,
        "sev_deg": _severity(rule, told.answer),
        "vola_evid": _evidence(rule, sources),
        "vola_bhvr_type": _CLASSES.get(rule.rule_class, "2"),
        "task_id": task,
        "warn_id": finding.warning,
        "answer": told.answer,
    }


def _severity(rule: Rule, answer: str) -> str:
    if rule.verdict == "violation" or answer == "block":
        return "1"
    return "2" if rule.severity == "high" else "3"


def _evidence(rule: Rule, sources: Mapping[str, LegalBasis]) -> str:
    source = sources.get(rule.basis)
    return "" if source is None else f"{source.title}{source.article or ''}"[:_MAX_WORDS]
