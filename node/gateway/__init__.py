"""The proxy before the core platform: traffic first, copies after.

Rules:
- A call goes to the platform and its answer back unchanged, whatever becomes of our copy.
- A copy is sealed and written after the answer has left; what could not be kept is counted.
- This package needs neither store nor ledger: the daemon drains the copies when it runs.
- The way to the platform (``upstream``) is imported by its own name: who drains copies needs no
  HTTP client.
"""

from node.gateway.exchanges import Capture, Exchange
from node.gateway.spool import Spool
from node.gateway.spool_files import SPOOL_DIRECTORY, SpoolFile, closed_files, gateway_counts

__all__ = [
    "SPOOL_DIRECTORY",
    "Capture",
    "Exchange",
    "Spool",
    "SpoolFile",
    "closed_files",
    "gateway_counts",
]
