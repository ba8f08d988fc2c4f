"""Prechecks over a live state made of facts, with clocks that tests hold."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

import orjson
import pyarrow as pa

from node.api.his.own_faults import place_of
from node.api.his.prechecks import PreCheck, PreChecks
from node.domain.records import record_schemas
from node.intake.group import latest_moment
from node.intake.messages import Envelope
from node.store.live_reader import LiveReader
from node.store.live_state import LiveWriter
from node.store.news import Mark
from node.supervision.judging import Judging
from node.supervision_settings import SupervisionSettings
from scoring_kernel import load_catalog
from scoring_kernel.rules import RuleBook, load_rules
from security.at_rest import Vault
from tests.support.node_messages import HOSPITAL, NOW, PHARMACY, VAULT_KEY
from tests.support.rule_facts import EVER, Facts, RuleFacts, moment, short_code

__all__ = ["Checks", "Ticks", "book", "encounter", "knowledge_json", "order", "request"]

FEMALE_DRUG: Final = "ZD03AAA0043010100166"


@cache
def book() -> RuleBook:
    """The packaged rules."""
    return load_rules()


@dataclass(slots=True)
class Ticks:
    """Seconds that a test lets pass, by itself or with every look."""

    now: float = 0.0
    step: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def knowledge_json(given: Mapping[str, list[Facts]]) -> bytes:
    """Knowledge as the daemon puts it into the live state."""
    body = {}
    for name, table in book().knowledge.items():
        rows: list[Facts] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        if name in given:
            rows = [{"begins_at": EVER, **row} for row in given[name]]
        body[name] = {
            "columns": list(table.columns),
            "rows": [[_plain(row.get(column)) for column in table.columns] for row in rows],
        }
    return orjson.dumps(body)


def _plain(cell: Any) -> Any:  # noqa: ANN401 - a cell of any column
    if hasattr(cell, "year"):
        return int((moment(cell) - moment("1970-01-01")).total_seconds())
    return cell


class Checks:
    """Prechecks over facts; a context manager."""

    def __init__(
        self,
        directory: Path,
        facts: RuleFacts | None = None,
        *,
        settings: SupervisionSettings | None = None,
        ticks: Callable[[], float] | None = None,
        is_fed: bool = True,
    ) -> None:
        self.ticks = ticks or Ticks()
        vault = Vault(VAULT_KEY)
        self.writer = LiveWriter(directory, vault)
        schemas = record_schemas(load_catalog().records)
        held = facts or RuleFacts()
        held.settle()
        self.writer.apply(
            [
                (kind, pa.Table.from_pylist(rows, schemas[kind]))
                for kind, rows in held.records.items()
            ],
            Mark(size=1, staged=1),
        )
        self.writer.note_knowledge(b"1", knowledge_json(held.knowledge))
        if is_fed:
            self.writer.note_fed(1)
        self.reader = LiveReader(directory, vault)
        self.judging = Judging(
            book(),
            self.reader,
            settings or SupervisionSettings(),
            ticks=self.ticks,
            place_of=place_of,
        )
        catalog = load_catalog()
        self.checks = PreChecks(
            self.judging,
            catalog.legal_basis,
            lambda: Envelope(
                transactions=catalog.transactions,
                institutions=frozenset((HOSPITAL, PHARMACY)),
                latest=latest_moment(NOW),
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.writer.close()

    def ask(self, asked: Mapping[str, Any]) -> PreCheck:
        """Ask; the call has a head of this node."""
        body = orjson.dumps(asked)
        answer = self.checks.find_answer(orjson.loads(body), body)
        assert answer is not None
        return answer

    def rules(self, asked: Mapping[str, Any]) -> list[str]:
        """Rules that were hit."""
        return [one["rule_id"] for one in self.ask(asked).output["result"]]


@dataclass(slots=True, kw_only=True)
class _Numbers:
    last: int = 0


_NUMBERS: Final = _Numbers()


def order(**changes: object) -> dict[str, Any]:
    """One order."""
    return {
        "rx_id": "RX1",
        "rxno": "RX1",
        "hilist_type": "101",
        "chrg_type": "09",
        "hilist_code": "XC08CAA001A001010100001",
        "hilist_name": "示例降压片",
        "hilist_lv": "01",
        "cnt": 1,
        "pric": 25.0,
        "sumamt": 25.0,
        "ownpay_amt": 0,
        "selfpay_amt": 0,
        "drord_begn_date": "2026-03-18 09:30:00",
        "drord_dr_codg": "D330302000101",
        "curr_drord_flag": "1",
        **changes,
    }


def encounter(*orders: Mapping[str, Any], **changes: object) -> dict[str, Any]:
    """One encounter."""
    return {
        "mdtrt_id": "330302G0000000100001",
        "medins_id": HOSPITAL,
        "medins_lv": "05",
        "adm_date": "2026-03-18 09:10:00",
        "dscg_date": "2026-03-18 09:50:00",
        "dscg_main_dise_codg": "I10.x00x002",
        "dr_codg": "D330302000101",
        "med_type": "11",
        "hifp_payamt": 66.92,
        "insutype": "310",
        "fsi_diagnose_dtos": [{"maindise_flag": "1", "dise_codg": "I10.x00x002"}],
        "fsi_order_dtos": [dict(one) for one in orders],
        **changes,
    }


def request(
    *encounters: Mapping[str, Any],
    infno: str = "3101",
    trigger: str = "2",
    person: str = short_code("P1"),
    gender: str = "1",
    data: Mapping[str, Any] | None = None,
    **head: object,
) -> dict[str, Any]:
    """One call; every call has a msgid of its own."""
    _NUMBERS.last += 1
    institution = str(head.get("fixmedins_code", HOSPITAL))
    stated = {
        "syscode": "EDGE",
        "task_id": "T1",
        "trig_scen": trigger,
        "rule_ids": [],
        "patient_dtos": [
            {
                "patn_id": person,
                "patn_name": "张示例",
                "gend": gender,
                "brdy": "1958-03-12",
                "curr_mdtrt_id": "330302G0000000100001",
                "fsi_encounter_dtos": [dict(one) for one in encounters],
            }
        ],
        **(data or {}),
    }
    return copy.deepcopy(
        {
            "infno": infno,
            "msgid": f"{institution}20260318095039{_NUMBERS.last:04d}",
            "mdtrtarea_admvs": "330302",
            "recer_sys_code": "EDGE",
            "infver": "V1.0",
            "opter_type": "1",
            "opter": "1001",
            "opter_name": "收费员甲",
            "inf_time": "2026-03-18 09:50:39",
            "fixmedins_code": institution,
            "fixmedins_name": "温州示例医院",
            "input": {"data": stated},
            **head,
        }
    )
