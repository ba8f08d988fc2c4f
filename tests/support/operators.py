"""People with keys who give signed commands to a hub made by its own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from hub.jobs import HubJobs
from security.operator.commands import sign_command
from security.operator.person_keys import public_line
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.job_gate import Job
    from tests.support.hub_city import City


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a key."""

    name: str
    key: ed25519.Ed25519PrivateKey

    @classmethod
    def named(cls, name: str) -> Person:
        return cls(name=name, key=ed25519.Ed25519PrivateKey.generate())

    @property
    def line(self) -> str:
        return public_line(self.key.public_key().public_bytes_raw())


class Desk:
    """Gives commands to one run of a hub."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.table: Mapping[str, Job] = HubJobs(parts=city.parts).table()

    def run(self, job: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Give a command as it is."""
        return self.table[job](dict(arguments), no_progress)  # type: ignore[return-value]  # plain jobs only

    def sign(self, person: Person, job: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return sign_command(
            person.key,
            hub=self.city.parts.identity.hub,
            name=person.name,
            job=job,
            arguments=arguments,
            now_ms=self.city.clock.ms,
        )

    def ask(self, person: Person, job: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """Give a signed command."""
        return self.run(job, self.sign(person, job, arguments))

    def register(self, person: Person, role: str, by: Person | None = None) -> None:
        """Register somebody, as the first one or by an officer who needs nobody else."""
        arguments = {"name": person.name, "role": role, "key": person.line}
        if by is None:
            self.run("operator-add", arguments)
        else:
            self.ask(by, "operator-add", **arguments)
