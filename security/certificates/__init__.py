"""Who is who: trust anchors of hubs, key certificates of members, and the ring that holds them."""

from security.certificates.anchors import (
    MAX_ANCHOR_BYTES,
    anchor_bytes,
    anchor_digest,
    anchor_key,
    make_anchor,
    parse_anchor,
)
from security.certificates.fingerprints import fingerprint, keys_digest
from security.certificates.key_certificates import (
    CLOCK_SKEW_MS,
    ENCRYPTION,
    SIGNING,
    CertifiedKey,
    issue_key_certificate,
    verify_key_certificate,
)
from security.certificates.keyring import Keyring
from security.certificates.revocations import (
    Revocations,
    Revoked,
    open_revocations,
    read_revocations,
    sign_revocations,
    tell_revocations,
)

__all__ = [
    "CLOCK_SKEW_MS",
    "ENCRYPTION",
    "MAX_ANCHOR_BYTES",
    "SIGNING",
    "CertifiedKey",
    "Keyring",
    "Revocations",
    "Revoked",
    "anchor_bytes",
    "anchor_digest",
    "anchor_key",
    "fingerprint",
    "issue_key_certificate",
    "keys_digest",
    "make_anchor",
    "open_revocations",
    "parse_anchor",
    "read_revocations",
    "sign_revocations",
    "tell_revocations",
    "verify_key_certificate",
]
