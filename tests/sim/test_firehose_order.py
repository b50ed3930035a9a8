"""What a host may not do to a programmer: each rule broken with literal bytes.

A strict programmer refuses and nothing happens to the flash; a tolerant one obeys.
"""

import pytest

from station.sim.firehose_side import Programmer
from tests.sim import literals
from tests.sim.host import Host
from tests.sim.rig import Rig, logs, summary
from tests.sim.units import FACTORIES

CONFIGURE = (
    b'<?xml version="1.0" encoding="UTF-8" ?><data><configure MemoryName="nand" '
    b'MaxPayloadSizeToTargetInBytes="8192" ZlpAwareHost="1" /></data>'
)
CONFIGURE_WITHOUT_ZLP = (
    b'<?xml version="1.0" encoding="UTF-8" ?><data><configure MemoryName="nand" '
    b'MaxPayloadSizeToTargetInBytes="8192" ZlpAwareHost="0" /></data>'
)
ERASE = (
    b'<?xml version="1.0" encoding="UTF-8" ?><data><erase PAGES_PER_BLOCK="64" '
    b'SECTOR_SIZE_IN_BYTES="2048" num_partition_sectors="64" physical_partition_number="0" '
    b'start_sector="64" /></data>'
)
PROGRAM = ERASE.replace(b"<erase ", b"<program ")
READ = ERASE.replace(b"<erase ", b"<read ")
STORAGE = (
    b'<?xml version="1.0" encoding="UTF-8" ?><data><getstorageinfo '
    b'physical_partition_number="0" /></data>'
)
NOP = b'<?xml version="1.0" encoding="UTF-8" ?><data><nop /></data>'
RESET = b'<?xml version="1.0" encoding="UTF-8" ?><data><power value="reset" /></data>'
OFF = b'<?xml version="1.0" encoding="UTF-8" ?><data><power value="off" /></data>'
TO_EDL = b'<?xml version="1.0" encoding="UTF-8" ?><data><power value="reset_to_edl" /></data>'
HELLO_RESP = bytes.fromhex("020000003000000002000000010000000000000000000000") + bytes(24)


# --- a command amid data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "tag"),
    [
        (ERASE, "erase"),
        (PROGRAM, "program"),
        (READ, "read"),
        (NOP, "nop"),
        (CONFIGURE, "configure"),
        (RESET, "power"),
        (OFF, "power"),
        (TO_EDL, "power"),
    ],
)
def test_a_command_before_all_sectors_came_is_a_breach(command: bytes, tag: str) -> None:
    rig = Rig()
    rig.flash.program(64, b"x" * 2048)
    rig.begin(0, 6)
    rig.send(b"a" * 8192)
    rig.send(b"")
    rig.send(command)
    answers = rig.answers()
    assert summary(answers) == "NAK"
    assert rig.breaches == [f"{tag} while 4096 bytes of 6 sectors are missing"]
    assert rig.breaches[0] in logs(answers)
    assert rig.side.leaving is None
    assert rig.flash.read(64) == b"x" * 2048
    assert rig.ask(NOP) == "ACK"
    assert len(rig.breaches) == 1


def test_a_program_without_any_data_is_a_breach() -> None:
    rig = Rig()
    rig.begin(0, 6)
    assert rig.ask(PROGRAM) == "NAK"
    assert rig.breaches == ["program while 12288 bytes of 6 sectors are missing"]


def test_a_command_behind_a_program_that_nobody_waited_for_is_a_breach() -> None:
    rig = Rig()
    assert rig.ask(CONFIGURE) == "ACK"
    assert rig.ask(ERASE) == "ACK"
    rig.send(PROGRAM)
    rig.send(RESET)
    assert rig.breaches == ["power while 131072 bytes of 64 sectors are missing"]
    assert rig.side.leaving is None


def test_a_tolerant_programmer_gives_the_program_up_and_obeys() -> None:
    rig = Rig(tolerant=True)
    rig.flash.program(64, b"x" * 2048)
    rig.begin(0, 6)
    rig.send(b"a" * 8192)
    rig.send(b"")
    assert rig.ask(ERASE) == "ACK"
    assert rig.flash.is_erased(64)
    assert rig.ask(NOP) == "ACK"
    assert rig.breaches == ["erase while 4096 bytes of 6 sectors are missing"]


def test_a_host_that_left_amid_a_program_and_comes_back_is_told_so() -> None:
    rig = Rig()
    rig.begin(0, 6)
    rig.send(b"a" * 8192)
    rig.send(b"")
    assert rig.ask(HELLO_RESP) == "NAK"
    assert rig.breaches == ["raw transfer of 48 bytes where 4096 were due"]
    assert rig.ask(CONFIGURE) == "ACK"


@pytest.mark.parametrize("tolerant", [False, True])
def test_data_of_the_due_length_is_data_whatever_it_looks_like(tolerant: bool) -> None:
    rig = Rig(tolerant=tolerant)
    rig.begin(0, 5)
    first = ERASE.ljust(8192, b"\n")
    last = ERASE.ljust(2048, b"\n")
    rig.send(first)
    rig.send(b"")
    rig.send(last)
    rig.send(b"")
    assert summary(rig.answers()) == "ACK"
    assert rig.flash.read(0) == first[:2048]
    assert rig.flash.read(4) == last
    assert not rig.breaches


def test_the_log_of_out_bytes_keeps_a_command_amid_data_apart() -> None:
    unit = FACTORIES["ec25"].make(keep_payload=True)
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(CONFIGURE)
    part = unit.layout.part("TZ")
    literals.erase(host, unit.layout, part)
    begin = literals.command(unit.layout, "program", unit.layout.start_sector(part), 6)
    assert b'rawmode="true"' in host.ask(begin)
    host.send(b"a" * 8192)
    host.send(b"")
    assert b'value="NAK"' in host.ask(RESET)
    assert host.usb_id == "05c6:9008"
    assert host.port.next_change_s(host.now_s) is None
    assert unit.out_log.sent("firehose")[-1] == RESET
    assert [payload.length_bytes for payload in unit.out_log.payloads()] == [8192]
    assert [breach.what for breach in unit.breaches] == [
        "power while 4096 bytes of 6 sectors are missing"
    ]


# --- chunks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "rule"),
    [
        ([4096], "raw transfer of 4096 bytes where 8192 were due"),
        ([8191], "raw transfer of 8191 bytes where 8192 were due"),
        ([1], "raw transfer of 1 bytes where 8192 were due"),
        ([8192, 512], "raw transfer of 512 bytes where 2048 were due"),
        ([8192, 2047], "raw transfer of 2047 bytes where 2048 were due"),
        ([8192, 4096], "2048 bytes more than announced"),
        ([16384], "raw transfer of 16384 bytes, negotiated are 8192"),
    ],
)
def test_a_chunk_that_is_not_as_long_as_negotiated_is_a_breach(sizes: list[int], rule: str) -> None:
    rig = Rig()
    rig.begin(0, 5)
    for size in sizes:
        rig.send(b"a" * size)
        if size % 512 == 0:
            rig.send(b"")
    assert summary(rig.answers()) == "NAK"
    assert rig.breaches == [rule]


def test_a_cut_document_amid_data_is_a_chunk_of_the_wrong_length() -> None:
    rig = Rig()
    rig.begin(0, 5)
    assert rig.ask(ERASE[:-1]) == "NAK"
    assert rig.breaches == [f"raw transfer of {len(ERASE) - 1} bytes where 8192 were due"]


def test_a_tolerant_programmer_takes_chunks_of_any_length() -> None:
    rig = Rig(tolerant=True)
    rig.begin(0, 2)
    for size in (1000, 1000, 2000, 96):
        rig.send(b"a" * size)
    assert summary(rig.answers()) == "ACK"
    assert rig.flash.read(1) == b"a" * 2048
    assert len(rig.breaches) == 3


# --- after a refusal --------------------------------------------------------------------------


def refused_early() -> Rig:
    """Refused at its first chunk of three; the second was under way and is thrown away."""
    rig = Rig(Programmer((), "MDM9607", nak_early_program=1))
    rig.begin(0, 12)
    for _ in range(2):
        rig.send(b"a" * 8192)
        rig.send(b"")
    assert summary(rig.answers()) == "NAK"
    return rig


def test_a_host_may_stop_anywhere_after_a_refusal() -> None:
    for data, answer in ((NOP, "ACK"), (HELLO_RESP, "NAK"), (CONFIGURE, "ACK")):
        rig = refused_early()
        assert rig.ask(data) == answer
        assert not rig.breaches


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"a" * 4095, "4095 bytes of no chunk behind a NAK"),
        (NOP[:-1], "XML document not whole in one transfer"),
    ],
)
def test_what_is_neither_chunk_nor_command_after_a_refusal_is_a_breach(
    data: bytes, rule: str
) -> None:
    rig = refused_early()
    rig.send(data)
    assert rig.breaches == [rule]


# --- one command at a time --------------------------------------------------------------------


@pytest.mark.parametrize("answered", [ERASE, NOP, STORAGE, CONFIGURE, b"<data />", HELLO_RESP])
def test_a_command_before_the_answer_was_read_is_a_breach(answered: bytes) -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.send(answered)
    before = len(rig.breaches)
    rig.send(ERASE)
    (breach,) = rig.breaches[before:]
    assert breach.startswith("erase before the answer to ")
    assert summary(rig.answers()) == "NAK"
    assert rig.ask(NOP) == "ACK"
    assert len(rig.breaches) == before + 1


def test_reading_the_log_is_not_reading_the_answer() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.send(STORAGE)
    log = rig.read()
    assert log is not None
    assert b"storage_info" in log
    rig.send(NOP)
    assert rig.breaches == ["nop before the answer to getstorageinfo was read"]


def test_a_reset_before_the_answer_was_read_does_not_happen() -> None:
    rig = Rig()
    rig.send(CONFIGURE)
    rig.send(RESET)
    assert rig.breaches == ["power before the answer to configure was read"]
    assert rig.side.leaving is None


@pytest.mark.parametrize("reads", [0, 2, 5])
def test_a_command_amid_the_data_of_a_read_is_a_breach(reads: int) -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.send(READ)
    for _ in range(reads):
        assert rig.read() is not None
    rig.send(NOP)
    assert rig.breaches == ["nop before the answer to read was read"]


def test_after_the_last_answer_of_a_read_the_next_command_may_come() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    assert rig.ask(READ) == "ACK"
    assert rig.ask(NOP) == "ACK"
    assert not rig.breaches


def test_the_last_answer_of_a_program_is_waited_for_too() -> None:
    rig = Rig()
    rig.begin(64, 1)
    rig.send(b"a" * 2048)
    rig.send(b"")
    rig.send(ERASE)
    assert rig.breaches == ["erase before the answer to program was read"]
    assert rig.flash.read(64) == b"a" * 2048


def test_a_tolerant_programmer_obeys_out_of_turn() -> None:
    rig = Rig(tolerant=True)
    rig.flash.program(64, b"x" * 2048)
    rig.send(CONFIGURE)
    rig.send(READ)
    rig.send(ERASE)
    assert rig.flash.is_erased(64)
    assert rig.breaches == [
        "read before the answer to configure was read",
        "erase before the answer to read was read",
    ]


# --- attributes -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [b"1", b"7", b"", b"00"])
@pytest.mark.parametrize("command", [ERASE, PROGRAM, READ, STORAGE])
def test_another_physical_partition_is_a_breach(command: bytes, number: bytes) -> None:
    wrong = command.replace(b'partition_number="0"', b'partition_number="%s"' % number)
    for tolerant, answer in ((False, ("NAK",)), (True, ("ACK", "ACK raw"))):
        rig = Rig(tolerant=tolerant)
        rig.ask(CONFIGURE)
        assert rig.ask(wrong) in answer
        assert rig.breaches == [
            f"physical_partition_number {number.decode()} on NAND, which has only 0"
        ]


@pytest.mark.parametrize("name", ["PAGES_PER_BLOCK", "SECTOR_SIZE_IN_BYTES"])
@pytest.mark.parametrize("command", [ERASE, PROGRAM, READ])
def test_a_region_without_geometry_is_a_breach(command: bytes, name: str) -> None:
    value = {"PAGES_PER_BLOCK": b"64", "SECTOR_SIZE_IN_BYTES": b"2048"}[name]
    wrong = command.replace(b'%s="%s" ' % (name.encode(), value), b"")
    assert wrong != command
    for tolerant, answer in ((False, ("NAK",)), (True, ("ACK", "ACK raw"))):
        rig = Rig(tolerant=tolerant)
        rig.ask(CONFIGURE)
        assert rig.ask(wrong) in answer
        assert rig.breaches == [f"a region without {name}"]


def test_a_partition_that_is_not_named_is_the_only_one() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    assert rig.ask(ERASE.replace(b'physical_partition_number="0" ', b"")) == "ACK"
    assert not rig.breaches


# --- zero-length packets ----------------------------------------------------------------------

UNCALLED = "zero-length packet that nothing called for"


def test_a_zero_packet_before_configure_is_a_breach() -> None:
    rig = Rig()
    rig.send(b"")
    assert rig.breaches == [UNCALLED]
    rig.ask(NOP)
    rig.send(b"")
    assert rig.breaches == [UNCALLED] * 2


def test_a_zero_packet_of_a_host_that_said_it_sends_none_is_a_breach() -> None:
    rig = Rig()
    rig.begin(0, 4, CONFIGURE_WITHOUT_ZLP)
    assert rig.ask(b"a" * 8192) == "ACK"
    assert not rig.breaches
    rig.send(b"")
    assert rig.breaches == [UNCALLED]


@pytest.mark.parametrize("document", [CONFIGURE, NOP, ERASE])
def test_a_zero_packet_behind_a_part_of_a_packet_is_a_breach(document: bytes) -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.ask(document)
    assert len(document) % 512
    rig.send(b"")
    assert rig.breaches == [UNCALLED]


def test_a_second_zero_packet_is_a_breach() -> None:
    rig = Rig()
    rig.begin(0, 8)
    rig.send(b"a" * 8192)
    rig.send(b"")
    assert not rig.breaches
    rig.send(b"")
    assert rig.breaches == [UNCALLED]


def test_a_zero_packet_too_many_after_a_refusal_is_a_breach() -> None:
    rig = refused_early()
    assert not rig.breaches
    rig.send(b"")
    assert rig.breaches == [UNCALLED]
