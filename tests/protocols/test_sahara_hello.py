import pytest

from station.errors import Crashed, Disconnected, NoHello, SaharaError, StationError, UsbBroken
from station.protocols import sahara
from station.protocols.sahara import ChipIdentity, greet, read_chip_identity, reset
from tests.protocols.script import SILENCE, Host, Module, Step, run

HELLO_V3 = Module(bytes.fromhex("01000000300000000300000001000000000400000000" + "0000" * 13))
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
    hello = sahara.encode(sahara.Hello(2, 1, 0x400, 2))
    with pytest.raises(Crashed):
        run(greet(1), Module(hello))
    with pytest.raises(Crashed):
        run(greet(1), SILENCE, UNASKED, Module(sahara.encode(sahara.MemoryDebug(0, 8))))


@pytest.mark.parametrize("said", [b"~garbage~", sahara.encode(sahara.CommandReady())])
def test_anything_else_is_a_sahara_error(said: bytes) -> None:
    with pytest.raises(SaharaError):
        run(greet(1), Module(said))


def test_empty_reads_come_to_an_end() -> None:
    with pytest.raises(SaharaError, match="64 reads"):
        run(greet(1), *[Module(b"")] * 64)


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


def execute(command: int) -> Host:
    return Host(sahara.encode(sahara.Execute(command)))


def answered(command: int, data: bytes) -> list[Step]:
    return [
        execute(command),
        Module(sahara.encode(sahara.ExecuteResponse(command, len(data)))),
        Host(sahara.encode(sahara.ExecuteData(command))),
        Module(data),
    ]


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
    steps = [execute(1), REFUSED, execute(2), REFUSED, *answered(3, answer)]
    chip, _ = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps, LEAVE, HELLO)
    assert chip == ChipIdentity(pk_hash=None if digest is None else digest.hex())


@pytest.mark.parametrize("answer", [b"", b"\1\2\3", bytes(4), b"\xff" * 4])
def test_a_serial_that_names_no_chip_is_none(answer: bytes) -> None:
    read = answered(1, answer) if answer else answered(1, answer)[:2]
    steps = [*read, execute(2), REFUSED, execute(3), REFUSED]
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


def test_a_part_that_refuses_command_mode_is_led_to_loading() -> None:
    refused = Module(bytes.fromhex("04000000 10000000 00000000 18000000"))
    steps = (COMMAND_MODE, refused, UNASKED, HELLO, SILENCE)
    assert run(read_chip_identity(V2, 1), *steps) == (ChipIdentity(), V2)


def test_a_part_that_falls_silent_is_asked_no_more() -> None:
    steps = [*answered(1, SERIAL), execute(2), SILENCE, LEAVE, SILENCE, UNASKED, READ]
    chip, greeting = run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps)
    assert chip == ChipIdentity(serial="0aa94efd")
    assert greeting == sahara.Requested(FIRST)


@pytest.mark.parametrize("length_bytes", [1025, 0xFFFFFFFF])
def test_an_absurd_length_is_not_asked_for(length_bytes: int) -> None:
    absurd = Module(sahara.encode(sahara.ExecuteResponse(1, length_bytes)))
    steps = (COMMAND_MODE, READY, execute(1), absurd, LEAVE, HELLO)
    assert run(read_chip_identity(V2, 1), *steps) == (ChipIdentity(), V2)


def test_a_raw_answer_that_ends_early_is_none() -> None:
    steps = [*answered(1, SERIAL)[:3], Module(SERIAL[:3]), SILENCE, LEAVE, HELLO]
    assert run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps) == (ChipIdentity(), V2)


def test_empty_reads_do_not_keep_us_for_ever() -> None:
    steps = [*answered(1, SERIAL)[:3], *[Module(b"")] * (4 + 64), LEAVE, HELLO]
    assert run(read_chip_identity(V2, 1), COMMAND_MODE, READY, *steps) == (ChipIdentity(), V2)


@pytest.mark.parametrize(
    "answer", [SILENCE, REFUSED, READY, READ_LATER], ids=["silence", "end", "ready", "later"]
)
def test_a_part_that_stays_in_command_mode_is_no_hello(answer: Step) -> None:
    with pytest.raises(NoHello):
        run(read_chip_identity(V2, 1), COMMAND_MODE, SILENCE, UNASKED, answer)
