"""The transparency log (透明日志) as files: tiles, entry bundles, proofs and cosignatures.

Each module is imported by its own name, so that the auditor, who has no store, loads none.
Source: C2SP tlog-tiles, tlog-cosignature, signed-note; hashing after RFC 6962.
"""
