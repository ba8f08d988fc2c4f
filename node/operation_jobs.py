"""The jobs over the log of operators and the keys at rest, JSON objects in and out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.key_jobs import READERS as KEY_READERS
from node.key_jobs import KeyJobs
from node.store import NodeStore
from security.progress import ProgressReporter

__all__ = ["READERS", "OperationJobs"]

Result = dict[str, Any]
READERS: Final = ("operations", *KEY_READERS)
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationJobs:
    """The jobs over one node."""

    directory: Path
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        keys = KeyJobs(directory=self.directory, store=self.store, now=self.now)
        return {"operations": self.operations, **keys.table()}

    def operations(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """What operators did, newest first; with ``verify`` the whole chain is followed."""
        desk = self.store.desk
        size, head = desk.verify_log() if arguments.get("verify") else desk.log_head()
        return {
            "size": size,
            "head": head.hex(),
            "rows": [asdict(one) for one in desk.entries(arguments["limit"])],
        }
