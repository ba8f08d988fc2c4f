"""Who signed what for whom: certificates, suite policies, and the operator log of a bundle.

Rules: everything here is signed by the hub's identity key, or named by its hash in a leaf; what
does not verify is recorded and left out.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.audit.bundle import CERTIFICATES, MAX_RANGE, POLICIES
from security.audit.evidence import SuiteRule
from security.encoding import parse_exactly
from security.errors import AuditInputError, SecurityError, cause_of
from security.members import MemberKind, parse_member_id
from security.policy import open_policy

if TYPE_CHECKING:
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust

MAX_CERTIFICATE_BYTES: Final = 16 * 1024
MAX_POLICY_BYTES: Final = 16 * 1024
MAX_POLICIES: Final = 10_000


def read_hub(evidence: Evidence, trust: Trust, findings: Findings) -> None:
    """Find the anchor of the hub that the bundle names."""
    hub = evidence.manifest.hub
    evidence.anchor = trust.anchors.get(hub)
    if evidence.anchor is None:
        held = ", ".join(trust.anchors)
        findings.fail(
            "hub",
            f"the bundle is of {hub}, the trust file holds anchors of: {held}; give the trust file "
            "of that hub, from its officer",
        )


def read_certificates(evidence: Evidence, trust: Trust, findings: Findings) -> None:
    """Verify the certificates; those that fail are recorded and not held.

    A certificate of another hub, by which products are routed, is taken where the auditor trusts
    that hub's anchor, and counted where not: what it would prove stays open then.
    """
    try:
        frames = evidence.source.frames(
            CERTIFICATES, max_bytes=MAX_CERTIFICATE_BYTES, max_count=MAX_RANGE
        )
        for number, data in enumerate(frames):
            findings.counts["certificates"] += 1
            try:
                certificate = parse_exactly(
                    identity_pb2.KeyCertificate, data, MAX_CERTIFICATE_BYTES
                )
                if _is_of_another_hub(certificate, evidence, trust):
                    findings.counts["certificates_of_other_hubs"] += 1
                    continue
                evidence.keyring.add(certificate)
            except (ValueError, SecurityError) as error:
                findings.fail("certificate", f"certificate {number}: {cause_of(error)}")
            else:
                digest = hashlib.sha256(certificate.body).digest()
                evidence.show(transparency_pb2.LOG_KIND_CERTIFICATE, digest)
    except AuditInputError as error:
        findings.fail("certificates", str(error))


def _is_of_another_hub(
    certificate: identity_pb2.KeyCertificate, evidence: Evidence, trust: Trust
) -> bool:
    body = parse_exactly(identity_pb2.KeyCertificateBody, certificate.body, MAX_CERTIFICATE_BYTES)
    if body.issuer == evidence.manifest.hub or body.issuer in trust.anchors:
        return False
    if parse_member_id(body.issuer).kind is not MemberKind.HUB:
        raise ValueError(f"issued by {body.issuer[:120]!r}, expected a hub")
    return True


def read_policies(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Verify the suite policies, and put those of a member in order of time."""
    try:
        frames = evidence.source.frames(
            POLICIES, max_bytes=MAX_POLICY_BYTES, max_count=MAX_POLICIES
        )
        for number, data in enumerate(frames):
            findings.counts["policies"] += 1
            try:
                _read_policy(evidence, data)
            except (ValueError, SecurityError) as error:
                findings.fail("policy", f"policy {number}: {error}")
    except AuditInputError as error:
        findings.fail("policies", str(error))
    for rules in evidence.policies.values():
        rules.sort(key=lambda rule: (rule.since_ms, rule.version))


def _read_policy(evidence: Evidence, data: bytes) -> None:
    signed = parse_exactly(identity_pb2.SuitePolicy, data, MAX_POLICY_BYTES)
    body = parse_exactly(identity_pb2.SuitePolicyBody, signed.body, MAX_POLICY_BYTES)
    if evidence.anchor is None:
        raise ValueError("no anchor of this hub is held")
    policy = open_policy(signed, evidence.anchor, member=body.member, held=None)
    # What a member may use beside its own requirement is what all members may use.
    suites = (policy.required,) if policy.required else () if policy.member else policy.allowed
    rule = SuiteRule(since_ms=policy.at_ms, version=policy.version, suites=frozenset(suites))
    evidence.policies.setdefault(policy.member, []).append(rule)
    evidence.show(transparency_pb2.LOG_KIND_POLICY, hashlib.sha256(signed.body).digest())
