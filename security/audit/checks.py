"""Every check of a bundle, in the order in which they run; one that fails stops no other.

Source: design of trust, section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from security.audit.continuity import read_other_checkpoints, verify_continuity
from security.audit.emptied import read_emptied
from security.audit.judging import judge_leaves
from security.audit.log import read_checkpoint, read_leaves
from security.audit.opening import (
    read_certificates,
    read_hub,
    read_policies,
)
from security.audit.operations import find_foreign_operations, read_operations
from security.audit.pack_checks import read_packs
from security.audit.publication import find_foreign_publications
from security.audit.revoking import read_lists, verify_newest_list
from security.audit.sharing import read_agreements
from security.audit.witnessing import verify_witnesses

if TYPE_CHECKING:
    from security.audit.evidence import Check

CHECKS: Final[tuple[Check, ...]] = (
    read_hub,
    read_checkpoint,
    read_leaves,
    read_certificates,
    read_lists,
    verify_newest_list,
    read_policies,
    read_other_checkpoints,
    read_emptied,
    verify_witnesses,
    verify_continuity,
    read_agreements,
    read_packs,
    read_operations,
    judge_leaves,
    find_foreign_publications,
    find_foreign_operations,
)
"""Later ones read what earlier ones proved."""
