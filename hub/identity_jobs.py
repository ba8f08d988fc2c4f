"""The jobs over a hub's members: invite, require suites, join the parent."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from hub.admission_jobs import ADMISSION_READERS, AdmissionJobs
from hub.agreement_jobs import sign_push
from hub.ca_jobs import CA_READERS, CaJobs
from hub.domain.custody import Custody
from hub.domain.institution_list import parse_codes, parse_list
from hub.domain.members import MemberId, MemberKind, MemberName
from hub.errors import ApprovalNeededError, ConfigurationError, LogReadOnlyError
from hub.exchange.enrolment import Invitation, issue_token
from hub.exchange.parent import join_parent
from hub.listings import moment_text
from hub.packs.serving import root_digest
from hub.parts import HubParts
from hub.store import members, policies
from hub.store.engine import reading, writing
from security.errors import JoinPendingError
from security.members import parse_member_id
from security.moments import to_ms
from security.policy import Policy
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
IDENTITY_READERS: Final = frozenset({"suites"}) | ADMISSION_READERS | CA_READERS
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            **AdmissionJobs(parts=self.parts).table(),
            **CaJobs(parts=self.parts).table(),
            "token": self.token,
            "token-approved": self.token_approved,
            "suites": self.suites,
            "require-suite": self.require_suite,
            "join": self.join,
        }

    def token(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Invite a member and make its one-use token."""
        return self._invite(arguments, approved=False)

    def token_approved(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """The same, and approve in advance whoever joins with it."""
        return self._invite(arguments, approved=True)

    def _invite(self, arguments: Result, *, approved: bool) -> Result:
        parts = self.parts
        name = _member_name(arguments)
        rows = _custody_rows(arguments, name.member_id)
        if rows and name.kind is not MemberKind.NODE:
            raise ConfigurationError(
                f"{name.member_id} is no node; only nodes have custody of institutions. "
                "Leave --institutions out."
            )
        made = issue_token(
            parts.engine,
            parts.identity,
            Invitation(name=name, custody=rows),
            enrolment_address=parts.address(parts.addresses().enrolment_port),
            lifetime=parts.settings.lifetime,
            now=parts.now(),
            approved=approved,
        )
        return {
            "approved": approved,
            "member": name.member_id,
            "institutions": len(rows),
            "expires_at": moment_text(made.expires_at_ms),
            "token": replace(made, pack_root_digest=root_digest(parts)).encode(),
        }

    def suites(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What the members may seal and sign with."""
        hub = self.parts.identity.hub
        with reading(self.parts.engine) as connection:
            names = [row.member for row in members.list_members(connection)]
            found = policies.policies_of(connection, hub, [policies.EVERYBODY, *names])
        return {"rows": [_policy_row(found[name], name) for name in (policies.EVERYBODY, *names)]}

    def require_suite(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Require one suite of a member, or lift what was required."""
        parts, now_ms = self.parts, to_ms(self.parts.now())
        with writing(parts.engine) as connection:
            policies.state_policy(connection, parts.identity, parts.settings.suites.names, now_ms)
            policy = policies.require_suite(
                connection, parts.identity, arguments["member"], arguments["suite"], now_ms
            )
        return _policy_row(policy, arguments["member"])

    async def join(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Join the parent hub; the same token again after its officer approved."""
        parts = self.parts
        try:
            membership = await join_parent(
                parts.parent_directory,
                arguments["token"],
                own=parts.identity.hub,
                now=parts.now(),
                suite=arguments.get("suite", ""),
            )
        except JoinPendingError as error:
            raise ApprovalNeededError(f"{error}.") from error
        found: Result = {"member": membership.member_id, "hub": membership.hub_id, "unsigned": ""}
        try:
            with writing(parts.engine) as connection:
                sign_push(connection, parts, membership.hub_id)
        except LogReadOnlyError as error:
            # The parent may be the very witness that is missing: joined it stays.
            found["unsigned"] = str(error)
        return found


def _policy_row(policy: Policy, member: str) -> Result:
    return {
        "member": member or "all others",
        "suites": ", ".join(policy.suites),
        "required": policy.required,
        "version": policy.version,
    }


def _custody_rows(arguments: Result, member: MemberId) -> tuple[Custody, ...]:
    from_month = arguments["from_month"]
    if arguments.get("csv"):
        return parse_list(arguments["csv"], member, from_month)
    if arguments.get("codes"):
        return parse_codes(arguments["codes"], member, from_month)
    return ()


def _member_name(arguments: Result) -> MemberName:
    text = f"yixin://{arguments['division']}/{arguments['kind']}/{arguments['code']}"
    try:
        return parse_member_id(text)
    except ValueError as error:
        raise ConfigurationError(f"{error}.") from error
