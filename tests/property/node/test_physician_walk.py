"""A doctor's work as measured is what a walk through the messages in their order leaves."""

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m

PHYSICIANS = load_catalog().measure_sets["physician"]
DOCTORS = ("D330302000101", "D330302000102", "0101")
DRUG, IMAGE = "XC08CAA001A001010100001", f"00210100001{'0' * 4}"
MONTHS = (202602, 202603)
Row = tuple[int, str, int, int, int, int]
"""Month, physician, visits, fen, fen of drugs, fen of examinations."""


@dataclass(slots=True, kw_only=True)
class Upload:
    """One line as the platform has it."""

    batch: str | None
    doctor: str
    code: str
    fen: int
    settled_by: set[str] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Visit:
    """What the messages so far left of one visit."""

    uploads: dict[str, list[Upload]] = field(default_factory=lambda: defaultdict(list))
    """Of each line, what stands: one upload, or none after it was withdrawn."""
    bills: dict[str, int] = field(default_factory=dict)
    """Month of every settlement there was."""
    standing: set[str] = field(default_factory=set)
    """Settlements that were not taken back."""
    cancelled: bool = False


steps = st.tuples(
    st.sampled_from(("upload", "upload", "upload", "settle", "settle", "reverse", "line", "batch",
                     "all", "lines", "cancel")),
    st.sampled_from(("V1", "V2")),
    st.sampled_from(("F1", "F2", "F3")),
    st.sampled_from((None, "B1", "B2")),
    st.sampled_from(DOCTORS),
    st.sampled_from((DRUG, IMAGE)),
    st.sampled_from((-100, 100, 200, 400)),
    st.sampled_from(MONTHS),
)  # fmt: skip
Step = tuple[str, str, str, str | None, str, str, int, int]


def _batch(step: Step) -> str | None:
    """Batch of an uploaded line: refunds go up by 2301 only, which has none."""
    return step[3] if step[6] > 0 else None


def _message(number: int, step: Step, bills: Sequence[str]) -> m.Document:
    """Write a step as a message; its number orders it."""
    kind, visit, line, batch, doctor, code, fen, month = step
    if kind == "upload":
        batch = _batch(step)
        document = m.fees(number, lines=1, infno="2204" if batch else "2301")
        (detail,) = document["request"]["input"]["feedetail"]
        detail.update(feedetl_sn=line, mdtrt_id=visit, bilg_dr_codg=doctor, med_list_codg=code)
        detail.update(det_item_fee_sumamt=fen / 100, init_feedetl_sn="F0")
        detail.update({"chrg_bchno": batch} if batch else {})
        document["response"]["output"] = {}
        return document
    if kind == "settle":
        day = f"{month // 100}-{month % 100:02d}-10 10:00:00"
        request: dict[str, Any] = {"mdtrt_id": visit, "chrg_bchno": batch or ""}
        return m.settlement(number, request=request, response={"setl_time": day})
    if kind == "reverse":
        document = m.reversal(number, bills[-1])
        document["request"]["input"]["data"]["mdtrt_id"] = visit
        return document
    if kind == "cancel":
        return m.cancellation(number, "2404", mdtrt_id=visit)
    if kind in {"line", "lines"}:
        return m.withdrawal(number, *([line] if kind == "line" else []), visit=visit)
    named = [batch] if kind == "batch" and batch else []
    return m.withdrawal(number, *named, visit=visit, infno="2205")


def _take(visit: Visit, number: int, step: Step) -> None:
    """Do to a visit what the platform does."""
    kind, _, line, batch, doctor, code, fen, month = step
    if kind == "upload":
        upload = Upload(batch=_batch(step), doctor=doctor, code=code, fen=fen)
        visit.uploads[line].append(upload)
    elif kind == "settle":
        setl_id = f"330302G{number:013d}"
        visit.bills[setl_id] = month
        visit.standing.add(setl_id)
        for upload in (one for uploads in visit.uploads.values() for one in uploads):
            if not batch or not upload.batch or batch == upload.batch:
                upload.settled_by.add(setl_id)
    elif kind == "reverse":
        visit.standing.discard(list(visit.bills)[-1])
    elif kind == "cancel":
        visit.cancelled = True
    else:
        for name, uploads in visit.uploads.items():
            visit.uploads[name] = [
                upload
                for upload in uploads
                if upload.settled_by & visit.standing
                or (kind == "line" and name != line)
                or (kind == "batch" and batch and upload.batch != batch)
            ]


def _left(visits: Sequence[Visit]) -> list[Row]:
    """Count what stands at the end."""
    rows: dict[tuple[int, str], list[int]] = {}
    for visit in visits:
        if visit.cancelled or not visit.standing:
            continue
        month = min(visit.bills.values())
        lines = [uploads[-1] for uploads in visit.uploads.values() if uploads]
        for doctor in {line.doctor for line in lines if line.doctor[0] == "D"}:
            own = [line for line in lines if line.doctor == doctor]
            total = rows.setdefault((month, doctor), [0, 0, 0, 0])
            total[0] += sum(line.fen for line in own) > 0
            total[1] += sum(line.fen for line in own)
            total[2] += sum(line.fen for line in own if line.code == DRUG)
            total[3] += sum(line.fen for line in own if line.code == IMAGE)
    return sorted((*key, *total) for key, total in rows.items())  # type: ignore[misc]


def _measured(store: NodeStore) -> list[Row]:
    rows = store.measure_rows(PHYSICIANS).to_pylist()
    assert all(row["centi_visits"] == 100 * row["visits"] for row in rows)
    return [
        (row["month"], row["subject"], row["visits"], row["amount_fen"], row["drug_fen"],
         row["examination_fen"])
        for row in rows
    ]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), walk=st.lists(steps, min_size=3, max_size=14))
def test_what_is_measured_is_what_a_walk_through_the_messages_leaves(
    data: st.DataObject, walk: list[Step]
) -> None:
    visits: dict[str, Visit] = defaultdict(Visit)
    documents: list[m.Document] = []
    reversals: list[m.Document] = []
    for number, step in enumerate(walk, start=1):
        visit = visits[step[1]]
        bills = list(visit.bills)
        if step[0] == "reverse" and (not bills or bills[-1] not in visit.standing):
            continue
        if step[0] == "upload" and visit.uploads[step[2]]:
            # The platform refuses a line's number (feedetl_sn) that the visit has already.
            continue
        (reversals if step[0] == "reverse" else documents).append(_message(number, step, bills))
        _take(visit, number, step)
    # A reversal needs its settlement; everything else may come in any order.
    shuffled = [*data.draw(st.permutations(documents)), *reversals]
    half = data.draw(st.integers(0, len(shuffled)))
    with tempfile.TemporaryDirectory() as folder, m.open_store(Path(folder) / "node") as store:
        for part in filter(None, (shuffled[:half], shuffled[half:])):
            report = m.ingest_documents(store, Path(folder) / "a.jsonl", part)
            assert report.quarantined == 0
        assert _measured(store) == _left(list(visits.values()))
