"""The job over the log of operators, a JSON object in and a JSON object out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from node.store import NodeStore
from security.progress import ProgressReporter

__all__ = ["READERS", "OperationJobs"]

Result = dict[str, Any]
READERS: Final = ("operations",)
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationJobs:
    """The job over one store."""

    store: NodeStore

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {"operations": self.operations}

    def operations(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """What operators did, newest first; with ``verify`` the whole chain is followed."""
        desk = self.store.desk
        size, head = desk.verify_log() if arguments.get("verify") else desk.log_head()
        return {
            "size": size,
            "head": head.hex(),
            "rows": [asdict(one) for one in desk.entries(arguments["limit"])],
        }
