"""Rows for methods: which kinds of members may call which. Everything else is refused."""

from collections.abc import Mapping
from typing import Final

from hub.domain.members import MemberKind
from hub.errors import NotPermittedError

EXCHANGE: Final = "yixin.v1.Exchange"
ENROLMENT: Final = "yixin.v1.Enrolment"
LINK_DESK: Final = "yixin.v1.LinkDesk"
TRANSPARENCY: Final = "yixin.v1.Transparency"
CONTROL: Final = "yixin.v1.Control"

_ALL: Final = frozenset(MemberKind)

AUTHORISED: Final[Mapping[str, frozenset[MemberKind]]] = {
    f"/{EXCHANGE}/Submit": _ALL,
    f"/{EXCHANGE}/Collect": frozenset({MemberKind.NODE, MemberKind.HUB, MemberKind.DEPARTMENT}),
    f"/{EXCHANGE}/FetchPack": frozenset({MemberKind.NODE, MemberKind.HUB}),
    f"/{TRANSPARENCY}/GetCheckpoint": _ALL,
    f"/{TRANSPARENCY}/GetTile": _ALL,
    f"/{TRANSPARENCY}/Prove": _ALL,
    f"/{TRANSPARENCY}/Cosign": _ALL,
    f"/{LINK_DESK}/Describe": frozenset({MemberKind.NODE}),
    f"/{LINK_DESK}/Evaluate": frozenset({MemberKind.NODE}),
}
"""Methods of members, with the kinds that may call them."""

OPEN: Final[frozenset[str]] = frozenset({f"/{ENROLMENT}/Join", f"/{ENROLMENT}/Renew"})
"""Methods without a client certificate: a token or a certified key inside authorises them."""

LOCAL: Final[frozenset[str]] = frozenset({f"/{CONTROL}/Run"})
"""Methods of the command socket: its owner alone reaches them, and every job has its own row."""


def authorise(method: str, kind: MemberKind) -> None:
    """Let a call through.

    Args:
        method: Full name, ``/package.Service/Method``.
        kind: Kind of the calling member.

    Raises:
        NotPermittedError: The table has no such method, or not for this kind.
    """
    if kind not in AUTHORISED.get(method, frozenset()):
        raise NotPermittedError(f"A {kind} may not call {method}.")
