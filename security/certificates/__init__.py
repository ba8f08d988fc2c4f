"""Who is who: trust anchors of hubs, key certificates of members, and the ring that holds them."""

from security.certificates.anchors import (
    MAX_ANCHOR_BYTES,
    anchor_bytes,
    anchor_digest,
    anchor_key,
    make_anchor,
    parse_anchor,
)
from security.certificates.key_certificates import (
    ENCRYPTION,
    SIGNING,
    CertifiedKey,
    issue_key_certificate,
    verify_key_certificate,
)
from security.certificates.keyring import Keyring

__all__ = [
    "ENCRYPTION",
    "MAX_ANCHOR_BYTES",
    "SIGNING",
    "CertifiedKey",
    "Keyring",
    "anchor_bytes",
    "anchor_digest",
    "anchor_key",
    "issue_key_certificate",
    "make_anchor",
    "parse_anchor",
    "verify_key_certificate",
]
