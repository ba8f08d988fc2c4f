"""The auditor: proves offline, without decryption keys, what passed through a hub."""

from security.audit.bundle import BundleParts, Manifest, write_bundle
from security.audit.report import AuditReport, ExchangeVerdict, Failure, Verdict
from security.audit.trust import load_anchor, save_anchor
from security.audit.verify import verify_bundle

__all__ = [
    "AuditReport",
    "BundleParts",
    "ExchangeVerdict",
    "Failure",
    "Manifest",
    "Verdict",
    "load_anchor",
    "save_anchor",
    "verify_bundle",
    "write_bundle",
]
