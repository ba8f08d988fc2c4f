"""The enrolment side of a hub under test: it certifies whatever keys it is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from protos.yixin.v1 import enrolment_pb2, identity_pb2, statement_pb2
from security.exchange.custody import sign_custody
from security.exchange.key_files import create_keys
from security.exchange.membership import Membership, load, save_join
from security.keys import EncryptionKey, SigningKey, VerifyingKey
from security.tls import MEMBER_DAYS, csr_der, issue_member_certificate
from tests.support.members import NODE, HubUnderTest

if TYPE_CHECKING:
    from pathlib import Path

    from security.certificates import Keyring

TLS_NOW = datetime.now(UTC)  # noqa: TID251  # gRPC's TLS judges certificates by the machine's clock


class Enrolling:
    """Certifies members of a hub."""

    hub: HubUnderTest
    keyring: Keyring
    port: int
    tls_days: int = MEMBER_DAYS

    def hub_keys(self) -> list[identity_pb2.KeyCertificate]:
        """The hub's own certificates."""
        return [
            certificate
            for certificate in self.hub.certificates
            if _owner(certificate) == self.hub.hub_id
        ]

    def enrol(self, directory: Path, member: str = NODE) -> Membership:
        """Make keys in a directory and certify them, as if the member had joined."""
        keys = create_keys(directory, post_quantum="/hub/" in member)
        response = self.answer(
            member,
            keys.signing.verifying,
            keys.encryption.suite.name,
            keys.encryption.public_bytes,
            csr_der(keys.tls_key_pem),
        )
        save_join(directory, response)
        return load(directory)

    def answer(
        self, member: str, signing: VerifyingKey, suite: str, encryption: bytes, csr: bytes
    ) -> enrolment_pb2.JoinResponse:
        """The answer to a join request for these public keys."""
        certificates = [
            self.hub.certify(
                member,
                SigningKey.generate(post_quantum=False),
                public_key=signing.public_key,
                pq_public_key=signing.pq_public_key,
            ),
            self.hub.certify(
                member,
                EncryptionKey.generate(suite),
                public_key=encryption,
            ),
        ]
        for certificate in certificates:
            self.keyring.add(certificate)
        return enrolment_pb2.JoinResponse(
            member=member,
            tls_certificate_der=issue_member_certificate(
                self.hub.ca_key_pem,
                self.hub.ca_certificate_pem,
                csr,
                member,
                TLS_NOW,
                days=self.tls_days,
            ),
            anchor=self.hub.anchor,
            signing_certificate=certificates[0],
            encryption_certificate=certificates[1],
            hub_keys=self.hub_keys(),
            exchange_address=f"127.0.0.1:{self.port}",
            custody=sign_custody(
                self.hub.signing,
                statement_pb2.CustodyRegister(
                    hub=self.hub.hub_id,
                    version=1,
                    rows=[statement_pb2.CustodyRow(institution="H33030200001", member=member)],
                ),
            ),
        )


def _owner(certificate: identity_pb2.KeyCertificate) -> str:
    return identity_pb2.KeyCertificateBody.FromString(certificate.body).member
