"""Suite policy (套件策略): which suites a hub takes from a member, and which one it requires.

Rules:
    1. The hub's identity key signs it; a member believes no other key.
    2. Versions of one hub only grow. A version below the one held is a downgrade, and so is
       another text under the same version, or a policy for everybody after one of the member's own.
    3. What a policy requires is also in what it allows; a name that this release does not know is
       kept, and never chosen.

Source:
    Design of the exchange, section 1: suites are negotiated by published policy, no downgrade.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2
from security.certificates import anchor_key
from security.encoding import parse_exactly
from security.errors import BadSignatureError, SuitePolicyError
from security.keys import Signature, SigningKey
from security.suites import available_suites

if TYPE_CHECKING:
    from collections.abc import Iterable

PAYLOAD_TYPE: Final = "yixin/suite-policy/v1"
FORMAT: Final = 1
MAX_BODY_BYTES: Final = 1024
MAX_SUITES: Final = 8
MAX_VERSION: Final = 2**62

_NAME: Final = re.compile(r"[A-Z][A-Z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy, verified or made here."""

    hub: str
    """Member id of the hub."""
    member: str
    """Member it is for; empty for all that have none of their own."""
    version: int
    """Grows with every change, from 1."""
    allowed: tuple[str, ...]
    """Names of suites, the preferred one first."""
    required: str = ""
    """The one suite the member must use, or empty."""
    at_ms: int = 0
    """Moment of the change, milliseconds since the epoch, UTC."""

    def __post_init__(self) -> None:
        """Check the parts.

        Raises:
            SuitePolicyError: A part is out of bounds, or required but not allowed.
        """
        faults = {
            f"version {self.version}": not 1 <= self.version <= MAX_VERSION,
            f"{len(self.allowed)} suites": not 1 <= len(self.allowed) <= MAX_SUITES,
            "a suite is named twice": len(set(self.allowed)) != len(self.allowed),
            "a name is no name of a suite": not all(map(_NAME.fullmatch, self.allowed)),
            f"{self.required[:40]!r} is required but not allowed": bool(self.required)
            and self.required not in self.allowed,
        }
        for fault, found in faults.items():
            if found:
                raise SuitePolicyError(
                    f"The suite policy of {self.hub[:120]} is malformed: {fault}."
                )

    @property
    def suites(self) -> tuple[str, ...]:
        """Suites that may be used, the preferred one first."""
        return (self.required,) if self.required else self.allowed


def sign_policy(root: SigningKey, policy: Policy) -> identity_pb2.SuitePolicy:
    """Sign a policy with a hub's identity key."""
    body = policy_body(policy)
    signature = root.sign(PAYLOAD_TYPE, body)
    return identity_pb2.SuitePolicy(
        body=body, signature=signature.classical, pq_signature=signature.post_quantum
    )


def policy_body(policy: Policy) -> bytes:
    """What is signed of a policy; one policy has one body."""
    return identity_pb2.SuitePolicyBody(
        format=FORMAT,
        hub=policy.hub,
        member=policy.member,
        version=policy.version,
        allowed=policy.allowed,
        required=policy.required,
        at_ms=policy.at_ms,
    ).SerializeToString(deterministic=True)


def open_policy(
    signed: identity_pb2.SuitePolicy,
    anchor: identity_pb2.TrustAnchor,
    *,
    member: str,
    held: Policy | None,
) -> Policy:
    """Verify a policy and compare it with the one held.

    Args:
        signed: Policy as received.
        anchor: Anchor of the hub.
        member: This member.
        held: The newest policy this member knows; None for none.

    Raises:
        SuitePolicyError: Not signed by the anchor, for another member, malformed or a downgrade.
    """
    try:
        body = parse_exactly(identity_pb2.SuitePolicyBody, signed.body, MAX_BODY_BYTES)
        anchor_key(anchor).verify(
            Signature(classical=signed.signature, post_quantum=signed.pq_signature),
            PAYLOAD_TYPE,
            signed.body,
        )
    except (ValueError, BadSignatureError) as error:
        raise SuitePolicyError(
            f"The suite policy of {anchor.hub} is not trusted: {error}. Nothing was changed; "
            "ask the hub's security officer."
        ) from error
    if (body.format, body.hub) != (FORMAT, anchor.hub) or body.member not in {"", member}:
        raise SuitePolicyError(
            f"The suite policy is of {body.hub[:120]!r} for {body.member[:120]!r}, format "
            f"{body.format}; expected: of {anchor.hub} for {member}, format {FORMAT}."
        )
    policy = Policy(
        hub=body.hub,
        member=body.member,
        version=body.version,
        allowed=tuple(body.allowed),
        required=body.required,
        at_ms=body.at_ms,
    )
    _refuse_downgrade(policy, held)
    return policy


def _refuse_downgrade(policy: Policy, held: Policy | None) -> None:
    if held is None:
        return
    faults = {
        f"version {policy.version}, held is {held.version}": policy.version < held.version,
        f"another text of version {held.version}": policy.version == held.version
        and policy != held,
        "one for all members, held is one for this member": bool(held.member) and not policy.member,
    }
    for fault, found in faults.items():
        if found:
            raise SuitePolicyError(
                f"{policy.hub} states an older suite policy: {fault}. It was refused as a "
                "downgrade; tell the hub's security officer, who may have restored an old copy."
            )


def check_suite(policy: Policy, suite: str) -> None:
    """Check that a suite may be used.

    Raises:
        SuitePolicyError: The policy does not allow it, or requires another.
    """
    if suite not in policy.suites:
        raise SuitePolicyError(
            f"Suite {suite[:40]} is not within the policy of {policy.hub} (version "
            f"{policy.version}), which {'requires' if policy.required else 'allows'} "
            f"{', '.join(policy.suites)}. Renew this member's certificates (`yixin node renew`; "
            "its daemon does so by itself): its new keys are made under a suite of the policy."
        )


def suite_for(policy: Policy, usable: Iterable[str] | None = None) -> str:
    """The suite to use: of those within the policy and usable here, the preferred one.

    Args:
        policy: The policy.
        usable: Suites that can be used, in any order; default: those of this machine.

    Raises:
        SuitePolicyError: None of them is within the policy.
    """
    there = set(available_suites() if usable is None else usable)
    for suite in policy.suites:
        if suite in there:
            return suite
    raise SuitePolicyError(
        f"The policy of {policy.hub} (version {policy.version}) takes "
        f"{', '.join(policy.suites)}; usable here: {', '.join(sorted(there)) or 'none'}. Renew "
        'this member\'s keys under a suite of the policy; GM needs pip install "yixin[gm]".'
    )
