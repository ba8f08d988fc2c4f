"""Join tokens: one use each, idempotent until the member first uses its certificate.

Port rules: only the digest of a token's secret is stored; the answer to a join is stored in the
transaction that issued it, so that the same request gets the same answer.
"""

from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from hub.domain.members import MemberId, MemberKind
from hub.store.tables import token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token as the hub holds it.

    Attributes:
        secret_digest: SHA-256 of the secret.
        member: Member id the token is for.
        kind: Kind of the member.
        expires_at_ms: Last moment of use.
        keys_digest: SHA-256 over the keys that used it; None before.
        response: The stored answer; None before.
        consumed_at_ms: When the member first used its certificate; None before.
        approved_at_ms: When an officer approved whoever holds it, in advance; None for not.
    """

    secret_digest: bytes = field(repr=False)
    member: MemberId
    kind: MemberKind
    expires_at_ms: int
    keys_digest: bytes | None = None
    response: bytes | None = field(default=None, repr=False)
    consumed_at_ms: int | None = None
    approved_at_ms: int | None = None


def add_token(connection: Connection, row: TokenRow, now_ms: int) -> None:
    """Store a new token and use up unused older ones of the same member."""
    end_tokens(connection, row.member, now_ms)
    connection.execute(
        insert(token).values(
            secret_digest=row.secret_digest,
            member=row.member,
            kind=str(row.kind),
            created_at_ms=now_ms,
            expires_at_ms=row.expires_at_ms,
            approved_at_ms=row.approved_at_ms,
        )
    )


def end_tokens(connection: Connection, member_id: str, now_ms: int) -> None:
    """Use up every token of a member that is still out, answered or not."""
    connection.execute(
        update(token)
        .where(token.c.member == member_id, token.c.consumed_at_ms.is_(None))
        .values(consumed_at_ms=now_ms, response=None)
    )


def find_token(connection: Connection, secret_digest: bytes) -> TokenRow | None:
    """Look a token up by the digest of its secret."""
    row = connection.execute(select(token).where(token.c.secret_digest == secret_digest)).first()
    if row is None:
        return None
    return TokenRow(
        secret_digest=row.secret_digest,
        member=MemberId(row.member),
        kind=MemberKind(row.kind),
        expires_at_ms=row.expires_at_ms,
        keys_digest=row.keys_digest,
        response=row.response,
        consumed_at_ms=row.consumed_at_ms,
        approved_at_ms=row.approved_at_ms,
    )


def bind_token(connection: Connection, secret_digest: bytes, keys_digest: bytes) -> None:
    """Bind a token to the first keys that came with it; they wait for an officer."""
    connection.execute(
        update(token).where(token.c.secret_digest == secret_digest).values(keys_digest=keys_digest)
    )


def answer_token(
    connection: Connection, secret_digest: bytes, keys_digest: bytes, response: bytes
) -> None:
    """Bind a token to the keys that used it and keep the answer."""
    connection.execute(
        update(token)
        .where(token.c.secret_digest == secret_digest)
        .values(keys_digest=keys_digest, response=response)
    )


def consume_tokens(connection: Connection, member_id: str, now_ms: int) -> None:
    """Use up the answered tokens of a member that spoke with its certificate."""
    connection.execute(
        update(token)
        .where(
            token.c.member == member_id,
            token.c.consumed_at_ms.is_(None),
            token.c.response.is_not(None),
        )
        .values(consumed_at_ms=now_ms, response=None)
    )
