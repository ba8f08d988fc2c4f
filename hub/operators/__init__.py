"""Operators of a hub (操作员): who may do what, four eyes, and the log of what they did.

Every job goes through ``hub.job_gate``: a job needs a row in ``hub.api.authorisation.jobs``, and
one in ``four_eyes.FOUR_EYES`` where a second person has to approve it; it calls nothing of this
room. A job that wants a row of its own, inside its own transaction, calls `note`.
"""

from hub.operators.acting import Actor, acting, acting_as
from hub.operators.noting import BEGUN, OperatorEntry, VerifiedLog, note, verify_log
from hub.operators.registering import register, retire
from hub.operators.requiring import (
    Approved,
    Asked,
    approve,
    identify,
    require,
    waiting_arguments,
    waits,
)

__all__ = [
    "BEGUN",
    "Actor",
    "Approved",
    "Asked",
    "OperatorEntry",
    "VerifiedLog",
    "acting",
    "acting_as",
    "approve",
    "identify",
    "note",
    "register",
    "require",
    "retire",
    "verify_log",
    "waiting_arguments",
    "waits",
]
