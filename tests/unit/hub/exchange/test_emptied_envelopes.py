"""An envelope that retention has emptied stands before an auditor as what it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub.exchange.audit_export import AuditRange, export_audit
from hub.store import log
from hub.store.engine import reading
from hub.supervision.expiring import expire
from security.audit import Trust, verify_bundle
from security.audit.report import Verdict
from security.progress import no_progress
from tests.support.hub_city import FIRST, City, Sender, Slot, batch
from tests.support.join_payloads import Record, join_day, join_records

if TYPE_CHECKING:
    from pathlib import Path


def test_an_emptied_envelope_is_indeterminate_and_all_others_are_valid(
    city: City, node: Sender, tmp_path: Path
) -> None:
    old = Record(who="ann", begins="2026-04-20 09:00", ends="2026-05-02 09:00")
    new = Record(who="ann", begins="2026-10-20 09:00", ends="2026-10-22 09:00")
    payloads = [
        join_records("stay", join_day(FIRST, [old]), period="2026H1").SerializeToString(),
        join_records("stay", join_day(FIRST, [new])).SerializeToString(),
    ]
    city.submit(node.seal(batch(Slot())), peer=node.member)
    for payload in payloads:
        kinds = {"payload_type": "join_records", "data_class": "join_record", "period": ""}
        city.submit(node.seal(payload, **kinds), peer=node.member)
        city.clock.at = datetime(2026, 11, 1, 16, tzinfo=UTC)
    expire(city.parts.engine, city.parts.catalog.joining, city.clock())
    report = export_audit(
        city.parts.engine,
        city.parts.identity,
        tmp_path / "bundle",
        AuditRange(),
        now=city.clock(),
        progress=no_progress,
    )
    assert (report.envelopes, report.receipts) == (2, 3)
    audit = verify_bundle(tmp_path / "bundle", Trust.of(city.parts.identity.anchor))
    assert audit.verdict is Verdict.INDETERMINATE
    found = [(one.index, failure.check) for one in audit.exchanges for failure in one.failures]
    assert [check for _, check in found] == ["envelope_emptied"]
    assert [one.kind for one in audit.exchanges][-4:] == ["envelope"] * 3 + ["emptied"]
    assert audit.counts["kind_emptied"] == 1


def test_what_was_emptied_after_the_range_is_proved_with_it(
    city: City, node: Sender, tmp_path: Path
) -> None:
    old = Record(who="ann", begins="2026-04-20 09:00", ends="2026-05-02 09:00")
    payload = join_records("stay", join_day(FIRST, [old]), period="2026H1").SerializeToString()
    kinds = {"payload_type": "join_records", "data_class": "join_record", "period": ""}
    city.submit(node.seal(payload, **kinds), peer=node.member)
    city.submit(node.seal(batch(Slot())), peer=node.member)
    with reading(city.parts.engine) as connection:
        end = log.size(connection)
    city.clock.at = datetime(2026, 11, 1, 16, tzinfo=UTC)
    expire(city.parts.engine, city.parts.catalog.joining, city.clock())
    export_audit(
        city.parts.engine,
        city.parts.identity,
        tmp_path / "bundle",
        AuditRange(from_index=0, to_index=end),
        now=city.clock(),
        progress=no_progress,
    )

    audit = verify_bundle(tmp_path / "bundle", Trust.of(city.parts.identity.anchor))

    assert audit.to_index == end
    assert audit.counts["emptied_later"] == 1
    assert [(failure.check, str(failure.verdict)) for _, failure in audit.all_failures()] == [
        ("envelope_emptied", "indeterminate")
    ]
