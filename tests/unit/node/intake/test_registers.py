"""Registers that arrive as tables with the columns of their kind, without a mapping file."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from node.domain.faults import Rule
from node.errors import MappingError
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m

CATALOG = load_catalog()
DEVICE = f"yixin-device://{m.HOSPITAL}/window/w3"
REGISTERS: dict[str, tuple[str, str]] = {
    "institution_profile": (
        "institution,level,beds,latitude_e6,longitude_e6,group_code,begins_at,ends_at",
        f"{m.HOSPITAL},05,120,37434012,118674000,G1,1995-01-01,",
    ),
    "agreement_status": (
        "institution,status,begins_at,ends_at",
        f"{m.HOSPITAL},suspended,2026/3/1,2026-04-01 00:00:00",
    ),
    "staff_qualification": (
        "institution,staff,status,begins_at,ends_at",
        f"{m.HOSPITAL},D330302000101,terminated,20260301,",
    ),
    "death": ("institution,person,died_at", f"{m.HOSPITAL},{m.PERSON},2026-03-28"),
    "benefit_freeze": (
        "institution,person,begins_at,ends_at,reason_code",
        f"{m.HOSPITAL},{m.PERSON},2026-03-01,,01",
    ),
    "approved_purchase": (
        "institution,person,item_code,begins_at,ends_at",
        f"{m.HOSPITAL},{m.PERSON},XL01EBJ096A001010100001,2026-01-01,2026-12-31",
    ),
    "identity_event": (
        "institution,person,mdtrt_id,at,place,result,score_e4,override_reason,staff",
        f"{m.HOSPITAL},{m.PERSON},,2026-03-18 09:10:00,window,mismatch,4312,老人,D330302000101",
    ),
    "duty_event": (
        "institution,staff,at,result,score_e4,threshold_e4,liveness,model,device",
        f"{m.HOSPITAL},D330302000101,2026-03-18 09:10:00,match,5120,4650,live,8cba0c9041fefd5a,",
    ),
}
VERIFIED = (
    f"{REGISTERS['identity_event'][0]},threshold_e4,liveness,model,reason_code,device",
    f"{REGISTERS['identity_event'][1]},4650,live,8cba0c9041fefd5a,proxy,{DEVICE}",
)


def take(store: NodeStore, path: Path, *lines: str, now: datetime = m.NOW) -> dict[str, int]:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return dict(ingest_file(store, CATALOG, path, now=now).records_stored)


@pytest.mark.parametrize("kind", REGISTERS)
def test_a_register_goes_in_by_its_header(store: NodeStore, tmp_path: Path, kind: str) -> None:
    header, row = REGISTERS[kind]

    assert take(store, tmp_path / "a.csv", header, row) == {kind: 1}

    (found,) = m.rows_of(store, kind)
    assert found["institution"] == m.HOSPITAL
    assert found["month"] == (202603 if kind in ("identity_event", "duty_event") else 202607)
    assert m.PERSON not in found["record_id"]
    assert "D330302000101" not in found["record_id"]
    assert take(store, tmp_path / "b.csv", header, row) == {}


def test_values_of_registers_are_those_of_their_cells(store: NodeStore, tmp_path: Path) -> None:
    for kind, lines in REGISTERS.items():
        take(store, tmp_path / f"{kind}.csv", *lines)

    (profile,) = m.rows_of(store, "institution_profile")
    assert (profile["level"], profile["beds"], profile["group_code"]) == ("05", 120, "G1")
    assert (profile["latitude_e6"], profile["longitude_e6"]) == (37_434_012, 118_674_000)
    assert (str(profile["begins_at"]), profile["ends_at"]) == ("1995-01-01 00:00:00", None)
    (agreed,) = m.rows_of(store, "agreement_status")
    assert (agreed["status"], str(agreed["begins_at"]), str(agreed["ends_at"])) == (
        *("suspended", "2026-03-01 00:00:00", "2026-04-01 00:00:00"),
    )
    (event,) = m.rows_of(store, "identity_event")
    assert (event["result"], event["place"], event["score_e4"], event["mdtrt_id"]) == (
        *("mismatch", "window", 4312, None),
    )


def test_an_exported_register_goes_in_again(store: NodeStore, tmp_path: Path) -> None:
    header, row = REGISTERS["death"]

    found = take(store, tmp_path / "a.csv", f"record_id,month,{header}", f"x:1,202601,{row}")

    assert found == {"death": 1}
    assert m.rows_of(store, "death")[0]["month"] == 202607


def test_what_a_terminal_verified_goes_in_again(store: NodeStore, tmp_path: Path) -> None:
    header, row = VERIFIED
    found = take(store, tmp_path / "a.csv", f"record_id,month,{header}", f"x:1,202601,{row}")
    assert found == {"identity_event": 1}
    (event,) = m.rows_of(store, "identity_event")
    assert (event["threshold_e4"], event["liveness"], event["reason_code"]) == (
        4650,
        "live",
        "proxy",
    )
    assert (event["model"], event["device"]) == (*("8cba0c9041fefd5a", DEVICE),)
    assert take(store, tmp_path / "b.csv", header, row) == {}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("proxy", "friend"), ("live", "alive"), ("4650", "0.465"), ("window", "roof")],
)
def test_a_word_that_no_terminal_says_is_refused(
    store: NodeStore, tmp_path: Path, wrong: str, right: str
) -> None:
    header, row = VERIFIED
    assert take(store, tmp_path / "a.csv", header, row.replace(f",{wrong},", f",{right},")) == {}


def test_a_register_is_known_by_its_columns_in_any_order(store: NodeStore, tmp_path: Path) -> None:
    line = f"2026-03-28,{m.PERSON},{m.HOSPITAL}"
    assert take(store, tmp_path / "a.csv", "died_at,person,institution", line) == {"death": 1}


def test_stated_anew_a_month_later_a_register_is_kept_on(store: NodeStore, tmp_path: Path) -> None:
    lines = REGISTERS["death"]
    take(store, tmp_path / "a.csv", *lines)

    later = take(store, tmp_path / "a.csv", *lines, now=m.NOW + timedelta(days=31))

    assert later == {"death": 1}
    assert [row["month"] for row in m.rows_of(store, "death")] == [202608]


def test_a_changed_end_is_a_new_version(store: NodeStore, tmp_path: Path) -> None:
    header, row = REGISTERS["staff_qualification"]
    take(store, tmp_path / "a.csv", header, row)

    take(store, tmp_path / "b.csv", header, f"{row}2026-06-30")

    (found,) = m.rows_of(store, "staff_qualification")
    assert str(found["ends_at"]) == "2026-06-30 00:00:00"


@pytest.mark.parametrize(
    ("kind", "row", "rule"),
    [
        ("agreement_status", f"{m.HOSPITAL},closed,2026-03-01,", Rule.CODE_UNKNOWN),
        ("agreement_status", f"{m.HOSPITAL},active,soon,", Rule.DATE_INVALID),
        ("agreement_status", f"{m.HOSPITAL},active,,", Rule.FIELD_MISSING),
        ("agreement_status", "H00000000000,active,2026-03-01,", Rule.INSTITUTION_UNKNOWN),
        ("institution_profile", f"{m.HOSPITAL},5,120,,,,2020-01-01,", Rule.CODE_UNKNOWN),
        ("institution_profile", f"{m.HOSPITAL},05,1.5,,,,2020-01-01,", Rule.FIELD_TYPE),
        ("institution_profile", f"{m.HOSPITAL},05,,37.43,,,2020-01-01,", Rule.FIELD_TYPE),
        ("death", f"{m.HOSPITAL},,2026-03-28", Rule.FIELD_MISSING),
        ("death", f"{m.HOSPITAL},{'9' * 300},2026-03-28", Rule.FIELD_TOO_LONG),
        (
            "identity_event",
            f"{m.HOSPITAL},{m.PERSON},,2027-01-01 00:00:00,window,match,,,",
            Rule.DATE_FUTURE,
        ),
        (
            "identity_event",
            f"{m.HOSPITAL},{m.PERSON},,2026-03-18 09:10:00,door,match,,,",
            Rule.CODE_UNKNOWN,
        ),
    ],
)
def test_a_faulty_row_is_refused_alone(
    store: NodeStore, tmp_path: Path, kind: str, row: str, rule: Rule
) -> None:
    header, good = REGISTERS[kind]

    assert take(store, tmp_path / "a.csv", header, row, good) == {kind: 1}

    (refused,) = store.quarantine_rows()
    assert refused.rule == rule
    assert m.PERSON not in refused.reason
    assert "9" * 30 not in refused.reason


@pytest.mark.parametrize(
    "header",
    [
        "institution,person",
        "institution,person,died_at,why",
        "institution,person,person,died_at",
        "a,b",
    ],
)
def test_any_other_header_needs_a_mapping(store: NodeStore, tmp_path: Path, header: str) -> None:
    with pytest.raises(MappingError, match="--mapping"):
        take(store, tmp_path / "a.csv", header, "1,2,3")
    assert store.counts().records == {}
