"""The jobs over sharing agreements, each a JSON object in and a JSON object out.

The rooms of sharing are imported when they are asked for, so that other commands start fast.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hub.errors import ConfigurationError
from hub.listings import moment_text
from hub.parts import HubParts
from hub.sharing_jobs import officer_of
from hub.store import agreements, operators
from hub.store.engine import reading, writing
from security.errors import AgreementError
from security.exchange.membership import is_joined, load
from security.moments import to_ms
from security.progress import ProgressReporter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.agreements.terms import Terms
    from security.sharing import Agreement

Result: TypeAlias = dict[str, Any]
AGREEMENT_READERS: Final = frozenset({"agreements", "agreement", "agreement-check"})
"""Jobs that change nothing."""
MAX_TERMS_BYTES: Final = 512 * 1024
PUSH: Final = "provincial_push"
"""Agreement under which grades are pushed to the parent hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by name."""
        return {
            "agreements": self.agreements,
            "agreement": self.agreement,
            "agreement-check": self.check,
            "agreement-sign": self.sign,
            "agreement-retire": self.retire,
        }

    def agreements(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """Agreements in force, and shipped terms that nobody signed."""
        now_ms = to_ms(self.parts.now())
        with reading(self.parts.engine) as connection:
            held = {one.agreement.id: one for one in agreements.current_versions(connection)}
        rows = [
            _line(one.agreement, "in force" if one.is_in_force(now_ms) else "ended", self._basis)
            for one in held.values()
        ]
        rows += [
            self._unsigned(terms, now_ms)
            for terms in self._shipped().values()
            if terms.id not in held
        ]
        return {"rows": sorted(rows, key=lambda row: str(row["agreement"]))}

    def agreement(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """One agreement in full."""
        now_ms = to_ms(self.parts.now())
        with reading(self.parts.engine) as connection:
            name = str(arguments["id"])
            held = (
                agreements.find_version(connection, name)
                if "@" in name
                else agreements.find_current(connection, name)
            )
        if held is None:
            terms = self._terms(arguments)
            return _whole(self._made(terms, 1, now_ms)) | {"state": "not signed"}
        return _whole(held.agreement) | {
            "agreement": held.agreement.reference,
            "state": "in force" if held.is_in_force(now_ms) else "ended",
            "basis_checked": self._basis(held.agreement.legal_basis),
            "signed_at": moment_text(held.signed_at_ms),
            "retired_at": moment_text(held.retired_at_ms),
            "officer": held.officer,
            "log_index": held.log_index,
        }

    def check(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Check a file of terms, or shipped terms, without signing."""
        from hub.agreements.terms import doubts  # noqa: PLC0415 - a room of its own

        terms = self._terms(arguments)
        made = self._made(terms, 1, to_ms(self.parts.now()))
        found = doubts(terms, self.parts.catalog)
        return _line(made, "sound", self._basis) | {"warnings": list(found)}

    def sign(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Sign terms: from this moment on the agreement is in force."""
        from hub.agreements.signing import sign_terms  # noqa: PLC0415 - a room of its own

        parts = self.parts
        terms = self._terms(arguments)
        with writing(parts.engine) as connection:
            version = sign_terms(
                connection,
                parts.identity,
                terms,
                parent=self._parent(),
                recipient=arguments.get("recipient") or "",
                officer=officer_of(arguments),
                now_ms=to_ms(parts.now()),
            )
        line = _line(version.agreement, "in force", self._basis)
        return line | {"log_index": version.log_index}

    def retire(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """End an agreement at once."""
        from hub.agreements.signing import retire  # noqa: PLC0415 - a room of its own

        parts = self.parts
        with writing(parts.engine) as connection:
            held = retire(connection, parts.identity, arguments["id"], to_ms(parts.now()))
        return _line(held.agreement, "ended", self._basis)

    def _parent(self) -> str:
        directory = self.parts.parent_directory
        return load(directory).hub_id if is_joined(directory) else ""

    def _shipped(self) -> "Mapping[str, Terms]":
        from hub.agreements.terms import shipped_terms  # noqa: PLC0415 - a room of its own

        return shipped_terms(self.parts.catalog)

    def _terms(self, arguments: Result) -> "Terms":
        """Terms of a file, or shipped ones; under another id where one is given."""
        from dataclasses import replace  # noqa: PLC0415 - of this method alone

        from hub.agreements.terms import parse_terms  # noqa: PLC0415 - a room of its own

        name = str(arguments.get("terms") or arguments.get("id") or "")
        path = Path(name)
        if path.suffix in {".yaml", ".yml"}:
            try:
                with path.open("rb") as file:
                    content = file.read(MAX_TERMS_BYTES + 1)
            except OSError as error:
                raise ConfigurationError(f"{name} cannot be read: {error.strerror}.") from error
            terms = parse_terms(content, path.name, self.parts.catalog)
        else:
            shipped = self._shipped()
            if name not in shipped:
                raise AgreementError(
                    f"Found no terms {name[:64]!r}; name a .yaml file, or shipped ones: "
                    f"{', '.join(sorted(shipped))}."
                )
            terms = shipped[name]
        new_id = arguments.get("new_id")
        return replace(terms, id=new_id) if new_id else terms

    def _made(self, terms: "Terms", version: int, now_ms: int) -> "Agreement":
        parent = self._parent() or "yixin://000000/hub/parent"
        return terms.made(
            provider=self.parts.identity.hub, parent=parent, version=version, begin_ms=now_ms
        )

    def _unsigned(self, terms: "Terms", now_ms: int) -> Result:
        line = _line(self._made(terms, 1, now_ms), "not signed", self._basis)
        shown = terms.recipient if terms.recipient == "parent" else line["recipient"]
        return line | {"agreement": terms.id, "recipient": shown, "valid_to": ""}

    def _basis(self, key: str) -> bool:
        found = self.parts.catalog.legal_basis.get(key)
        return found is not None and found.is_checked


def sign_push(connection: "Connection", parts: HubParts, parent: str) -> None:
    """Sign the shipped agreement of the push when a hub joins its parent.

    Only the first time, and only while nobody is registered as an officer: with officers, the
    agreement waits for two of them like every other one.
    """
    from hub.agreements.signing import sign_terms  # noqa: PLC0415 - a room of its own
    from hub.agreements.terms import shipped_terms  # noqa: PLC0415 - as above

    if agreements.newest_version(connection, PUSH) or operators.list_operators(connection):
        return
    sign_terms(
        connection,
        parts.identity,
        shipped_terms(parts.catalog)[PUSH],
        parent=parent,
        officer="joining the parent hub",
        now_ms=to_ms(parts.now()),
    )


def _whole(agreement: "Agreement") -> Result:
    """Every part of an agreement; beside each moment in milliseconds its date."""
    found: Result = {}
    for name, value in asdict(agreement).items():
        found[name] = value
        if name.endswith("_ms"):
            found[name.removesuffix("_ms")] = moment_text(value)
    return found


def _line(agreement: "Agreement", state: str, is_checked: Callable[[str], bool]) -> Result:
    """One agreement in a list; a basis that nobody checked makes it a proposal."""
    return {
        "agreement": agreement.reference,
        "name": agreement.name,
        "state": state,
        "recipient": agreement.recipient,
        "via": agreement.via,
        "frequency": str(agreement.frequency),
        "valid_to": moment_text(agreement.valid_to_ms),
        "basis": agreement.legal_basis,
        "status": "final" if is_checked(agreement.legal_basis) else "proposal",
    }
