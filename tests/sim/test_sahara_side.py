"""Literal packets in both directions, as recorded or as the protocol's tables say."""

import struct

import pytest

from station.protocols.sahara import SaharaMode, Status
from station.sim.images import programmer
from station.sim.layouts import EC25, RM500Q
from station.sim.port import Say, Taken
from station.sim.referee import Referee
from station.sim.sahara_side import BootRom, SaharaSide, Stage
from station.sim.timing import Timing

ZEROS = bytes(24)
HELLO_2 = bytes.fromhex("010000003000000002000000010000000004000000000000") + ZEROS
HELLO_3 = bytes.fromhex("010000003000000003000000010000000004000000000000") + ZEROS
GO_LOAD = bytes.fromhex("020000003000000002000000010000000000000000000000") + ZEROS
GO_LOAD_WITH_WORDS = GO_LOAD[:24] + struct.pack("<6I", 1, 2, 3, 4, 5, 6)
GO_COMMAND = bytes.fromhex("020000003000000002000000010000000000000003000000") + ZEROS
DONE = bytes.fromhex("0500000008000000")
DONE_RESP = bytes.fromhex("060000000c00000001000000")
RESET = bytes.fromhex("0700000008000000")
RESET_RESP = bytes.fromhex("0800000008000000")
FIRST_READ = bytes.fromhex("03000000140000000d0000000000000034000000")
END_OK = bytes.fromhex("04000000100000000d00000000000000")
CMD_READY = bytes.fromhex("0b00000008000000")
IMAGE = programmer(EC25)


def end_image(status: int) -> bytes:
    return bytes.fromhex("04000000100000000d000000") + struct.pack("<I", status)


def heard(taken: Taken) -> bytes:
    return b"".join(reaction.data for reaction in taken.reactions if isinstance(reaction, Say))


def rom(
    *,
    family: str = "ec25",
    version: int = 2,
    tolerant: bool = False,
    mode: SaharaMode = SaharaMode.IMAGE_TX_PENDING,
    refuses_with: Status | None = None,
    answers_commands: bool = True,
    refuses_commands: bool = False,
) -> tuple[SaharaSide, Referee]:
    referee = Referee(tolerant=tolerant)
    boot_rom = BootRom(
        family,
        "0aa94efd",
        version=version,
        mode=mode,
        refuses_with=refuses_with,
        answers_commands=answers_commands,
        refuses_commands=refuses_commands,
    )
    return SaharaSide(boot_rom, referee, Timing()), referee


def serve(side: SaharaSide, image: bytes = IMAGE) -> tuple[list[tuple[int, int]], bytes]:
    """Answer READ_DATA until something else comes; the requests, and that."""
    requests: list[tuple[int, int]] = []
    answer = heard(side.receive(GO_LOAD))
    while answer[:4] == b"\x03\0\0\0":
        command, length, image_id, offset, count = struct.unpack("<5I", answer)
        assert (command, length, image_id) == (3, 0x14, 13)
        requests.append((offset, count))
        answer = heard(side.receive(image[offset : offset + count].ljust(count, b"\0")))
    return requests, answer


@pytest.mark.parametrize(("version", "hello"), [(2, HELLO_2), (3, HELLO_3)])
def test_it_greets_as_recorded(version: int, hello: bytes) -> None:
    (say,) = rom(version=version)[0].greet()
    assert say.data == hello


def test_it_fetches_the_programmer_in_the_recorded_order() -> None:
    side, referee = rom()
    requests, answer = serve(side)
    assert requests[:4] == [(0, 0x34), (0x34, 0x60), (0x1000, 0x88), (0x2000, 0x1000)]
    assert all(count <= 0x1000 for _, count in requests)
    assert requests[-1] == (0x2A000, len(IMAGE) - 0x2A000)
    assert answer == END_OK
    assert heard(side.receive(DONE)) == DONE_RESP
    assert side.stage is Stage.RUNNING
    assert not referee.breaches


def test_the_reserved_words_of_the_answer_are_not_looked_at() -> None:
    side, referee = rom()
    assert heard(side.receive(GO_LOAD_WITH_WORDS)) == FIRST_READ
    assert not referee.breaches


def test_an_answer_may_come_in_several_transfers() -> None:
    side, referee = rom()
    side.receive(GO_LOAD)
    assert heard(side.receive(IMAGE[:0x30])) == b""
    assert heard(side.receive(IMAGE[0x30:0x34]))[:4] == b"\x03\0\0\0"
    assert not referee.breaches


def test_a_programmer_for_another_family_is_refused() -> None:
    side, referee = rom(family="rm500q")
    assert serve(side)[1] == end_image(0x21)
    assert not referee.breaches
    assert heard(side.receive(RESET)) == RESET_RESP
    assert side.stage is Stage.RESET


def test_its_own_family_is_accepted_for_rm500q_too() -> None:
    assert serve(rom(family="rm500q")[0], programmer(RM500Q))[1] == END_OK


def test_a_boot_rom_may_refuse_everything() -> None:
    side, _ = rom(refuses_with=Status.HASH_TABLE_AUTHENTICATION_FAILURE)
    assert serve(side)[1] == end_image(0x21)


@pytest.mark.parametrize(
    ("image", "status"),
    [
        (b"MZ" + IMAGE[2:], 0x14),
        (IMAGE[:4] + b"\x02" + IMAGE[5:], 0x14),
        (IMAGE[:0x2C] + b"\0\0" + IMAGE[0x2E:], 0x0E),
        (IMAGE[:0x2C] + b"\xff\xff" + IMAGE[0x2E:], 0x0E),
        (IMAGE[:0x2A] + b"\x38\0" + IMAGE[0x2C:], 0x0F),
        (IMAGE[:0x34] + bytes(0x60) + IMAGE[0x94:], 0x23),
    ],
)
def test_what_is_no_programmer_gets_its_status(image: bytes, status: int) -> None:
    assert serve(rom()[0], image)[1] == end_image(status)


def test_a_zero_length_packet_is_a_breach() -> None:
    side, referee = rom()
    side.receive(GO_LOAD)
    assert side.receive(b"") == Taken()
    assert [breach.what for breach in referee.breaches] == ["zero-length packet"]


def test_more_bytes_than_asked_for_are_a_breach() -> None:
    side, referee = rom()
    side.receive(GO_LOAD)
    assert heard(side.receive(IMAGE[:0x35])) == end_image(0x08)
    assert len(referee.breaches) == 1
    assert heard(side.receive(RESET)) == RESET_RESP


def test_a_tolerant_module_takes_what_it_asked_for_and_goes_on() -> None:
    side, referee = rom(tolerant=True)
    side.receive(GO_LOAD)
    assert heard(side.receive(IMAGE[:0x35]))[:4] == b"\x03\0\0\0"
    assert len(referee.breaches) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b'<?xml version="1.0" ?><data><nop /></data>',
        GO_LOAD[:-1],
        GO_LOAD + b"\0",
        bytes.fromhex("0200000031000000") + GO_LOAD[8:],
        bytes.fromhex("7700000008000000"),
    ],
)
def test_bytes_that_are_no_packet_are_a_breach(data: bytes) -> None:
    side, referee = rom()
    assert heard(side.receive(data)) == end_image(0x05)
    assert len(referee.breaches) == 1


@pytest.mark.parametrize("packet", [DONE, HELLO_2, bytes.fromhex("0d0000000c00000001000000")])
def test_a_packet_out_of_turn_is_a_breach(packet: bytes) -> None:
    side, referee = rom()
    assert heard(side.receive(packet)) == end_image(0x01)
    assert len(referee.breaches) == 1


def test_done_after_a_refusal_is_a_breach() -> None:
    side, referee = rom(family="rm500q")
    serve(side)
    side.receive(DONE)
    assert side.stage is Stage.FAILED
    assert len(referee.breaches) == 1


def test_a_version_that_does_not_exist_is_a_mismatch() -> None:
    side, referee = rom()
    wrong = GO_LOAD[:8] + struct.pack("<I", 9) + GO_LOAD[12:]
    assert heard(side.receive(wrong)) == end_image(0x02)
    assert len(referee.breaches) == 1


def test_reset_at_once_and_while_loading() -> None:
    side, referee = rom()
    assert heard(side.receive(RESET)) == RESET_RESP
    side, referee = rom()
    side.receive(GO_LOAD)
    assert heard(side.receive(RESET)) == RESET_RESP
    assert side.stage is Stage.RESET
    assert not referee.breaches


def execute(command: int) -> bytes:
    return bytes.fromhex("0d0000000c000000") + struct.pack("<I", command)


def execute_data(command: int) -> bytes:
    return bytes.fromhex("0f0000000c000000") + struct.pack("<I", command)


def test_command_mode_gives_the_chip_serial_and_lets_go() -> None:
    side, referee = rom()
    assert heard(side.receive(GO_COMMAND)) == CMD_READY
    assert heard(side.receive(execute(1))) == bytes.fromhex("0e000000100000000100000004000000")
    assert heard(side.receive(execute_data(1))) == bytes.fromhex("fd4ea90a")
    assert len(heard(side.receive(execute_data(2)))) == 24
    assert len(heard(side.receive(execute_data(3)))) == 96
    assert heard(side.receive(bytes.fromhex("0c0000000c00000000000000"))) == HELLO_2
    assert heard(side.receive(GO_LOAD)) == FIRST_READ
    assert not referee.breaches


def test_version_3_offers_neither_hardware_id_nor_key_hash() -> None:
    for command in (2, 3):
        side, _ = rom(version=3)
        side.receive(GO_COMMAND)
        assert heard(side.receive(execute(command))) == end_image(0x1F)
    side, _ = rom(version=3)
    side.receive(GO_COMMAND)
    assert len(heard(side.receive(execute_data(0x0A)))) == 48


def test_a_mute_chip_never_answers_in_command_mode() -> None:
    side, referee = rom(answers_commands=False)
    assert heard(side.receive(GO_COMMAND)) == b""
    assert heard(side.receive(GO_LOAD)) == FIRST_READ
    assert not referee.breaches


def test_version_1_has_no_command_mode() -> None:
    assert heard(rom(version=1)[0].receive(GO_COMMAND)) == end_image(0x18)


def test_a_chip_that_refuses_command_mode_waits_for_a_reset() -> None:
    side, referee = rom(refuses_commands=True)
    (say,) = side.greet()
    assert say.data == HELLO_2
    assert heard(side.receive(GO_COMMAND)) == end_image(0x18)
    assert heard(side.receive(GO_LOAD)) == end_image(0x01)
    assert not referee.breaches
    assert heard(side.receive(RESET)) == RESET_RESP
    assert side.stage is Stage.RESET


def test_a_host_that_asks_a_refused_session_again_and_again_is_a_breach() -> None:
    side, referee = rom(refuses_commands=True)
    side.receive(GO_COMMAND)
    side.receive(GO_LOAD)
    assert heard(side.receive(GO_LOAD)) == end_image(0x01)
    assert [breach.what for breach in referee.breaches] == ["HelloResponse while failed"]


def test_a_host_that_asks_again_after_its_programmer_was_refused_is_a_breach() -> None:
    side, referee = rom(family="rm500q")
    serve(side)
    assert heard(side.receive(GO_LOAD)) == end_image(0x01)
    assert len(referee.breaches) == 1


def test_a_chip_that_refuses_command_mode_loads_when_it_is_not_asked_for_it() -> None:
    side, referee = rom(refuses_commands=True)
    assert serve(side)[1] == END_OK
    assert not referee.breaches


def test_version_1_greets_as_such_and_loads() -> None:
    side, referee = rom(version=1)
    (say,) = side.greet()
    assert say.data == HELLO_2[:8] + b"\x01\0\0\0" + HELLO_2[12:]
    assert serve(side)[1] == END_OK
    assert not referee.breaches


def test_a_crashed_module_greets_in_memory_mode_and_can_be_reset() -> None:
    side, _ = rom(mode=SaharaMode.MEMORY_DEBUG)
    (say,) = side.greet()
    assert say.data == HELLO_2[:20] + b"\x02\0\0\0" + ZEROS
    assert heard(side.receive(GO_LOAD)) == end_image(0x1B)
    assert heard(side.receive(RESET)) == RESET_RESP
