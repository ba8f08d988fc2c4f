import json
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.his import UNIFORM_PATH
from node.api.his.screening import Call, Screened, Screening, body_text
from node.api.his.signatures import Signers
from node.domain.faults import Rule
from node.intake.lines import MAX_LINE_BYTES
from tests.support.interface_server import PATHS
from tests.support.node_messages import NOW, envelope, settlement

SCREENING: Final = Screening(PATHS, Signers({}), answers_own=True)
REQUEST: Final = envelope("2207", 1, {"data": {"psn_name": "张示例"}})


def screened(body: bytes, path: str = UNIFORM_PATH, content_type: str = "") -> Screened:
    return SCREENING.screen(
        7, Call(path=path, body=body, content_type=content_type, received_at=NOW)
    )


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (orjson.dumps(REQUEST), "application/json"),
        (b"\xef\xbb\xbf" + orjson.dumps(REQUEST) + b"\r\n", "application/json;charset=UTF-8"),
        (orjson.dumps(REQUEST).decode().encode("gb18030"), "application/json; charset=GBK"),
        (orjson.dumps(REQUEST).decode().encode("gb18030"), "application/json"),
        (orjson.dumps(REQUEST), 'text/plain; charset="GB2312'),
    ],
)
def test_every_encoding_comes_to_the_same_line(body: bytes, content_type: str) -> None:
    line = screened(body, content_type=content_type).line
    is_misnamed = b"GB2312" in content_type.encode()
    assert line.number == 7
    assert line.fault is None
    assert is_misnamed or orjson.loads(line.body) == REQUEST


@pytest.mark.parametrize(
    "path", [UNIFORM_PATH, "/fsi/api/outpatientSettleService/saveSettletmentV2"]
)
def test_a_transaction_is_taken_at_its_own_path_and_at_the_uniform_one(path: str) -> None:
    assert path == UNIFORM_PATH or "2207" in PATHS[path]
    assert screened(orjson.dumps(REQUEST), path).line.fault is None
    assert screened(orjson.dumps(settlement(1)), path).line.fault is None


@pytest.mark.parametrize("infno", ["3101", "2207"])
def test_what_is_too_deep_to_be_written_is_a_fault_of_the_message(infno: str) -> None:
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    body = orjson.dumps({**REQUEST, "infno": infno, "signtype": "RSA", "cainfo": "AAAA"})
    body = body.replace(b'{"psn_name":', b'{"deep":' + deep + b',"psn_name":')
    signers = Signers({REQUEST["fixmedins_code"]: ("RSA", lambda _signature, _text: True)})
    for screening in (SCREENING, Screening(PATHS, signers, answers_own=True)):
        call = Call(path=UNIFORM_PATH, body=body, content_type="", received_at=NOW)
        found = screening.screen(7, call)
        is_written = infno == "3101" or screening is not SCREENING
        fault = found.line.fault
        assert (fault is not None and fault.rule is Rule.MESSAGE_SHAPE) == is_written
        assert (found.line.body, found.own) == (body, "")


def test_another_path_is_refused() -> None:
    fault = screened(orjson.dumps(REQUEST), "/fsi/api/riskConService/beforeAnalyze").line.fault
    assert fault is not None
    assert fault.rule is Rule.INFNO_MISMATCH
    assert fault.reason == "request.infno is 2207, expected 3101 at this path"


@pytest.mark.parametrize("infno", ["3101", "3102", "3103"])
def test_an_own_transaction_is_the_same_message_when_it_is_repeated(infno: str) -> None:
    body = orjson.dumps(envelope(infno, 1, {"data": {}}))
    first, second = screened(body), screened(body)
    assert first.own == infno
    assert first.line.body == second.line.body
    assert orjson.loads(first.line.body)["response"]["infcode"] == 0


def test_only_bare_requests_of_own_transactions_are_answered_here() -> None:
    request = envelope("3101", 1, {"data": {}})
    answered = orjson.dumps({"infno": "3101", "request": request, "response": {"infcode": 0}})
    assert screened(answered).own == ""
    mirror = Screening(PATHS, Signers({}), answers_own=False)
    call = Call(path="/", body=orjson.dumps(request), content_type="", received_at=NOW)
    assert mirror.screen(1, call).own == ""


def test_a_body_that_is_too_long_is_not_kept() -> None:
    line = screened(b"x" * (MAX_LINE_BYTES + 1)).line
    assert line.fault is not None
    assert line.fault.rule is Rule.LINE_TOO_LONG
    assert line.body == b""


JSON: Final[st.SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["infno", "request", "response", "input", "msgid", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    path=st.sampled_from([UNIFORM_PATH, *PATHS]) | st.text(max_size=20),
    content_type=st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60),
)
def test_any_bytes_become_a_line(body: bytes, path: str, content_type: str) -> None:
    assert screened(body, path, content_type).line.number == 7


@given(text=st.text(min_size=1, max_size=50))
def test_a_named_encoding_is_believed(text: str) -> None:
    named = text.encode("gb18030", "replace")
    assert body_text(named, "text/json; charset=gb18030").decode() == named.decode("gb18030")
