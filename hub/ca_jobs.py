"""The jobs over a hub's TLS authority: its request to the bureau's CA, and the chain it gets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives import hashes, serialization

from hub.errors import ConfigurationError
from hub.parts import KEYS, HubParts
from hub.store.identity import CA_CHAIN
from security.certificates.subordinate import request_subordination, verify_subordination
from security.errors import UntrustedCertificateError
from security.private_files import write_private
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
CA_READERS: Final = frozenset({"ca-request"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by name."""
        return {"ca-request": self.request, "ca-import": self.take}

    def request(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """The request to certify this hub's authority."""
        identity = self.parts.identity
        made = request_subordination(identity.ca_key_pem, identity.ca_certificate_pem)
        return {"hub": identity.hub, "request": made.decode("ascii")}

    def take(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Verify the chain and keep it; the servers present it from their next start on."""
        identity = self.parts.identity
        try:
            chain = verify_subordination(
                arguments["chain"].encode(), identity.ca_certificate_pem, self.parts.now()
            )
        except UntrustedCertificateError as error:
            raise ConfigurationError(f"The chain was not imported: {error.cause}.") from error
        content = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
        write_private(self.parts.directory / KEYS / CA_CHAIN, content, replace=True)
        return {
            "hub": identity.hub,
            "certificates": len(chain),
            "root": chain[-1].subject.rfc4514_string(),
            "root_sha256": chain[-1].fingerprint(hashes.SHA256()).hex(),
            "until": min(one.not_valid_after_utc for one in chain).isoformat(timespec="seconds"),
        }
