"""A pre-check at the till: a prescription is asked about (3101), the warning answered (3103).

The prescription is of a doctor whom nobody registered at the hospital: warning W03.
"""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import httpx
import orjson

from deploy.demo.till import Call
from deploy.errors import DemoError
from node.api.his import UNIFORM_PATH

_CALL_S: Final = 30.0
_JUDGED_S: Final = 30.0
_POLL_S: Final = 0.2
_STRANGER: Final = "D330302999999"
_CHANGED: Final = "2"
"""Way of dealing with a warning (处理方式): sent back and changed."""
_PRESCRIBED: Final = "2"
"""Scene of 3101: 门诊处方."""
_BEFOREHAND: Final = "1"


async def precheck(like: Call, url: str) -> dict[str, str]:
    """Ask before a prescription, and tell that it was changed.

    Args:
        like: A call of the day, whose head is taken over.
        url: Address of the node's own interface.

    Returns:
        ``warning``, ``warning_words``, ``warning_answer`` and ``feedback``; empty where there is
        no warning.

    Raises:
        DemoError: The node cannot be reached, or does not judge in time.
    """
    head = orjson.loads(like.request)
    told = {"warning": "", "warning_words": "", "warning_answer": "", "feedback": "none"}
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_CALL_S) as client:
            answer = await until_judged(
                client,
                (_call(head, "3101", f"{attempt:04d}", _question(head)) for attempt in count(1)),
            )
            result = answer.get("output", {}).get("result", [])
            if not result:
                return told
            first = result[0]
            feedback = {
                "warn_type": _BEFOREHAND,
                "warns": [
                    {"warn_rslt_id": one["jr_id"], "dspo_way": _CHANGED, "dspo_way_rea": ""}
                    for one in result
                ],
            }
            taken = await _ask(client, _call(head, "3103", "0000", {"data": feedback}))
    except httpx.HTTPError as error:
        raise DemoError(f"the node at {url} does not answer: {error}") from error
    return {
        "warning": str(first["warn_id"]),
        "warning_words": str(first["vola_cont"]),
        "warning_answer": str(first["answer"]),
        "feedback": "accepted" if taken.get("infcode") == 0 else str(taken.get("err_msg")),
    }


async def until_judged(client: httpx.AsyncClient, questions: Iterator[bytes]) -> dict[str, Any]:
    """Ask until the node has read all it holds: what was not judged whole is said in words.

    Args:
        client: Line to the node's own interface.
        questions: The same question again and again, each with an id of its own.

    Returns:
        The last answer.

    Raises:
        HTTPError: The node cannot be reached.
    """
    begun = time.monotonic()
    while True:
        answer = await _ask(client, next(questions))
        if not answer.get("err_msg") or time.monotonic() - begun > _JUDGED_S:
            return answer
        await asyncio.sleep(_POLL_S)


async def _ask(client: httpx.AsyncClient, call: bytes) -> dict[str, Any]:
    answer = orjson.loads((await client.post(UNIFORM_PATH, content=call)).content)
    return answer if isinstance(answer, dict) else {}


def _call(head: dict[str, Any], infno: str, number: str, content: dict[str, Any]) -> bytes:
    """Give a call the head of another one of the same till, and an id of its own."""
    stem = str(head["msgid"])[:-5]
    call = {**head, "infno": infno, "msgid": f"{stem}9{number}", "input": content}
    return orjson.dumps(call)


def _question(head: dict[str, Any]) -> dict[str, Any]:
    """Write what is to be prescribed."""
    code, moment = head["fixmedins_code"], head["inf_time"]
    visit = f"{head['mdtrtarea_admvs']}P0000000000001"
    order = {
        "rx_id": visit, "rxno": visit, "long_drord_flag": "0",
        "hilist_code": "001101000010000", "hilist_name": "仿真诊察费", "drord_begn_date": moment,
        "cnt": 1, "pric": 10.0, "sumamt": 10.0, "ownpay_amt": 0, "selfpay_amt": 0,
        "curr_drord_flag": "1", "drord_dr_codg": _STRANGER,
    }  # fmt: skip
    encounter = {
        "mdtrt_id": visit, "medins_id": code, "medins_name": head["fixmedins_name"],
        "med_type": "11", "insutype": "310", "adm_date": moment, "dr_codg": _STRANGER,
        "dscg_main_dise_codg": "I10.x00", "days_rinp_flag_31": "0", "medfee_sumamt": 10.0,
        "hifp_payamt": 0.0,
        "fsi_diagnose_dtos": [{"dise_id": "1", "maindise_flag": "1", "dise_codg": "I10.x00"}],
        "fsi_order_dtos": [order],
    }  # fmt: skip
    patient = {
        "patn_id": f"{head['mdtrtarea_admvs']}99999999999999999999", "patn_name": "例仿真",
        "gend": "1", "brdy": "1981-01-01", "curr_mdtrt_id": visit,
        "fsi_encounter_dtos": [encounter],
    }  # fmt: skip
    data = {
        "syscode": "HIS", "task_id": f"T{visit}", "trig_scen": _PRESCRIBED,
        "patient_dtos": [patient],
    }  # fmt: skip
    return {"data": data}
