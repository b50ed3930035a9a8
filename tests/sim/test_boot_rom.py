"""What boot ROMs of 32-bit and 64-bit chips ask for; headers and requests in literal bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.protocols.sahara import Status
from station.sim.boot_rom import ELF32, ELF64, MAX_IMAGE_BYTES, ElfClass, load_programmer
from station.sim.images import programmer
from station.sim.layouts import EC25
from station.sim.port import Say, Taken
from station.sim.referee import Referee
from station.sim.sahara_side import BootRom, SaharaSide, Stage
from station.sim.timing import Timing

GO_LOAD = bytes.fromhex("020000003000000002000000010000000000000000000000") + bytes(24)
DONE = bytes.fromhex("0500000008000000")
END_OK = bytes.fromhex("04000000100000000d00000000000000")

HEADER_64 = bytes.fromhex(
    "7f454c46 02010100 00000000 00000000"  # magic, 64 bits, little endian, version
    "0200 b700 01000000 0000000800000000"  # executable, AArch64, version, e_entry
    "4000000000000000 0000000000000000"  # e_phoff, e_shoff
    "00000000 4000 3800 0300 0000 0000 0000"  # e_flags, e_ehsize, e_phentsize, e_phnum
)
PROGRAM_HEADERS_64 = bytes.fromhex(
    # p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
    "00000000 00000007 0000000000000000 0000000000000000 0000000000000000"
    "e800000000000000 0000000000000000 0000000000000000"
    "00000000 00002002 0010000000000000 0000000000000000 0000000000000000"
    "8800000000000000 8800000000000000 0010000000000000"
    "01000000 07000080 0020000000000000 0000000800000000 0000000800000000"
    "0018000000000000 0018000000000000 0010000000000000"
)
IMAGE_64 = (HEADER_64 + PROGRAM_HEADERS_64).ljust(0x2000, b"\0") + (
    b"SIM-PROGRAMMER ec25\n".ljust(0x1800, b"\xa5")
)


def heard(taken: Taken) -> bytes:
    return b"".join(reaction.data for reaction in taken.reactions if isinstance(reaction, Say))


def rom(*, wide_reads: bool = False) -> tuple[SaharaSide, Referee]:
    referee = Referee(tolerant=False)
    boot_rom = BootRom("ec25", "0aa94efd", elf=ELF64, wide_reads=wide_reads)
    return SaharaSide(boot_rom, referee, Timing()), referee


def test_the_synthetic_programmer_has_the_sizes_of_elf_64() -> None:
    assert (len(HEADER_64), len(PROGRAM_HEADERS_64)) == (0x40, 3 * 0x38)


def test_a_64_bit_programmer_is_fetched_as_recorded() -> None:
    side, referee = rom()
    requests = (
        ("03000000 14000000 0d000000 00000000 40000000", 0, 0x40),
        ("03000000 14000000 0d000000 40000000 a8000000", 0x40, 0xA8),
        ("03000000 14000000 0d000000 00100000 88000000", 0x1000, 0x88),
        ("03000000 14000000 0d000000 00200000 00100000", 0x2000, 0x1000),
        ("03000000 14000000 0d000000 00300000 00080000", 0x3000, 0x800),
    )
    answer = heard(side.receive(GO_LOAD))
    for packet, offset, count in requests:
        assert answer == bytes.fromhex(packet)
        answer = heard(side.receive(IMAGE_64[offset : offset + count]))
    assert answer == END_OK
    assert heard(side.receive(DONE)) == bytes.fromhex("060000000c00000001000000")
    assert side.stage is Stage.RUNNING
    assert not referee.breaches


def test_a_64_bit_boot_rom_may_ask_in_wide_packets() -> None:
    side, _ = rom(wide_reads=True)
    assert heard(side.receive(GO_LOAD)) == bytes.fromhex(
        "12000000 20000000 0d00000000000000 0000000000000000 4000000000000000"
    )
    assert heard(side.receive(HEADER_64)) == bytes.fromhex(
        "12000000 20000000 0d00000000000000 4000000000000000 a800000000000000"
    )


def load(image: bytes, elf: ElfClass) -> Status:
    """The verdict over an image that is zero behind its end; requests must stay in bounds."""
    loading = load_programmer("ec25", elf)
    offset, count = next(loading)
    for _ in range(10_000):
        assert 0 <= offset <= MAX_IMAGE_BYTES
        assert 0 <= count <= 0x1000
        try:
            offset, count = loading.send(image[offset : offset + count].ljust(count, b"\0"))
        except StopIteration as end:
            verdict = end.value
            assert isinstance(verdict, Status)
            return verdict
    raise AssertionError("it asks without end")


def test_each_boot_rom_wants_programmers_of_its_own_class() -> None:
    image_32 = programmer(EC25)
    assert load(image_32, ELF32) is Status.SUCCESS
    assert load(IMAGE_64, ELF64) is Status.SUCCESS
    assert load(image_32, ELF64) == 0x14
    assert load(IMAGE_64, ELF32) == 0x14


@pytest.mark.parametrize(
    ("at", "wrong", "status"),
    [
        (0x00, "7f454c47", 0x14),  # magic
        (0x38, "0000", 0x0E),  # no program headers
        (0x38, "ffff", 0x0E),
        (0x36, "2000", 0x0F),  # program headers of a 32-bit file
        (0x20, "0000000001000000", 0x14),  # the table at 4 GiB
        (0x20, "ffffffffffffffff", 0x14),
        (0x7C, "00000000", 0x23),  # the hash segment is not marked as one
        (0x80, "0000000001000000", 0x08),  # the hash segment at 4 GiB
        (0xB8, "ffffffffffffffff", 0x08),  # a segment at the end of all addresses
        (0xD0, "ffffffffffffffff", 0x08),  # a segment without end
        (0x2000, "00", 0x21),  # not made for this family
    ],
)
def test_a_64_bit_file_that_is_no_programmer_gets_its_status(
    at: int, wrong: str, status: int
) -> None:
    data = bytes.fromhex(wrong)
    assert load(IMAGE_64[:at] + data + IMAGE_64[at + len(data) :], ELF64) == status


def test_a_32_bit_segment_that_ends_behind_4_gib_is_refused() -> None:
    image = bytearray(programmer(EC25))
    struct.pack_into("<I", image, 0x34 + 2 * 0x20 + 4, 0xFFFFF800)
    assert load(bytes(image), ELF32) == 0x08


ELFS = {1: (ELF32, 0x34, 0x20), 2: (ELF64, 0x40, 0x38)}


@given(st.sampled_from([1, 2]), st.integers(1, 32), st.binary(max_size=2200), st.booleans())
def test_any_table_of_a_valid_header_gets_a_verdict(
    elf_class: int, count: int, table: bytes, is_hash: bool
) -> None:
    elf, header_bytes, entry_bytes = ELFS[elf_class]
    header = bytearray(b"\x7fELF" + bytes([elf_class])).ljust(header_bytes, b"\0")
    struct.pack_into("<I" if elf_class == 1 else "<Q", header, elf.table_at, header_bytes)
    struct.pack_into("<HH", header, elf.counts_at, entry_bytes, count)
    body = bytearray(table.ljust(count * entry_bytes, b"\0"))
    if is_hash:
        flags_at = 24 if elf_class == 1 else 4
        struct.pack_into("<I", body, flags_at, 0x02200000)
    load(bytes(header + body), elf)
