"""What a hub logs beside envelopes is in its bundles, and the auditor finds it whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.audit_jobs import AuditJobs
from hub.errors import AuditExportError, LogReadOnlyError
from hub.exchange.audit_export import AuditRange, export_audit
from hub.exchange.revoking import revoke_member
from hub.jobs import HubJobs
from hub.operators.noting import OperatorEntry, note
from hub.store import log, log_peers, policies
from hub.store.engine import reading, writing
from hub.store.log_peers import StoredCosignature
from security.audit import Trust, Verdict, load_trust, verify_bundle
from security.keys import SigningKey
from security.moments import to_ms
from security.progress import no_progress
from security.tlog.cosigning import cosign
from security.transparency import Checkpoint
from tests.support.auditor import checks, witness
from tests.support.department_files import write_register
from tests.support.hub_city import City, Sender, Slot, batch

if TYPE_CHECKING:
    from pathlib import Path

    from security.audit import AuditReport

WITNESS = "yixin/330000/hub/province/witness"


def size(city: City) -> int:
    with reading(city.parts.engine) as connection:
        return log.size(connection)


def audit(city: City, out: Path, trust: Trust | None = None, **wanted: object) -> AuditReport:
    AuditJobs(parts=city.parts).audit_export({"out": str(out), **wanted}, no_progress)
    return verify_bundle(out, trust or Trust.of(city.parts.identity.anchor))


def test_published_statements_are_in_the_bundle(city: City, tmp_path: Path) -> None:
    jobs = HubJobs(parts=city.parts)
    jobs.import_items({"path": str(write_register(tmp_path))}, no_progress)
    jobs.grade({"period": "2026H1", "incomplete": True}, no_progress)
    jobs.publish({"period": "2026H1"}, no_progress)

    report = audit(city, tmp_path / "bundle.zip")

    assert (report.failures, list(report.all_failures())) == ((), [])
    assert report.counts["publications"] == report.counts["kind_publication"] > 0
    assert report.counts["statements"] > 0
    # A bundle of another period names the publications and need not show them.
    other = audit(city, tmp_path / "other", period="2025H2", from_index=0)
    assert (other.failures, other.counts.get("statements", 0)) == ((), 0)


def test_a_revoked_members_last_envelopes_stay_valid_and_the_list_is_shown(
    city: City, node: Sender, tmp_path: Path
) -> None:
    city.submit(node.seal(batch(Slot())))
    city.clock.at = city.clock().replace(hour=(city.clock().hour + 1) % 24)
    with writing(city.parts.engine) as connection:
        now_ms = to_ms(city.clock())
        revoke_member(connection, city.parts.identity, node.member, "left", now_ms)

    report = audit(city, tmp_path / "bundle")

    assert list(report.all_failures()) == []
    assert report.counts["revocation_lists"] == report.counts["kind_revocation"] == 1
    assert report.counts["revoked_certificates"] == 2


def test_entries_of_operators_without_a_leaf_link_those_that_have_one(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise LogReadOnlyError("no witness was reached")

    entry = OperatorEntry(hub=city.parts.identity.hub, at_ms=city.clock.ms, job="grade")
    for is_frozen in (False, True, True, False):
        with monkeypatch.context() as frozen, writing(city.parts.engine) as connection:
            if is_frozen:
                frozen.setattr(log, "append_leaves", refuse)
            note(connection, entry)

    report = audit(city, tmp_path / "bundle")

    assert list(report.all_failures()) == []
    assert report.counts["operations_shown"] == report.counts["operations_chained"] == 4
    later = audit(city, tmp_path / "later", from_index=size(city) - 1)
    assert (list(later.all_failures()), later.counts["operations_shown"]) == ([], 3)


def test_policies_and_certificates_are_matched_with_their_leaves(
    city: City, node: Sender, tmp_path: Path
) -> None:
    now_ms = to_ms(city.clock())
    with writing(city.parts.engine) as connection:
        identity = city.parts.identity
        policies.require_suite(connection, identity, node.member, "INTL-PQ", now_ms)
        policies.require_suite(connection, identity, node.member, "", now_ms)
    city.submit(node.seal(batch(Slot())))

    report = audit(city, tmp_path / "bundle")

    assert list(report.all_failures()) == []
    assert report.counts["policies"] == report.counts["kind_policy"] == 2
    assert report.counts["kind_certificate"] > 0


# Checkpoints ---------------------------------------------------------------------------------


def cosigned(city: City, at: int, key: SigningKey) -> None:
    """Keep the lines of a witness over the log at a size."""
    with writing(city.parts.engine) as connection:
        root = log.frontier_before(connection, at).root()
        checkpoint = Checkpoint(origin=city.parts.identity.anchor.log_origin, size=at, root=root)
        log_peers.add_cosignature(
            connection,
            StoredCosignature(
                checkpoint=checkpoint,
                witness=WITNESS,
                lines=cosign(checkpoint.body, WITNESS, key, 1),
                at_ms=1,
            ),
        )


@pytest.mark.parametrize(("back", "verdict"), [(0, Verdict.VALID), (1, Verdict.INDETERMINATE)])
def test_cosignatures_travel_with_the_bundle(
    city: City, node: Sender, tmp_path: Path, back: int, verdict: Verdict
) -> None:
    city.submit(node.seal(batch(Slot())))
    key = SigningKey.generate(post_quantum=True)
    cosigned(city, size(city) - back, key)
    trust = replace(
        Trust.of(city.parts.identity.anchor), witnesses=(witness(WITNESS, key),), quorum=1
    )

    report = audit(city, tmp_path / "bundle", trust)

    assert checks(report) == (["witnesses"] if back else [])
    assert report.verdict is verdict
    # An earlier range is confirmed by the later checkpoint.
    earlier = audit(city, tmp_path / "earlier", trust, to_index=size(city) - 1 - back)
    assert (earlier.failures, earlier.cosigned_by) == ((), (WITNESS,))


def test_a_whole_export_ends_where_witnesses_confirmed_the_log(
    city: City, node: Sender, tmp_path: Path
) -> None:
    city.submit(node.seal(batch(Slot())))
    confirmed, key = size(city), SigningKey.generate(post_quantum=True)
    cosigned(city, confirmed, key)
    city.submit(node.seal(batch(Slot(month=202602))))
    identity, engine = city.parts.identity, city.parts.engine
    trust = replace(Trust.of(identity.anchor), witnesses=(witness(WITNESS, key),), quorum=1)
    for quorum, end in ((1, confirmed), (2, confirmed + 1), (0, confirmed + 1)):
        out = tmp_path / f"bundle-{quorum}"
        report = export_audit(
            engine,
            identity,
            out,
            AuditRange(quorum=quorum),
            now=city.clock(),
            progress=no_progress,
        )
        assert report.to_index == end
    assert verify_bundle(tmp_path / "bundle-1", trust).verdict is Verdict.VALID


def test_a_range_is_proved_from_what_the_auditor_saw(
    city: City, node: Sender, tmp_path: Path
) -> None:
    first = size(city)
    with reading(city.parts.engine) as connection:
        root = log.frontier_before(connection, first).root()
    seen = Checkpoint(origin=city.parts.identity.anchor.log_origin, size=first, root=root)
    trust = replace(Trust.of(city.parts.identity.anchor), seen=(seen,))
    for month in (202601, 202602):
        city.submit(node.seal(batch(Slot(month=month))))

    unproved = audit(city, tmp_path / "unproved", trust, from_index=first + 1)
    proved = audit(city, tmp_path / "proved", trust, from_index=first + 1, prove_from=[first])

    assert checks(unproved) == ["seen_checkpoint"]
    assert proved.failures == ()
    with pytest.raises(AuditExportError, match="beyond the log"):
        audit(city, tmp_path / "beyond", trust, prove_from=[size(city) + 1])


def test_the_hubs_trust_file_names_what_an_auditor_relies_on(city: City, tmp_path: Path) -> None:
    found = AuditJobs(parts=city.parts).export_trust(
        {"file": str(tmp_path / "city.trust")}, no_progress
    )
    trust = load_trust([tmp_path / "city.trust"])
    assert trust.anchors == {city.parts.identity.hub: city.parts.identity.anchor}
    assert (found["witnesses"], found["quorum"], found["pack_root"]) == ([], 0, "")
