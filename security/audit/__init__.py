"""The auditor: proves offline, without decryption keys, what passed through a hub."""

from security.audit.bundle import BundleParts, Manifest, write_bundle
from security.audit.report import AuditReport, ExchangeVerdict, Failure, Verdict
from security.audit.trust import Trust, load_anchor, load_trust, save_anchor, save_trust
from security.audit.verify import verify_bundle

__all__ = [
    "AuditReport",
    "BundleParts",
    "ExchangeVerdict",
    "Failure",
    "Manifest",
    "Trust",
    "Verdict",
    "load_anchor",
    "load_trust",
    "save_anchor",
    "save_trust",
    "verify_bundle",
    "write_bundle",
]
