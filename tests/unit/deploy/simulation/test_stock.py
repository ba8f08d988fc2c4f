"""Every traced pack is bought before it is sold, and what is counted is what is left."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.simulation.city import Institution, build_city
from deploy.simulation.desk import Calendar
from deploy.simulation.price_list import DRUGS, SERVICES
from deploy.simulation.shelves import BATCH_PACKS, TRACED, Packs, Sale, Shelves
from deploy.simulation.stock_messages import TABLE_COLUMNS
from node.domain.institutions import Institution as Custody
from node.intake.mapping import load_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from scoring_kernel.check_digits import is_valid_id_card
from scoring_kernel.periods import Period
from tests.support.node_csv import ingest_csv
from tests.support.node_messages import ingest, open_store
from tests.unit.deploy.simulation.conftest import Written

MAPPING = Path(__file__).parents[4] / "deploy/examples/stock_table.mapping.yaml"
STOCK = {"3501": "invinfo", "3502": "invinfo", "3503": "purcinfo", "3506": "selinfo"}
SETTLED = "settled"


def movements(exchange: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """What an exchange says about packs: transaction, row, codes; refused attempts say nothing."""
    if exchange.get("response", {}).get("infcode", 0):
        return
    infno, content = exchange["infno"], exchange["request"]["input"]
    rows = content.get("selinfoDetail", [])
    if infno in STOCK:
        rows = [content[STOCK[infno]]]
    for row in rows:
        yield infno, row, [one["drug_trac_codg"] for one in row["drugtracinfo"]]
    if "drug_trac_info" in content:
        yield SETTLED, {}, [one["drug_trac_codg"] for one in content["drug_trac_info"]]


def histories(written: Written) -> dict[str, list[tuple[str, str, str]]]:
    """Moment, transaction and institution of all that happened to each pack, in order of time."""
    found: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for exchange in written.exchanges():
        request = exchange["request"]
        for what, _, codes in movements(exchange):
            for code in codes:
                found[code].append((request["inf_time"], what, request["fixmedins_code"]))
    return {code: sorted(told) for code, told in found.items()}


def test_a_pack_is_bought_first_sold_at_most_once_and_stays_at_its_institution(
    written: Written,
) -> None:
    known = histories(written)
    assert len(known) > 500
    for code, told in known.items():
        assert len(code) == 20
        assert code.isdecimal()
        assert code.startswith("8")
        names = [what for _, what, _ in told]
        assert (names[0], names.count("3503")) == ("3503", 1), told
        assert len({institution for _, _, institution in told}) == 1
        moved = [what for what in names[1:] if what != "3501"]
        assert tuple(moved) in {
            (), (SETTLED,), (SETTLED, "3506"), ("3505A",), ("3505A", "3506"), ("3502",),
        }, told  # fmt: skip


def test_what_is_counted_is_what_was_bought_and_is_not_gone(written: Written) -> None:
    known = histories(written)
    counts = [len([one for one in told if one[1] == "3501"]) for told in known.values()]
    assert set(counts) == {0, 1, 2}, "some are there at the end of both periods"
    for told in known.values():
        gone = [moment for moment, what, _ in told if what in {SETTLED, "3505A", "3502"}]
        back = [moment for moment, what, _ in told if what == "3506"]
        counted = {moment[:7] for moment, what, _ in told if what == "3501"}
        for month in ("2025-06", "2026-06"):
            here = told[0][0][:7] <= month
            here &= sum(one[:7] <= month for one in gone) <= sum(one[:7] <= month for one in back)
            assert (month in counted) == here, told


def test_quantities_agree_with_the_codes_and_the_manifest_with_both(written: Written) -> None:
    names = {"3501": "counted", "3502": "broken", "3503": "bought", "3506": "returned"}
    for period, stated in written.manifest["periods"].items():
        packs: Counter[str] = Counter()
        for exchange in written.exchanges(period):
            for what, row, codes in movements(exchange):
                packs[names.get(what, "sold")] += len(codes)
                for field in ("inv_cnt", "cnt", "purc_retn_cnt", "sel_retn_cnt"):
                    assert row.get(field, len(codes)) == len(codes)
                    assert len(set(codes)) == len(codes)
        for row in table(written):
            if row["发生时间"][:4] == period[:4]:
                name = {"采购": "bought", "报损": "broken", "盘点": "counted"}.get(row["业务"])
                packs[name or "returned"] += int(row["数量（盒）"])
        for name in names.values():
            assert packs[name] == stated[f"packs_{name}"] > 0, (period, name)
    first, last = written.manifest["periods"].values()
    moved = {
        name: first[f"packs_{name}"] + last[f"packs_{name}"]
        for name in ("bought", "sold", "returned", "broken")
    }
    left = moved["bought"] - moved["sold"] + moved["returned"] - moved["broken"]
    assert left == last["packs_counted"]


def test_a_settlement_names_the_packs_of_its_traced_lines_once(written: Written) -> None:
    traced = {item.national_code for item in TRACED}
    by_table = written.manifest["table"]["institution"]
    wanted: dict[str, int] = {}
    for exchange in written.exchanges():
        if exchange["infno"] == "2204" and exchange["request"]["fixmedins_code"] != by_table:
            # A line that is charged twice is handed out once.
            lines = {
                (line["med_list_codg"], line["fee_ocur_time"]): line
                for line in exchange["request"]["input"]["feedetail"]
                if line["med_list_codg"] in traced
            }
            wanted |= {one["feedetl_sn"]: one["cnt"] for one in lines.values()}
    found: Counter[str] = Counter()
    for exchange in written.exchanges():
        if exchange.get("response", {}).get("infcode", 0) == 0:
            named = exchange["request"]["input"].get("drug_trac_info", [])
            assert named == [] or exchange["request"]["fixmedins_code"] != by_table
            found.update(one["feedetl_sn"] for one in named)
    assert sum(found.values()) == sum(wanted.values()) > 0


def test_staff_are_told_with_numbers_that_nobody_has(written: Written) -> None:
    persons = {
        one["mdtrt_cert_no"]
        for exchange in written.exchanges()
        for one in exchange["request"]["input"].values()
        if isinstance(one, dict) and "mdtrt_cert_no" in one
    }
    codes: Counter[str] = Counter()
    numbers: dict[str, str] = {}
    for exchange in written.exchanges("2026H1"):
        if exchange["infno"] == "5102":
            assert "insuplc_admdvs" not in exchange["request"]
            for one in exchange["response"]["output"]["data"]:
                assert is_valid_id_card(one["certno"])
                assert one["certno"] >= "99"
                codes[one["prac_psn_code"]] += 1
                numbers[one["certno"]] = one["prac_psn_code"]
    subjects = written.manifest["subjects"]
    assert len(codes) == sum(subjects[name] for name in ("physician", "nurse", "pharmacist"))
    assert set(codes.values()) == {1}
    assert len(numbers) == len(codes)
    assert not numbers.keys() & persons


def test_every_institution_aligns_its_traced_drugs_once(written: Written) -> None:
    aligned = Counter(
        (
            exchange["request"]["fixmedins_code"],
            exchange["request"]["input"]["data"]["med_list_codg"],
        )
        for exchange in written.exchanges()
        if exchange["infno"] == "3301"
    )
    institutions = written.manifest["institutions"] + written.manifest["pharmacies"]
    assert len(aligned) == institutions * len(TRACED)
    assert set(aligned.values()) == {1}


def table(written: Written) -> list[dict[str, str]]:
    (path,) = (written.out / "tables").iterdir()
    with path.open(encoding="gb18030", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def taken(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeStore]:
    """A store that took in everything."""
    codes = [
        line.split(",")[0]
        for path in (written.out / "custody").iterdir()
        for line in path.read_text("utf-8").splitlines()[1:]
    ]
    with open_store(tmp_path_factory.mktemp("stock") / "node") as store:
        store.set_institutions([Custody(code=code) for code in codes])
        for path in sorted(written.out.glob("messages/*/*.jsonl")):
            assert ingest(store, path).quarantined == 0
        yield store


def test_everything_goes_in_and_becomes_records(written: Written, taken: NodeStore) -> None:
    records = taken.counts().records
    counts = Counter(exchange["infno"] for exchange in written.exchanges())
    sold = sum(
        len(exchange["request"]["input"]["selinfoDetail"])
        for exchange in written.exchanges()
        if exchange["infno"] == "3505A"
    )
    moved = sum(counts[infno] for infno in STOCK)
    assert records["stock_movement"] == moved + sold
    assert records["alignment"] == counts["3301"]
    assert records["trace_code"] > records["stock_movement"] > 0
    assert records["staff_member"] > 0


def test_the_table_goes_in_through_its_mapping(written: Written, taken: NodeStore) -> None:
    rows = table(written)
    assert len(rows) == written.manifest["table"]["rows"] > 20
    assert {row["业务"] for row in rows} >= {"采购", "报损", "盘点"}
    (path,) = (written.out / "tables").iterdir()
    assert b"\xef\xbb\xbf" not in path.read_bytes()[:3]
    report = ingest_csv(taken, path, load_mapping(MAPPING))
    assert (report.quarantined, report.records_stored) == (0, {"stock_movement": len(rows)})


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, int]] = []

    def bought(self, packs: Packs, second: int) -> None:
        self.said.append(("bought", len(packs.codes), second))

    def broken(self, packs: Packs, second: int) -> None:
        self.said.append(("broken", len(packs.codes), second))

    def counted(self, packs: Packs, second: int) -> None:
        self.said.append(("counted", len(packs.codes), second))

    def returned(self, packs: Packs, _sale: Sale, second: int) -> None:
        self.said.append(("returned", len(packs.codes), second))


@pytest.fixture
def pharmacy() -> Institution:
    return build_city(institutions=6, claims=60, seed=1).institutions[-1]


def test_a_shelf_gives_the_oldest_first_and_nobody_what_came_back(pharmacy: Institution) -> None:
    days = Period.parse("2026H1")
    calendar, told = Calendar(days.first_day, days.last_day), Told()
    shelves = Shelves(pharmacy)
    first = shelves.take(told, calendar, TRACED[0], count=BATCH_PACKS - 1, second=40_000)
    second = shelves.take(told, calendar, TRACED[0], count=2, second=2 * 86_400 + 40_000)
    assert told.said == [
        ("bought", BATCH_PACKS, 7 * 3600), ("bought", BATCH_PACKS, 2 * 86_400 + 7 * 3600),
    ]  # fmt: skip
    assert [len(packs.codes) for packs in second] == [1, 1], (
        "the rest of the first batch goes first"
    )
    shelves.put_back(first[0])
    third = shelves.take(told, calendar, TRACED[0], count=3, second=3 * 86_400)
    assert not {*first[0].codes} & {code for packs in third for code in packs.codes}
    for item in (SERVICES[0], DRUGS[len(TRACED)]):
        assert shelves.take(told, calendar, item, count=1, second=0) == []


def test_a_count_finds_what_came_back_too(pharmacy: Institution) -> None:
    city = build_city(institutions=6, claims=60, seed=1)
    days = Period.parse("2026H1")
    calendar, told = Calendar(days.first_day, days.last_day), Told()
    shelves = Shelves(pharmacy)
    taken = shelves.take(told, calendar, TRACED[1], count=BATCH_PACKS, second=0)
    shelves.close(city, told, calendar, ordinal=0)
    assert [one[0] for one in told.said] == ["bought"], "an empty batch is not counted"
    shelves.put_back(taken[0])
    shelves.close(city, told, calendar, ordinal=0)
    assert told.said[-1][:2] == ("counted", BATCH_PACKS)


def test_the_columns_of_the_table_are_those_of_its_mapping() -> None:
    mapping = load_mapping(MAPPING, load_catalog())
    assert mapping.table_columns == set(TABLE_COLUMNS)
