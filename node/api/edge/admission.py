"""Admission of devices: certificate, register, authorisation table; and one worker for all calls.

Rules:
- Every call is judged anew: a line outlives the certificate and the register's row it began with.
- Flows run one after the other in one thread, beside the loop; so many calls may wait for it.
- What ends a call is noted in the daemon's log; the device reads its public wording.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import grpc.aio

from node.api.edge.authorisation import authorise
from node.api.edge.refusals import RefusalLog, Told, told
from node.errors import StoreError
from node.store import NodeStore
from node.store.device_rows import DeviceRow
from security.channels import peer_certificate
from security.devices import DeviceAuthority
from security.devices.joining import tls_key_digest

__all__ = ["MAX_WAITING", "Admission", "Context", "Worker", "end"]

MAX_WAITING: Final = 128
"""Calls that may wait for the worker; one more is told to come again."""
MAX_OF_ONE: Final = 8
"""Of one device, or of one stranger's host."""
ResultT = TypeVar("ResultT")
Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class Worker:
    """The one thread of flows, with a bounded queue before it."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._waiting: Counter[str] = Counter()

    async def run(self, who: str, work: Callable[[], ResultT]) -> ResultT:
        """Run something after what waits already.

        Args:
            who: Whose call it is: nobody takes the room of others.
            work: What.

        Raises:
            StoreError: Too much waits for the store.
        """
        waiting = self._waiting.total()
        if waiting >= MAX_WAITING or self._waiting[who] >= MAX_OF_ONE:
            raise StoreError(
                f"{waiting} calls of devices wait for the store, {self._waiting[who]} of this one, "
                f"expected at most {MAX_WAITING} and {MAX_OF_ONE}; they come again"
            )
        self._waiting[who] += 1
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        running.add_done_callback(lambda _: self._end(who))
        return await running

    def _end(self, who: str) -> None:
        self._waiting[who] -= 1
        if not self._waiting[who]:
            del self._waiting[who]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Says who calls, runs what is asked, and keeps a record of who was refused."""

    store: NodeStore
    authority: DeviceAuthority = field(repr=False)
    worker: Worker
    log: RefusalLog
    now: Callable[[], datetime]
    """The clock, UTC-aware."""

    async def answer(
        self, context: Context, method: str, flow: Callable[[DeviceRow, datetime], ResultT]
    ) -> ResultT:
        """Admit a caller and run a flow for it, or end the call.

        Args:
            context: Context of the call.
            method: Name of the method of EdgeIntake.
            flow: Runs in the worker, with the caller and the present moment.

        Returns:
            What the flow returns.
        """
        now = self.now()
        who = host_of(context)
        try:
            # Read once, while the call lives: the context of one that has ended must not be asked.
            certificate = peer_certificate(context)
            name = self.authority.verify(certificate, now)
            who = name.device_id

            def admitted() -> ResultT:
                device = self.store.edge.devices.admit(tls_key_digest(certificate), name)
                authorise(method, device)
                return flow(device, now)

            return await self.worker.run(who, admitted)
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            self.log.note(who, method, error, now)
            await end(context, told(error))


async def end(context: Context, how: Told) -> NoReturn:
    """End a call with a public wording."""
    await context.abort(how.status, how.wording)
    raise AssertionError("a call that was aborted goes on")  # pragma: no cover


def host_of(context: Context) -> str:
    """Host at the other end of a call, without its port.

    ``ipv4:10.0.0.7:51000`` is ``ipv4:10.0.0.7``.
    """
    return str(context.peer()).rpartition(":")[0][:64]
