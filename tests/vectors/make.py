"""Writes the vectors of this directory anew, under fresh keys: ``python -m tests.vectors.make``.

What is expected is stated in the modules beside this one, case by case; the test runs every file
and compares. Encryption and ML-DSA are randomised: two runs never write the same files.
"""

from __future__ import annotations

import json
import shutil

from security.certificates import anchor_bytes
from tests.support.vector_making import (
    CERTIFICATES,
    ENCRYPTION,
    GM_NODE_ENCRYPTION,
    HUB_KEYS,
    raw,
)
from tests.support.vector_runner import KINDS, PARTIES, ROOT
from tests.vectors.make_envelopes import chains, envelopes
from tests.vectors.make_sm2 import countersigned
from tests.vectors.make_statements import certificates, checkpoints, heads, policies, receipts


def main() -> None:
    for kind in KINDS:
        shutil.rmtree(ROOT / kind, ignore_errors=True)
    for make in (envelopes, chains, receipts, heads, checkpoints, certificates, policies):
        make()
    countersigned()
    keys = [*ENCRYPTION.values(), GM_NODE_ENCRYPTION]
    content = {
        "about": "Keys of these vectors alone. Their private parts are public: use them nowhere.",
        "anchor": anchor_bytes(HUB_KEYS.anchor).hex(),
        "certificates": {name: raw(one) for name, one in CERTIFICATES.items()},
        "encryption_keys": [
            {"suite": key.suite.name, "private": key._private.hex()}  # noqa: SLF001
            for key in keys
        ],
    }
    PARTIES.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
