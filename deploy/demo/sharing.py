"""A question under a sharing agreement (共享协议): signed, answered, and a leaf of the log."""

from dataclasses import dataclass, field
from typing import Any, Final

from deploy.demo.members import DemoHub
from deploy.demo.processes import Crew

AGREEMENT: Final = "public_query"


@dataclass(slots=True, kw_only=True)
class Sharing:
    """What one hub shares with the public."""

    crew: Crew
    answer: dict[str, Any] = field(default_factory=dict)
    """Answer of ``yixin hub query``."""

    async def ask(self, hub: DemoHub, subject: str, period: str) -> None:
        """Sign the agreement and ask for the grade of one subject."""
        where = ("--dir", str(hub.directory))
        await self.crew.ask("hub", "agreements", "sign", AGREEMENT, *where)
        asked = ("hub", "query", subject, "--agreement", AGREEMENT, "--period", period)
        self.answer = await self.crew.ask(*asked, *where)

    @property
    def shown(self) -> str:
        """The answer in one line."""
        rows = self.answer.get("rows", [])
        grade = rows[0].get("grade", "no grade") if rows else "no grade"
        return f"{grade} under {self.answer.get('agreement')}, leaf {self.answer.get('log_index')}"
