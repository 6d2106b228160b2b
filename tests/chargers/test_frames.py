"""The frame guard: whatever comes in becomes a checked frame or a typed refusal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargers.ocpp.frames import Call, CallError, CallResult, Refusal, read_frame

LIMIT = 65536


def read(text: str) -> object:
    return read_frame(text, max_bytes=LIMIT)


def test_a_request_is_read() -> None:
    assert read('[2,"1","Heartbeat",{}]') == Call("1", "Heartbeat", {})


def test_answers_are_read() -> None:
    assert read('[3,"1",{"status":"Accepted"}]') == CallResult("1", {"status": "Accepted"})
    assert read('[4,"1","NotSupported","no",{}]') == CallError("1", "NotSupported", "no")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "null",
        "7",
        "{}",
        "[]",
        '[2,"1"]',
        '[2,1,"Heartbeat",{}]',
        '[2,null,"Heartbeat",{}]',
        '[2,"","Heartbeat",{}]',
        json.dumps([2, "x" * 37, "Heartbeat", {}]),
        '[2,"a\\u0000b","Heartbeat",{}]',
        "[" * 100_00,
        "1" * 5000,
    ],
)
def test_what_has_no_readable_id_is_refused_without_one(text: str) -> None:
    refusal = read(text)

    assert isinstance(refusal, Refusal)
    assert refusal.unique_id is None


@pytest.mark.parametrize(
    "frame",
    [
        [5, "1", {}],
        [6, "1", "Action", {}],
        ["2", "1", "Heartbeat", {}],
        [True, "1", "Heartbeat", {}],
        [2, "1", "Heartbeat"],
        [2, "1", "Heartbeat", {}, {}],
        [2, "1", {"action": 1}, {}],
        [2, "1", "Heartbeat", []],
        [2, "1", "Heartbeat", None],
        [2, "1", "x" * 51, {}],
    ],
)
def test_a_malformed_request_with_an_id_can_be_answered(frame: list[object]) -> None:
    refusal = read(json.dumps(frame))

    assert isinstance(refusal, Refusal)
    assert refusal.unique_id == "1"


def test_a_malformed_answer_is_never_answered() -> None:
    for frame in ('[3,"1","x"]', '[3,"1",{},{}]', '[4,"1",2,"x",{}]'):
        assert read(frame) == Refusal("malformed answer")


def test_a_frame_above_the_limit_is_refused_by_its_bytes() -> None:
    text = json.dumps([2, "1", "DataTransfer", {"data": "ä" * 40_000}], ensure_ascii=False)

    assert len(text) < LIMIT
    assert read(text) == Refusal("larger than the limit")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ('{"data":"a\\u0000b"}', "FormationViolation"),
        ('{"data":"\\ud800"}', "FormationViolation"),
        ('{"data":NaN}', "FormationViolation"),
        ('{"data":1e400000}', "FormationViolation"),
        ('{"data":' + "9" * 5000 + "}", "FormationViolation"),
        ('{"data":9007199254740993}', "PropertyConstraintViolation"),
        ('{"data":1e26}', "PropertyConstraintViolation"),
        ('{"data":' + "[" * 900 + "]" * 900 + "}", "FormationViolation"),
        ('{"data":' + "[" * 2000 + "]" * 2000 + "}", "FormationViolation"),
        ('{"data":', "FormationViolation"),
    ],
)
def test_what_cannot_be_stored_is_named_and_replaced(payload: str, code: str) -> None:
    frame = read(f'[2,"1","DataTransfer",{payload}]')

    assert isinstance(frame, Call)
    assert frame.problem
    assert frame.problem_code == code
    stored = json.dumps(frame.payload, allow_nan=False)
    assert "\\u0000" not in stored
    assert "\\ud8" not in stored


def test_the_largest_exact_integer_passes() -> None:
    frame = read('[2,"1","DataTransfer",{"data":9007199254740992}]')

    assert isinstance(frame, Call)
    assert frame.problem == ""


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    read(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(json_values, max_size=6))
def test_no_json_list_raises_and_what_passes_can_be_stored(frame: list[object]) -> None:
    read_one = read(json.dumps(frame))

    if isinstance(read_one, Call):
        json.dumps(read_one.payload, allow_nan=False).encode()
