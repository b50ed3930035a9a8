"""USB/IP as literal bytes: the kernel document's own example, and whatever else may arrive."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import ProtocolError
from station.sim import usbip_wire as wire
from station.sim.usbip_wire import Device, ImportStatus, Op, Setup, Speed, Submit, Unlink

INTERRUPT_IN = bytes.fromhex(
    "00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff"
    "00000000 00000004 00000000 00000000"
)
INTERRUPT_OUT = bytes.fromhex(
    "00000001 00000d06 0001000f 00000000 00000001 00000000 00000040 ffffffff"
    "00000000 00000004 00000000 00000000"
)
ANSWER_OUT = bytes.fromhex(
    "00000003 00000d06 00000000 00000000 00000000 00000000 00000040 ffffffff"
    "00000000 00000000 00000000 00000000"
)
ANSWER_IN = bytes.fromhex(
    "00000003 00000d05 00000000 00000000 00000000 00000000 00000040 ffffffff"
    "00000000 00000000 00000000 00000000"
)
"""The example at the end of the kernel's document."""

UNLINK = bytes.fromhex("00000002 00000007 00010002 00000000 00000000 00000005") + bytes(24)

EDL = Device(
    "1-1.4", 1, 3, Speed.HIGH, 0x05C6, 0x9008, 0, (0, 0, 0), interface_classes=((255, 255, 17),)
)
EDL_BYTES = (
    b"/sys/devices/platform/station_sim/usb1/1-1.4".ljust(256, b"\0")
    + b"1-1.4".ljust(32, b"\0")
    + bytes.fromhex("00000001 00000003 00000003 05c6 9008 0000 00 00 00 01 01 01")
)


def changed(head: bytes, at: int, value: str) -> bytes:
    new = bytes.fromhex(value)
    return head[:at] + new + head[at + len(new) :]


def test_the_example_of_the_kernel_document() -> None:
    came, went = wire.parse_command(INTERRUPT_IN), wire.parse_command(INTERRUPT_OUT)
    assert isinstance(came, Submit)
    assert isinstance(went, Submit)
    assert (came.sequence, came.device_id, came.address) == (0xD05, 0x1000F, 0x81)
    assert (came.length_bytes, came.data_bytes) == (64, 0)
    assert (went.address, went.length_bytes, went.data_bytes) == (1, 64, 64)
    assert wire.submit_answer(came, 0, bytes(64)) == ANSWER_IN + bytes(64)
    assert wire.submit_answer(went, 0, taken_bytes=64) == ANSWER_OUT


def test_a_stall_carries_its_status_and_no_data() -> None:
    submit = wire.parse_command(INTERRUPT_IN)
    assert isinstance(submit, Submit)
    answer = wire.submit_answer(submit, wire.STALLED)
    assert answer[20:28] == bytes.fromhex("ffffffe0 00000000")
    assert len(answer) == 48


def test_unlink_and_its_answer() -> None:
    unlink = wire.parse_command(UNLINK)
    assert unlink == Unlink(7, 0x10002, 5)
    head = bytes.fromhex("00000004 00000007 00000000 00000000 00000000")
    assert wire.unlink_answer(unlink, -104) == head + bytes.fromhex("ffffff98") + bytes(24)
    assert wire.unlink_answer(unlink, 0) == head + bytes(28)


def test_questions() -> None:
    assert wire.parse_question(bytes.fromhex("0111 8005 00000000")) is Op.DEVLIST
    assert wire.parse_question(bytes.fromhex("0111 8003 00000000")) is Op.IMPORT
    assert wire.parse_bus_id(b"1-1.4".ljust(32, b"\0")) == "1-1.4"


def test_the_list_of_devices() -> None:
    assert wire.devlist_answer([]) == bytes.fromhex("0111 0005 00000000 00000000")
    assert wire.devlist_answer([EDL, EDL]) == (
        bytes.fromhex("0111 0005 00000000 00000002")
        + (EDL_BYTES + bytes.fromhex("ff ff 11 00")) * 2
    )


def test_an_import_names_the_device_without_its_interfaces() -> None:
    assert len(EDL_BYTES) == 312
    assert wire.import_answer(EDL) == bytes.fromhex("0111 0003 00000000") + EDL_BYTES
    refusal = wire.import_refusal(ImportStatus.NO_DEVICE)
    assert refusal == bytes.fromhex("0111 0003 00000004")


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (changed(INTERRUPT_IN, 0, "00000003"), "command 0x3"),
        (changed(INTERRUPT_IN, 0, "deadbeef"), "command 0xdeadbeef"),
        (changed(INTERRUPT_IN, 12, "00000002"), "direction 2"),
        (changed(INTERRUPT_IN, 16, "00000010"), "endpoint 16"),
        (changed(INTERRUPT_IN, 24, "00100001"), "1048577 bytes"),
        (changed(INTERRUPT_OUT, 24, "ffffffff"), "4294967295 bytes"),
        (changed(INTERRUPT_IN, 32, "00000001"), "isochronous"),
    ],
)
def test_what_is_no_command_is_refused_in_words(head: bytes, names: str) -> None:
    with pytest.raises(ProtocolError, match=names):
        wire.parse_command(head)


@pytest.mark.parametrize(
    ("question", "names"),
    [("0106 8005 00000000", "version 0106"), ("0111 8004 00000000", "question 8004")],
)
def test_what_is_no_question_is_refused_in_words(question: str, names: str) -> None:
    with pytest.raises(ProtocolError, match=names):
        wire.parse_question(bytes.fromhex(question))


@pytest.mark.parametrize(
    "data",
    [b"1" * 32, b"1-1\x002".ljust(32, b"\0"), b"\xff\xfe".ljust(32, b"\0"), b"\n" + bytes(31)],
)
def test_what_is_no_bus_id_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="bus id"):
        wire.parse_bus_id(data)


def test_the_longest_transfer_is_a_mebibyte() -> None:
    submit = wire.parse_command(changed(INTERRUPT_OUT, 24, "00100000"))
    assert isinstance(submit, Submit)
    assert submit.data_bytes == 1 << 20


def test_a_setup_is_little_endian() -> None:
    assert Setup.parse(bytes.fromhex("80 06 00 03 09 04 ff 00")) == Setup(
        0x80, 6, 0x0300, 0x0409, 255
    )


@given(
    st.one_of(
        st.binary(min_size=48, max_size=48),
        st.builds(
            lambda kind, rest: kind.to_bytes(4, "big") + rest,
            st.integers(0, 5),
            st.binary(min_size=44, max_size=44),
        ),
    )
)
def test_any_48_bytes_are_a_command_within_bounds_or_refused(head: bytes) -> None:
    try:
        command = wire.parse_command(head)
    except ProtocolError:
        return
    if isinstance(command, Submit):
        assert 0 <= command.data_bytes <= wire.MAX_TRANSFER_BYTES
        assert len(wire.submit_answer(command, 0, b"")) == wire.HEAD_BYTES


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32))
def test_any_bytes_are_a_question_or_refused(question: bytes, bus_id: bytes) -> None:
    for parse, data in ((wire.parse_question, question), (wire.parse_bus_id, bus_id)):
        with suppress(ProtocolError):
            parse(data)


def test_the_question_and_what_the_kernel_needs_of_the_answer() -> None:
    assert wire.import_question("1-1.4") == (
        bytes.fromhex("0111 8003 00000000") + b"1-1.4".ljust(32, b"\0")
    )
    device = wire.Device("1-1.4", 1, 3, wire.Speed.SUPER, 0x05C6, 0x9008, 0, (0, 0, 0), ())
    answer = wire.import_answer(device)
    assert wire.parse_import_head(answer[:8])
    assert wire.parse_imported(answer[8:]) == (0x10003, wire.Speed.SUPER, 0x05C6, 0x9008)
    assert not wire.parse_import_head(wire.import_refusal(wire.ImportStatus.NO_DEVICE))
    with pytest.raises(ProtocolError, match="number 65536"):
        wire.parse_imported(answer[8:][:292] + bytes.fromhex("00010000") + answer[8:][296:])


@given(st.binary(min_size=wire.DEVICE_BYTES, max_size=wire.DEVICE_BYTES))
def test_any_device_that_follows_an_import_is_taken_or_refused(data: bytes) -> None:
    with suppress(ProtocolError):
        assert wire.parse_imported(data).id < 1 << 32
