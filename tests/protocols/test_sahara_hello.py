import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import Crashed, Disconnected, NoHello, SaharaError, StationError, UsbBroken
from station.protocols import sahara
from station.protocols.dialogue import Notice, Progress
from station.protocols.sahara import ChipIdentity, greet, read_chip_identity, reset
from tests.protocols.script import SILENCE, Host, Module, Step, feed, run

HELLO_V3 = Module(bytes.fromhex("01000000300000000300000001000000000400000000" + "0000" * 13))
HELLO_V1 = Module(bytes.fromhex("01000000300000000100000001000000000400000000" + "0000" * 13))
HELLO = Module(bytes.fromhex("01000000300000000200000001000000000400000000" + "0000" * 13))
UNASKED = Host(bytes.fromhex("02000000300000000200000001000000" + "00" * 32), zlp=False)
NOP = Host(b'<?xml version="1.0" encoding="UTF-8" ?><data><nop /></data>')
READ = Module(bytes.fromhex("03000000 14000000 0d000000 00000000 34000000"))
READ_LATER = Module(bytes.fromhex("03000000 14000000 0d000000 00100000 00100000"))
RESET = Host(bytes.fromhex("07000000 08000000"))
RESET_RESP = Module(bytes.fromhex("08000000 08000000"))
XML = b'<?xml version="1.0" encoding="UTF-8" ?><data><log value="unknown" /></data>'
FIRST = sahara.ReadData(13, 0, 0x34)
V2 = sahara.Hello(2, 1, 0x400, 0)


# --- greet ------------------------------------------------------------------------------------


def test_a_real_hello_is_understood() -> None:
    assert len(HELLO_V3.data) == 48
    assert run(greet(1), HELLO_V3) == sahara.Hello(3, 1, 0x400, 0)


def test_a_running_programmer_is_recognised_on_every_rung() -> None:
    running = sahara.ProgrammerRunning(XML)
    assert run(greet(1), Module(XML)) == running
    assert run(greet(1), SILENCE, UNASKED, Module(XML)) == running
    assert run(greet(1), SILENCE, UNASKED, SILENCE, NOP, Module(XML)) == running


def test_the_boot_rom_may_go_on_without_its_hello() -> None:
    assert run(greet(1), SILENCE, UNASKED, READ) == sahara.Requested(FIRST)


def test_a_hello_that_crosses_ours_is_answered_only_once() -> None:
    assert run(greet(1), SILENCE, UNASKED, HELLO, READ) == sahara.Requested(FIRST)
    assert run(greet(1), SILENCE, UNASKED, HELLO, SILENCE) == V2


def test_nobody_there_is_no_hello() -> None:
    with pytest.raises(NoHello):
        run(greet(1), SILENCE, UNASKED, SILENCE, NOP, SILENCE)
    with pytest.raises(NoHello):
        run(greet(1), SILENCE, SILENCE, SILENCE)  # it does not even take what we send


@pytest.mark.parametrize("last", [RESET_RESP, SILENCE, Disconnected("gone")])
def test_a_session_given_up_is_reset_and_named(last: Step) -> None:
    given_up = Module(bytes.fromhex("04000000 10000000 0d000000 01000000"))
    with pytest.raises(NoHello, match=r"invalid command \(0x01\)"):
        run(greet(1), SILENCE, UNASKED, given_up, RESET, last)


def test_half_an_image_of_another_host_is_reset() -> None:
    with pytest.raises(NoHello, match="middle of an image"):
        run(greet(1), READ_LATER, RESET, RESET_RESP)


def test_a_crashed_module_is_named() -> None:
    hello = bytes.fromhex("01000000300000000200000001000000000400000200" + "0000" * 13)
    with pytest.raises(Crashed):
        run(greet(1), Module(hello))
    memory_debug = bytes.fromhex("09000000 10000000 00800000 40030000")
    with pytest.raises(Crashed):
        run(greet(1), SILENCE, UNASKED, Module(memory_debug))


def test_a_programmer_that_reads_for_a_dead_host_is_heard_out() -> None:
    """Killed while it read back: pages of the module's flash come first, of whatever content."""
    rest = [Module(b"\xff" * 16384), Module(b"\x7fELF" * 512), Module(XML)]
    running = sahara.ProgrammerRunning(XML)
    assert run(greet(1), *rest, SILENCE, NOP, Module(XML)) == running


@pytest.mark.parametrize("said", [b"~garbage~", b"\xff" * 2048])
def test_anything_else_is_a_sahara_error(said: bytes) -> None:
    with pytest.raises(SaharaError, match="no Sahara command"):
        run(greet(1), Module(said), SILENCE, NOP, SILENCE)


def test_a_packet_out_of_turn_is_a_sahara_error() -> None:
    with pytest.raises(SaharaError, match="where HELLO was expected"):
        run(greet(1), Module(bytes.fromhex("0b000000 08000000")))


def test_empty_reads_come_to_an_end() -> None:
    with pytest.raises(SaharaError, match="64 reads"):
        run(greet(1), *[Module(b"")] * 64, SILENCE, NOP, SILENCE)


def test_a_read_without_an_end_comes_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("station.protocols.sahara.hello.MAX_REST_READS", 8)
    with pytest.raises(SaharaError, match="no Sahara command"):
        run(greet(1), *[Module(b"\xff" * 2048)] * 9)


# --- reset ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer", [RESET_RESP, SILENCE, Disconnected("x"), UsbBroken("x"), HELLO, Module(b"garbage!")]
)
def test_reset_is_done_whatever_comes_back(answer: Step) -> None:
    run(reset(1), RESET, answer)


@pytest.mark.parametrize("error", [SILENCE, Disconnected("x"), UsbBroken("x")])
def test_reset_is_done_when_the_module_leaves_within(error: StationError) -> None:
    run(reset(1), error)


# --- command mode -----------------------------------------------------------------------------

COMMAND_MODE = Host(bytes.fromhex("0200000030000000020000000100000000000000 03000000" + "00" * 24))
COMMAND_MODE_V3 = Host(
    bytes.fromhex("0200000030000000030000000100000000000000 03000000" + "00" * 24)
)
READY = Module(bytes.fromhex("0b000000 08000000"))
LEAVE = Host(bytes.fromhex("0c000000 0c000000 00000000"))
REFUSED = Module(bytes.fromhex("04000000 10000000 00000000 1f000000"))
SERIAL = bytes.fromhex("fd4ea90a")
HW_ID = bytes.fromhex("00000000 e1000500") * 3
PK_HASH = bytes(range(1, 33))


EXECUTE = {
    1: Host(bytes.fromhex("0d000000 0c000000 01000000")),
    2: Host(bytes.fromhex("0d000000 0c000000 02000000")),
    3: Host(bytes.fromhex("0d000000 0c000000 03000000")),
}
EXECUTE_DATA = {
    1: Host(bytes.fromhex("0f000000 0c000000 01000000")),
    2: Host(bytes.fromhex("0f000000 0c000000 02000000")),
    3: Host(bytes.fromhex("0f000000 0c000000 03000000")),
}


def execute_resp(command: int, length_bytes: int) -> Module:
    """The module announces so many bytes."""
    head = bytes.fromhex("0e000000 10000000")
    return Module(head + bytes([command, 0, 0, 0]) + length_bytes.to_bytes(4, "little"))


def answered(command: int, data: bytes) -> list[Step]:
    return [
        EXECUTE[command],
        execute_resp(command, len(data)),
        EXECUTE_DATA[command],
        Module(data),
    ]


def test_an_announcement_is_what_the_wire_shows() -> None:
    assert execute_resp(3, 0x60).data == bytes.fromhex("0e000000 10000000 03000000 60000000")


def test_the_whole_identity_is_read_and_loading_goes_on() -> None:
    steps = [*answered(1, SERIAL), *answered(2, HW_ID), *answered(3, PK_HASH * 3)]
    chip, greeting = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps, LEAVE, HELLO)
    assert chip == ChipIdentity("0aa94efd", "000500e100000000", PK_HASH.hex())
    assert greeting == V2


@pytest.mark.parametrize(
    ("answer", "digest"),
    [
        (PK_HASH, PK_HASH),
        (PK_HASH + bytes(64), PK_HASH),
        (bytes(range(48)) + bytes(48), bytes(range(48))),
        (bytes(range(48)) * 2, bytes(range(48))),
        (bytes(range(64)), bytes(range(64))),
        (bytes(96), bytes(32)),
        (b"short", None),
        (bytes(range(97)), None),
    ],
)
def test_repeats_and_padding_are_no_part_of_the_hash(answer: bytes, digest: bytes | None) -> None:
    steps = [EXECUTE[1], REFUSED, EXECUTE[2], REFUSED, *answered(3, answer)]
    chip, _ = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps, LEAVE, HELLO)
    assert chip == ChipIdentity(pk_hash=None if digest is None else digest.hex())


@pytest.mark.parametrize("answer", [b"", b"\1\2\3", bytes(4), b"\xff" * 4])
def test_a_serial_that_names_no_chip_is_none(answer: bytes) -> None:
    read = answered(1, answer) if answer else answered(1, answer)[:2]
    steps = [*read, EXECUTE[2], REFUSED, EXECUTE[3], REFUSED]
    chip, _ = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps, LEAVE, HELLO)
    assert chip == ChipIdentity()


def test_raw_answers_may_come_byte_by_byte() -> None:
    read = answered(1, SERIAL)[:3] + [Module(SERIAL[i : i + 1]) for i in range(4)]
    hello_v3 = sahara.Hello(3, 1, 0x400, 0)
    chip, greeting = run(
        read_chip_identity(hello_v3, 1), COMMAND_MODE_V3, READY, *read, LEAVE, HELLO_V3
    )
    assert chip == ChipIdentity(serial="0aa94efd")  # version 3: nothing else is offered
    assert greeting == hello_v3


def test_a_part_mute_in_command_mode_is_led_to_loading() -> None:
    steps = (COMMAND_MODE, SILENCE, UNASKED, READ)
    assert run(read_chip_identity(V2, 1), *steps) == (ChipIdentity(), sahara.Requested(FIRST))


def test_a_part_without_command_mode_may_ask_for_its_image_at_once() -> None:
    assert run(read_chip_identity(V2, 1), COMMAND_MODE, READ)[1] == sahara.Requested(FIRST)


def test_a_part_that_falls_silent_is_asked_no_more() -> None:
    steps = [*answered(1, SERIAL), EXECUTE[2], SILENCE, LEAVE, SILENCE, UNASKED, READ]
    chip, greeting = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps)
    assert chip == ChipIdentity(serial="0aa94efd")
    assert greeting == sahara.Requested(FIRST)


@pytest.mark.parametrize("length_bytes", [1025, 0xFFFFFFFF])
def test_an_absurd_length_is_not_asked_for(length_bytes: int) -> None:
    steps = (COMMAND_MODE, READY, EXECUTE[1], execute_resp(1, length_bytes), LEAVE, HELLO)
    assert run(read_chip_identity(V2, 1), *steps) == (ChipIdentity(), V2)


def test_a_raw_answer_that_ends_early_is_none() -> None:
    steps = [*answered(1, SERIAL)[:3], Module(SERIAL[:3]), SILENCE, LEAVE, HELLO]
    assert run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps) == (ChipIdentity(), V2)


def test_empty_reads_do_not_keep_us_for_ever() -> None:
    steps = [*answered(1, SERIAL)[:3], *[Module(b"")] * (4 + 64), LEAVE, HELLO]
    assert run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps) == (ChipIdentity(), V2)


GARBAGE = Module(b"~garbage~")
NO_WAY_BACK = [SILENCE, REFUSED, READY, READ_LATER, GARBAGE, Module(XML)]


def test_version_one_has_no_command_mode_and_is_not_asked_for_it() -> None:
    hello = run(greet(1), HELLO_V1)
    assert hello == sahara.Hello(1, 1, 0x400, 0)
    assert run(read_chip_identity(hello, 1)) == (ChipIdentity(), hello)


@pytest.mark.parametrize("answer", NO_WAY_BACK)
@pytest.mark.parametrize("end", [RESET_RESP, SILENCE, Disconnected("it boots")])
def test_a_part_that_does_not_come_back_is_reset(answer: Step, end: Step) -> None:
    steps = (COMMAND_MODE, SILENCE, UNASKED, answer, RESET, end)
    assert run(read_chip_identity(V2, 1), *steps) == (ChipIdentity(), None)


@pytest.mark.parametrize("status", ["18", "01"])
def test_a_refusal_is_named_before_the_reset(status: str) -> None:
    refused = Module(bytes.fromhex(f"04000000 10000000 00000000 {status}000000"))
    shown: list[Notice | Progress] = []
    steps = (COMMAND_MODE, refused, RESET, RESET_RESP)
    assert run(read_chip_identity(V2, 1), *steps, shown=shown) == (ChipIdentity(), None)
    assert all(f"(0x{status})" in notice.text for notice in shown if isinstance(notice, Notice))
    assert len(shown) == 2


@pytest.mark.parametrize("answer", NO_WAY_BACK)
def test_what_was_read_is_not_lost_by_the_reset(answer: Step) -> None:
    steps = [*answered(1, SERIAL), EXECUTE[2], SILENCE, LEAVE, answer, UNASKED, answer]
    if answer in (READ_LATER, REFUSED):  # in the midst of an image; waiting for nothing but RESET
        steps = steps[:-2]
    chip, greeting = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps, RESET, RESET_RESP)
    assert chip == ChipIdentity(serial="0aa94efd")
    assert greeting is None


def test_garbage_in_command_mode_ends_only_the_questions() -> None:
    steps = [*answered(1, SERIAL), EXECUTE[2], GARBAGE, LEAVE, HELLO]
    chip, greeting = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps)
    assert (chip, greeting) == (ChipIdentity(serial="0aa94efd"), V2)


def test_a_part_that_takes_nothing_is_no_error() -> None:
    nothing = [SILENCE] * 3  # command mode, HELLO_RESP, RESET
    assert run(read_chip_identity(V2, 1), *nothing) == (ChipIdentity(), None)
    steps = [*answered(1, SERIAL)[:2], SILENCE, LEAVE, HELLO]  # it does not take EXECUTE_DATA
    assert run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps) == (ChipIdentity(), V2)


def test_a_crash_in_command_mode_is_named() -> None:
    memory_debug = Module(bytes.fromhex("09000000 10000000 00800000 40030000"))
    with pytest.raises(Crashed):
        run(read_chip_identity(V2, 1), COMMAND_MODE, memory_debug)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([READY.data, HELLO.data]), max_size=9))
def test_any_answer_in_command_mode_ends(reads: list[bytes]) -> None:
    dialogue = read_chip_identity(V2, 1)
    with pytest.raises((StopIteration, Crashed)):
        feed(dialogue, reads)
