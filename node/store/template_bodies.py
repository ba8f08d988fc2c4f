"""The sealed part of a template: whose it is and its vector, under a key of its own.

Rules:
- Every template has a data key, which the vault wraps: who deletes or empties the row has
  destroyed the key, and what is left of the body anywhere opens no more.
- The body says again whose, of which model and of which epoch it is, and is compared with its row.

A body is the byte 1, epoch, dimension, model, the length of the person's number, the number, and
the vector: float32, little-endian.
"""

import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from node.errors import TemplateError
from scoring_kernel.errors import TemplateMismatchError
from scoring_kernel.faces.matching import pack_vector, parse_vector
from security.at_rest import Vault

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import FloatVector

__all__ = ["TemplateBody", "open_body", "seal_body", "template_context"]

_FORMAT: Final = 1
_HEAD: Final = struct.Struct(">BIH32sB")
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TemplateBody:
    """What is sealed."""

    person: str = field(repr=False)
    model: bytes
    """SHA-256, 32 bytes."""
    epoch: int
    vector: "FloatVector" = field(repr=False)
    """Unit length, transformed."""


def template_context(template: bytes) -> str:
    """Place that the key of a template is wrapped for."""
    return f"template-key/{template.hex()}"


def seal_body(vault: Vault, template: bytes, body: TemplateBody) -> tuple[bytes, bytes]:
    """Seal a body under a new key.

    Returns:
        The wrapped key and the sealed body.
    """
    person = body.person.encode()
    head = _HEAD.pack(_FORMAT, body.epoch, len(body.vector), body.model, len(person))
    key = secrets.token_bytes(_KEY_BYTES)
    sealed = Vault(key).seal(head + person + pack_vector(body.vector), _body(template))
    return vault.wrap(key, template_context(template)), sealed


def open_body(vault: Vault, template: bytes, wrapped: bytes, sealed: bytes) -> TemplateBody:
    """Open a body.

    Raises:
        TemplateError: Its bytes are no body.
        VaultError: Key or body do not open.
    """
    opened = Vault(vault.unwrap(wrapped, template_context(template))).open(sealed, _body(template))
    try:
        form, epoch, dimension, model, length = _HEAD.unpack_from(opened)
        if form != _FORMAT:
            raise _unknown(template)
        begin = _HEAD.size + length
        return TemplateBody(
            person=opened[_HEAD.size : begin].decode(),
            model=model,
            epoch=epoch,
            vector=parse_vector(opened[begin:], dimension),
        )
    except (struct.error, UnicodeDecodeError, TemplateMismatchError) as error:
        raise _unknown(template) from error


def _unknown(template: bytes) -> TemplateError:
    return TemplateError(
        f"the template {template.hex()} is of an unknown form; delete it and enrol again"
    )


def _body(template: bytes) -> str:
    return f"template/{template.hex()}"
