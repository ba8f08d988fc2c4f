"""P7: envelopes of about 2 KB through one hub process on SQLite, under each suite.

Ours: sealed ahead, sent over mutual TLS, verified, opened, logged, durably stored and receipted;
the clock runs until the last receipt is verified and settled. References: a bare gRPC echo of the
same bytes, and the bare opening and verifying of such envelopes on one core. Cost per envelope
grows with the logarithm of the log's size.
"""

import asyncio
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc.aio
import numpy as np
from sqlalchemy import Engine

from deploy.benchmarks import echo_server
from deploy.benchmarks.measuring import Bound, Row, Skipped, alternate
from deploy.demo.processes import Crew, environment
from deploy.errors import BenchmarkError
from deploy.simulation.codes import institution_code
from node.domain.reported import ReportedSet
from node.sync.statements import ChangedSlot, statement_payloads
from protos.yixin.v1.envelope_pb2 import LANE_BULK
from scoring_kernel.statements import rows_digest
from security.at_rest import Vault
from security.errors import UnknownSuiteError
from security.exchange.engine import open_exchange
from security.exchange.join import join
from security.exchange.membership import Membership
from security.exchange.outbox import SEAL_AHEAD_LIMIT, Outbox
from security.exchange.uplink import sync_up
from security.keys import EncryptionKey, SigningKey
from security.suites import SUITE_NAMES, available_suites, get_suite

GROWTH: Final = "logarithmic per envelope"
_TOKEN: Final = re.compile(r"yixin1\.[A-Za-z0-9_-]+")
_INSTITUTIONS: Final = 50
_MONTHS: Final = tuple(range(202601, 202607))
_MEASURES: Final = ("fund_fen", "inscp_fen", "medfee_fen", "settlements")
_PAYLOAD_BYTES: Final = 2_048
_OPENED: Final = 1_000


def _now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(slots=True, kw_only=True)
class _Sender:
    """A joined member whose outbox is filled before the clock runs."""

    membership: Membership
    engine: Engine
    outbox: Outbox
    codes: Sequence[str]
    version: int = 0

    def fill(self, envelopes: int) -> list[bytes]:
        """Append and seal statements; returns the sealed envelopes."""
        sealed: list[bytes] = []
        with self.engine.begin() as connection:
            for number in range(envelopes):
                if number % len(self.codes) == 0:
                    self.version += 1
                self.outbox.append(
                    connection,
                    recipient=self.membership.hub_id,
                    lane=LANE_BULK,
                    payload_type="statements",
                    schema_version=1,
                    purpose="supervision",
                    data_class="aggregate",
                    period="",
                    payload=_payload(self.codes[number % len(self.codes)], self.version),
                )
        while True:
            with self.engine.begin() as connection:
                context = self.membership.sealing_context(int(_now().timestamp() * 1000))
                rows = self.outbox.seal_ahead(connection, self.membership.hub_id, context)
            if not rows:
                return sealed
            sealed += [row.message().SerializeToString() for row in rows]

    async def send(self, envelopes: int) -> float:
        """Send what was sealed; returns seconds until the last receipt is settled."""
        begun = time.perf_counter()
        report = await sync_up(self.membership, self.engine, self.outbox, now=_now)
        passed = time.perf_counter() - begun
        if report.receipts != envelopes or report.quarantined:
            raise BenchmarkError(
                f"{report.receipts} receipts, {report.quarantined} of them for quarantined"
                f" content; expected {envelopes} and none"
            )
        return passed


def _payload(code: str, version: int) -> bytes:
    """State half a year of one institution: about two kilobytes."""
    count = len(_MONTHS)
    columns = {
        name: np.arange(count, dtype=np.int64) + version * 1_000 + place
        for place, name in enumerate(_MEASURES)
    }
    report = ReportedSet(
        measure_set="settlement",
        institutions=np.array([code] * count),
        months=np.array(_MONTHS, dtype=np.int32),
        subjects=np.array([code] * count),
        columns=columns,
    )
    slots = [
        ChangedSlot(
            institution=code,
            month=month,
            version=version,
            digest=rows_digest(
                [code], [month], [code], {name: one[row : row + 1] for name, one in columns.items()}
            ),
            rows=slice(row, row + 1),
        )
        for row, month in enumerate(_MONTHS)
    ]
    (packed,) = statement_payloads(report, slots, ledger_size=count)
    return packed.payload


def measure_hub(work: Path, *, envelopes: int, repeats: int) -> tuple[Row | Skipped, ...]:
    """Measure a hub's intake against the echo and against opening alone, suite by suite.

    Args:
        work: Empty directory for the hubs' and the senders' state.
        envelopes: Envelopes of one run; at most what may be sealed ahead on a lane.
        repeats: Runs of each side.

    Returns:
        Two rows for each suite, envelopes per second; one that says what is missing for a suite
        that does not work here.

    Raises:
        BenchmarkError: An envelope got no receipt, or its content was refused.
        DemoError: A hub did not start.
    """
    rows: list[Row | Skipped] = []
    for suite in SUITE_NAMES:
        try:
            get_suite(suite)
        except UnknownSuiteError as error:
            rows.append(Skipped(name=f"P7 {suite} hub intake", reason=str(error)))
            continue
        (work / suite).mkdir(mode=0o700)
        rows += _measure_suite(work / suite, suite, min(envelopes, SEAL_AHEAD_LIMIT), repeats)
    return tuple(rows)


def _measure_suite(work: Path, suite: str, envelopes: int, repeats: int) -> tuple[Row, ...]:
    crew = Crew(work / "logs")
    sealed: list[bytes] = []
    with asyncio.Runner() as runner:
        try:
            sender = runner.run(_join(crew, work, suite))

            def through_hub(_run: int) -> float:
                sealed[:] = sender.fill(envelopes)
                return envelopes / runner.run(sender.send(envelopes))

            def through_echo(_run: int) -> float:
                return envelopes / runner.run(_echo(sealed))

            ours, echo = alternate(through_hub, through_echo, repeats=repeats)
        finally:
            runner.run(crew.stop())
    opened = statistics.median(_open_and_verify(suite) for _ in range(repeats))
    return (
        _row(f"P7 {suite} hub intake vs bare gRPC echo", ours, echo, target=0.15),
        _row(f"P7 {suite} hub intake vs bare open and verify", ours, opened, target=0.5),
    )


def _row(name: str, ours: float, reference: float, *, target: float) -> Row:
    return Row(
        name=name,
        unit="envelopes/s",
        ours=ours,
        reference=reference,
        ratio=ours / reference,
        bound=Bound.AT_LEAST,
        target=target,
        growth=GROWTH,
    )


async def _join(crew: Crew, work: Path, suite: str) -> _Sender:
    """Found a hub that takes every suite in a process of its own, and join it as a node."""
    hub, own = work / "hub", work / "sender"
    own.mkdir(mode=0o700)
    codes = [institution_code("H", "330302", n + 1) for n in range(_INSTITUTIONS)]
    (work / "custody.csv").write_text(
        "institution,name,level,type,division\n"
        + "".join(f"{code},benchmark {code},2,general,330302\n" for code in codes),
        encoding="utf-8",
    )
    place = ("--dir", str(hub))
    division = ("--level", "city", "--division", "330300", "--name", "benchmark")
    await crew.run("hub", "init", *place, *division)
    allowed = ",".join(available_suites())
    with (hub / "hub.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[suites]\nallowed = "{allowed}"\n')
    await crew.daemon("hub", "hub", "serve", *place, ready=hub / "serve.json")
    out = await crew.run(
        *("hub", "token", *place, "--approved", "--kind", "node", "--division", "330302"),
        *("--code", "benchmark"),
        *("--institutions", str(work / "custody.csv")),
    )
    found = _TOKEN.search(out)
    if found is None:
        raise BenchmarkError(f"`yixin hub token` printed no token: {out[:200]!r}")
    membership = await join(
        own / "membership",
        found.group(),
        kind="node",
        post_quantum=False,
        now=_now(),
        suite=suite,
    )
    return _Sender(
        membership=membership,
        engine=open_exchange(own / "exchange.db"),
        outbox=Outbox(Vault.create(own / "node.key")),
        codes=codes,
    )


async def _echo(messages: Sequence[bytes]) -> float:
    """Send the same bytes through the bare echo; returns seconds until the last came back."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", echo_server.__name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    try:
        if server.stdout is None:
            raise BenchmarkError("the echo's standard output is not there")
        port = int(await server.stdout.readline())

        async def requests() -> AsyncIterator[bytes]:
            for message in messages:
                yield message

        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
            path = f"/{echo_server.SERVICE}/{echo_server.METHOD}"
            call = channel.stream_stream(path, None, None)
            begun = time.perf_counter()
            back = 0
            async for _ in call(requests()):
                back += 1
            passed = time.perf_counter() - begun
    finally:
        server.kill()
        await server.wait()
    if back != len(messages):
        raise BenchmarkError(f"the echo sent back {back} of {len(messages)} messages")
    return passed


def _open_and_verify(name: str) -> float:
    """Verify and open envelopes with nothing around it; returns envelopes per second."""
    suite = get_suite(name)
    signer = SigningKey.generate(post_quantum=False, scheme=suite.signature)
    recipient = EncryptionKey.generate(suite)
    content, info = bytes(range(256)) * (_PAYLOAD_BYTES // 256), b"\0" * 32
    sealed = [suite.seal(recipient.public_bytes, content, info) for _ in range(_OPENED)]
    signed = [signer.sign("yixin/benchmark/v1", info, one) for one in sealed]
    begun = time.perf_counter()
    for ciphertext, signature in zip(sealed, signed, strict=True):
        signer.verifying.verify(signature, "yixin/benchmark/v1", info, ciphertext)
        suite.open(recipient, ciphertext, info)
    return _OPENED / (time.perf_counter() - begun)
