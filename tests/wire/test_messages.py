"""What an engine says to its screens, byte for byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import OtherProtocol
from station.live import (
    Alarm,
    Counts,
    Earlier,
    LineState,
    LineView,
    LogLine,
    RecipeView,
    ShiftView,
    SlotState,
    SlotView,
    StepView,
)
from station.model import Failure, Outcome, StepOutcome
from station.wire import (
    Answer,
    Beat,
    Hello,
    LineChanged,
    Logged,
    Message,
    Refusal,
    SlotChanged,
    Snapshot,
    Transcript,
    message_line,
    parse_message,
)

FAILED = SlotView(
    slot="A3",
    state=SlotState.DONE,
    since_utc_us=1,
    port_path="1-1.4",
    usb_id="2c7c:0125",
    imei="861000000000009",
    serial="S1",
    chip_serial="0a1b2c3d",
    model="EC25",
    sku="EFAR",
    firmware_before="R00",
    firmware="R01",
    recipe="r1",
    version="V2",
    attempt_id="id1",
    attempt=2,
    attempts=3,
    began_utc_us=2,
    ended_utc_us=3,
    step="write",
    done_bytes=4,
    total_bytes=5,
    bytes_per_s=6,
    put_back_until_utc_us=10,
    steps=(StepView("probe", StepOutcome.OK, 7, "d"), StepView("write")),
    outcome=Outcome.FAIL,
    failure=Failure("P103", "NAK", "why", "what", True, Outcome.FAIL),
    earlier=Earlier(Outcome.PASS, "A1", 8, "R00"),
)
ARMED = LineView(
    state=LineState.ARMED,
    operator="maria",
    recipes=(RecipeView("r1", 3, "ab", ("EFAR",), "V2", "p"),),
    label="tray",
    target=50,
    counts=Counts(3, 4, 2),
    expected=8,
    alarms=(Alarm("L610", "UNKNOWN PORT", "c", "r", 9),),
    lot="PO-77",
    shift=ShiftView("maria", 4, "operator", waits_for_golden=True),
    campaign="nightly",
)

MESSAGES: list[tuple[Message, bytes]] = [
    (
        Hello(1, "st", "lab", "0.1", "e1", (("A1", "A2"), ("B1",)), True),
        b'{"protocol":1,"station":"st","site":"lab","software":"0.1","engine":"e1",'
        b'"rows":[["A1","A2"],["B1"]],"hands":true,"type":"hello"}\n',
    ),
    (Answer("7"), b'{"id":"7","refused":null,"data":{},"type":"answer"}\n'),
    (
        Answer(None, Refusal("R309", "BAD COMMAND", "c", "r")),
        b'{"id":null,"refused":{"code":"R309","headline":"BAD COMMAND","cause":"c","remedy":"r"},'
        b'"data":{},"type":"answer"}\n',
    ),
    (
        Answer("8", None, {"recipes": [{"name": "r1"}]}),
        b'{"id":"8","refused":null,"data":{"recipes":[{"name":"r1"}]},"type":"answer"}\n',
    ),
    (
        Snapshot(1, 2, ARMED, (SlotView("A1", SlotState.NO_USB, 1),), (LogLine(1, "é\n", "A1"),)),
        b'{"seq":1,"utc_us":2,"line":{"state":"armed","operator":"maria","recipes":[{"name":"r1",'
        b'"revision":3,"sha256":"ab","sku":["EFAR"],"version":"V2","package":"p"}],'
        b'"label":"tray","target":50,"counts":{"good":3,"first":4,"first_pass":2},"expected":8,'
        b'"alarms":[{"code":"L610","headline":"UNKNOWN PORT","cause":"c","remedy":"r",'
        b'"since_utc_us":9}],"lot":"PO-77","shift":{"operator":"maria","since_utc_us":4,'
        b'"role":"operator","waits_for_golden":true},"campaign":"nightly"},"slots":[{"slot":"A1","state":"no_usb","since_utc_us":1,'
        b'"port_path":null,"usb_id":null,"imei":null,"serial":null,"chip_serial":null,'
        b'"model":null,"sku":null,"firmware_before":null,"firmware":null,"recipe":null,'
        b'"version":null,'
        b'"attempt_id":null,"attempt":1,"attempts":1,"began_utc_us":null,"ended_utc_us":null,"step":null,"done_bytes":0,'
        b'"total_bytes":0,"bytes_per_s":0,"put_back_until_utc_us":null,"steps":[],"outcome":null,"failure":null,'
        b'"earlier":null}],"log":[{"utc_us":1,"text":"\\u00e9\\n","slot":"A1","good":null}],'
        b'"type":"snapshot"}\n',
    ),
    (
        SlotChanged(2, FAILED),
        b'{"seq":2,"slot":{"slot":"A3","state":"done","since_utc_us":1,"port_path":"1-1.4",'
        b'"usb_id":"2c7c:0125","imei":"861000000000009","serial":"S1","chip_serial":"0a1b2c3d",'
        b'"model":"EC25","sku":"EFAR","firmware_before":"R00","firmware":"R01","recipe":"r1",'
        b'"version":"V2",'
        b'"attempt_id":"id1","attempt":2,"attempts":3,"began_utc_us":2,"ended_utc_us":3,"step":"write","done_bytes":4,'
        b'"total_bytes":5,"bytes_per_s":6,"put_back_until_utc_us":10,"steps":[{"name":"probe","outcome":"OK",'
        b'"duration_us":7,"detail":"d"},{"name":"write","outcome":null,"duration_us":null,'
        b'"detail":""}],"outcome":"FAIL","failure":{"code":"P103","headline":"NAK",'
        b'"cause":"why","remedy":"what","retryable":true,"outcome":"FAIL"},'
        b'"earlier":{"outcome":"PASS","slot":"A1","ended_utc_us":8,"firmware":"R00"}},'
        b'"type":"slot"}\n',
    ),
    (
        LineChanged(3, LineView(LineState.DISARMED)),
        b'{"seq":3,"line":{"state":"disarmed","operator":null,"recipes":[],"label":null,'
        b'"target":null,"counts":{"good":0,"first":0,"first_pass":0},"expected":0,"alarms":[],'
        b'"lot":null,"shift":null,"campaign":null},'
        b'"type":"line"}\n',
    ),
    (
        Logged(4, (LogLine(1, "t"),)),
        b'{"seq":4,"lines":[{"utc_us":1,"text":"t","slot":null,"good":null}],"type":"log"}\n',
    ),
    (
        Transcript(5, "A3", (LogLine(1, "t", "A3", False),), anew=True),
        b'{"seq":5,"slot":"A3","lines":[{"utc_us":1,"text":"t","slot":"A3","good":false}],'
        b'"anew":true,"type":"transcript"}\n',
    ),
    (Beat(6, 7), b'{"seq":6,"utc_us":7,"type":"beat"}\n'),
]


@pytest.mark.parametrize(("message", "line"), MESSAGES)
def test_each_message_is_these_bytes_and_back(message: Message, line: bytes) -> None:
    assert message_line(message) == line
    assert parse_message(line) == message


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "the line: Invalid JSON"),
        (b"[]", "the line: Input should be"),
        (b'{"type":"weather"}', "the line: Input tag 'weather'"),
        (b'{"type":"beat","seq":1}', "beat.utc_us: Field required"),
        (b'{"type":"log","seq":1,"lines":[{"utc_us":"x","text":"t"}]}', "log.lines.0.utc_us: "),
        (b'{"seq":1,"utc_us":2,"type":"beat"', "the line: Invalid JSON"),
    ],
)
def test_what_is_unknown_names_its_place(line: bytes, complaint: str) -> None:
    with pytest.raises(OtherProtocol) as refusal:
        parse_message(line)
    assert refusal.value.cause.startswith(f"the engine sent something unknown: {complaint}")


@pytest.mark.parametrize("number", [b"1e9991", b"-1e9991", b"NaN"])
def test_a_number_without_end_is_refused(number: bytes) -> None:
    line = b'{"id":"1","refused":null,"data":{"rows":[' + number + b']},"type":"answer"}'
    with pytest.raises(OtherProtocol, match=r"something unknown: answer\.data: "):
        parse_message(line)


def test_a_newer_engine_may_say_more() -> None:
    assert parse_message(b'{"seq":6,"utc_us":7,"type":"beat","mood":"good"}') == Beat(6, 7)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_other_line_is_refused_in_words(line: bytes) -> None:
    with pytest.raises(OtherProtocol):
        parse_message(line)


@given(
    st.sampled_from(MESSAGES),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4)), min_size=1, max_size=3),
)
def test_a_damaged_line_is_a_message_or_refused(
    message: tuple[Message, bytes], wounds: list[tuple[int, bytes]]
) -> None:
    line = bytearray(message[1])
    for place, damage in wounds:
        place %= len(line)
        line[place : place + len(damage)] = damage
    try:
        parsed = parse_message(bytes(line))
    except OtherProtocol:
        return
    assert parse_message(message_line(parsed)) == parsed
