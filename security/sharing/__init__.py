"""Sharing agreements (共享协议): what may be shared, and whether something was covered by it.

Pure rules: the offline auditor imports this package, so nothing here reads a database, a
network or a clock. Deny by default: what no agreement names is not shared.
"""

from security.sharing.agreement import (
    COUNT,
    FIELDS,
    Agreement,
    Frequency,
    agreement_body,
    parse_agreement,
)
from security.sharing.coverage import (
    INTERNAL_TYPES,
    needs_agreement,
    verify_coverage,
    verify_request,
)
from security.sharing.row_filter import RowFilter, parse_filter
from security.sharing.signed import open_agreement, parse_signed, sign_agreement
from security.sharing.suppression import SuppressedTable, suppress

__all__ = [
    "COUNT",
    "FIELDS",
    "INTERNAL_TYPES",
    "Agreement",
    "Frequency",
    "RowFilter",
    "SuppressedTable",
    "agreement_body",
    "needs_agreement",
    "open_agreement",
    "parse_agreement",
    "parse_filter",
    "parse_signed",
    "sign_agreement",
    "suppress",
    "verify_coverage",
    "verify_request",
]
