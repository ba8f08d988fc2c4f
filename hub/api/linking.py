"""Servicer of LinkDesk: admit the caller, call the desk, encode. A refusal is an answer.

Rules of this module:

- A caller is admitted by its TLS certificate, judged anew for every call, and the authorisation
  table; the desk then judges certificate, name and key (``hub.desk.evaluating``).
- Evaluations run in a few threads of their own: the event loop stays free.
- What fails inside ends the call with a constant wording; nothing of a request enters a log.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NoReturn

import grpc.aio

from hub.api.authorisation import LINK_DESK, authorise
from hub.api.errors import row_of
from hub.desk.evaluating import DeskCaller, LinkDesk
from hub.desk.refusals import DeskRequestError
from hub.domain.members import MemberKind
from hub.errors import HubError
from protos.yixin.v1 import linking_pb2, linking_pb2_grpc
from security.channels import peer_certificate
from security.errors import SecurityError, UntrustedCertificateError
from security.linking import key_fingerprint
from security.members import parse_member_id
from security.tls import tls_digest, verify_member_certificate

_LOG: Final = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(slots=True, kw_only=True)
class LinkDeskServicer(linking_pb2_grpc.LinkDeskServicer):
    """Answers the nodes of one desk."""

    desk: LinkDesk
    """The desk."""
    roots: Mapping[str, bytes] = field(repr=False)
    """TLS roots, PEM, of the hubs whose nodes may be on the register, by hub."""
    executor: Executor = field(repr=False)
    """Where evaluations run."""
    now: Callable[[], datetime] = field(repr=False)
    """Tells the present moment, UTC-aware."""

    async def Describe(  # noqa: N802 - named by the service definition
        self, request: linking_pb2.DescribeRequest, context: Context
    ) -> linking_pb2.DescribeResponse:
        """Tell the terms of a period."""
        try:
            caller = self._admit(context, "Describe")
            terms = await self._run(self.desk.describe, caller, request.period)
        except DeskRequestError as error:
            return linking_pb2.DescribeResponse(refusal=_refusal(error))
        except (HubError, SecurityError) as error:
            await _abort(context, error)
        return linking_pb2.DescribeResponse(terms=terms)

    async def Evaluate(  # noqa: N802 - named by the service definition
        self, request: linking_pb2.EvaluateRequest, context: Context
    ) -> linking_pb2.EvaluateResponse:
        """Evaluate one request."""
        try:
            caller = self._admit(context, "Evaluate")
            evaluated = await self._run(
                self.desk.evaluate, caller, request.period, request.request_id, request.points
            )
        except DeskRequestError as error:
            return linking_pb2.EvaluateResponse(refusal=_refusal(error))
        except (HubError, SecurityError) as error:
            await _abort(context, error)
        return linking_pb2.EvaluateResponse(evaluated=evaluated)

    async def _run(self, method: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - what the desk answers
        return await asyncio.get_running_loop().run_in_executor(self.executor, method, *arguments)

    def _admit(self, context: Context, method: str) -> DeskCaller:
        certificate = peer_certificate(context)
        fault: UntrustedCertificateError | None = None
        for hub, root in self.roots.items():
            try:
                member = verify_member_certificate(certificate, root, self.now())
            except UntrustedCertificateError as error:
                fault = error
                continue
            authorise(f"/{LINK_DESK}/{method}", MemberKind(parse_member_id(member).kind))
            return DeskCaller(
                member=member,
                fingerprint=key_fingerprint(certificate),
                hub=hub,
                tls_sha256=tls_digest(certificate),
            )
        raise fault or UntrustedCertificateError("this desk trusts no hub yet")


def _refusal(error: DeskRequestError) -> linking_pb2.DeskRefusal:
    return linking_pb2.DeskRefusal(code=error.code, detail=error.detail)


async def _abort(context: Context, error: Exception) -> NoReturn:
    """End a call that failed with the public wording of its error."""
    row = row_of(error)
    _LOG.warning("a call of a link desk failed: %s", type(error).__name__)
    await context.abort(row.status, row.wording)
    raise AssertionError("a call that was aborted goes on")  # pragma: no cover
