"""The national interface over HTTP: for HIS vendors, at the paths that they already call.

Rules:
- Whatever comes, the answer is the official envelope, and it leaves after the commit.
- The node settles nothing: it keeps, and answers by itself only 3101 to 3103.
- Nothing of a message goes into a log.
"""

UNIFORM_PATH = "/fsi/api/rsfComIfsService/callService"
"""The one path at which every transaction may be called."""

__all__ = ["UNIFORM_PATH"]
