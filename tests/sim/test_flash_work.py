"""Erase, program and read: exact counts, order, zero-length packets, bad blocks, faults."""

import pytest

from station.sim.firehose_side import Programmer
from station.sim.flash_work import Extent
from station.sim.port import Leave
from tests.sim.rig import CONFIGURE, PLACE, Rig, document, logs, place, summary

# --- erase ------------------------------------------------------------------------------------


def test_erase_takes_its_time_and_the_first_scans_for_bad_blocks() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.flash.program(64, b"x" * 2048)
    before_s = rig.port.device_s
    rig.send(place(b"erase", 64, 128))
    assert rig.port.device_s - before_s == pytest.approx(0.3 + 0.002 + 0.001)
    assert "Erasing start sector 64, num sectors 0" in logs(rig.answers())
    assert rig.flash.is_erased(64)
    before_s = rig.port.device_s
    rig.send(place(b"erase", 64, 128))
    assert rig.port.device_s - before_s == pytest.approx(0.002 + 0.001)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ((b'SECTOR_SIZE_IN_BYTES="2048"', b'SECTOR_SIZE_IN_BYTES="4096"'), "must equal the disk"),
        ((b'PAGES_PER_BLOCK="64"', b'PAGES_PER_BLOCK="128"'), "pages per block 64"),
        ((b'start_sector="64"', b'start_sector="65"'), "start_sector 65 unaligned"),
        ((b'sectors="128"', b'sectors="127"'), "num_partition_sectors 127 unaligned"),
        ((b'sectors="128"', b'sectors="0"'), "num_partition_sectors is 0"),
        ((b'sectors="128"', b'sectors="1024"'), "exceeds total block count"),
        ((b'start_sector="64"', b'start_sector="NUM_DISK_SECTORS-33."'), "not a number"),
    ],
)
def test_wrong_geometry_is_refused_with_a_reason(change: tuple[bytes, bytes], text: str) -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.send(place(b"erase", 64, 128).replace(*change))
    answers = rig.answers()
    assert summary(answers) == "NAK"
    assert text in logs(answers)
    assert not rig.breaches


def test_an_erase_of_everything_is_a_breach() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.flash.program(0, b"x" * 2048)
    assert rig.ask(document(b"<erase " + PLACE + b"/>")) == "NAK"
    assert rig.breaches == ["erase without start and length would erase calibration too"]
    assert not rig.flash.is_erased(0)


VENDOR = (
    b'<erase vendor="quectel" a_rawdata_start_sector="64" b_rawdata_num_sector="64" '
    b'c_project_name="RM500Q" d_project_type="std" />'
)


def test_the_vendor_line_is_kept_byte_for_byte_and_spares_calibration() -> None:
    rig = Rig(keeps=(Extent(64, 64),))
    rig.ask(CONFIGURE)
    rig.flash.program(64, b"c" * 2048)
    rig.flash.program(128, b"x" * 2048)
    assert rig.ask(document(VENDOR)) == "ACK"
    assert rig.side.vendor_lines == [VENDOR]
    assert not rig.flash.is_erased(64)
    assert rig.flash.is_erased(128)


def test_a_vendor_line_in_another_order_erases_calibration() -> None:
    rig = Rig(keeps=(Extent(64, 64),))
    rig.ask(CONFIGURE)
    rig.flash.program(64, b"c" * 2048)
    words = VENDOR.removesuffix(b" />").split(b" ")
    rig.ask(document(b" ".join([words[0], *reversed(words[1:])]) + b" />"))
    assert rig.flash.is_erased(64)


# --- program ----------------------------------------------------------------------------------


def test_program_takes_exactly_the_announced_sectors() -> None:
    rig = Rig()
    rig.begin(64, 6)
    rig.send(b"a" * 8192)
    rig.send(b"")
    assert rig.answers() == []
    rig.send(b"b" * 4096)
    assert rig.answers() == []
    rig.send(b"")
    assert summary(rig.answers()) == "ACK"
    assert not rig.breaches
    assert [rig.flash.read(n)[:1] for n in range(64, 71)] == [b"a"] * 4 + [b"b"] * 2 + [b"\xff"]


def test_program_works_at_four_megabytes_per_second() -> None:
    rig = Rig()
    rig.begin(0, 8)
    before_s = rig.port.device_s
    for _ in range(2):
        rig.send(b"a" * 8192)
        rig.send(b"")
    assert rig.port.device_s - before_s == pytest.approx(2 * 8192 / 4e6 + 0.001)


def test_a_payload_may_be_less_than_a_page() -> None:
    rig = Rig()
    rig.begin(0, 2, CONFIGURE.replace(b'"8192"', b'"1000"'))
    for size in (1000, 1000, 1000, 1000, 96):
        rig.send(b"a" * size)
    assert summary(rig.answers()) == "ACK"
    assert rig.flash.read(1) == b"a" * 2048
    assert not rig.breaches


def test_data_before_the_ack_was_read_is_a_breach() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    rig.ask(place(b"erase", 0, 64))
    rig.send(place(b"program", 0, 4))
    rig.send(b"a" * 8192)
    assert summary(rig.answers()) == "ACK raw"
    assert rig.ask(b"") == "NAK"
    assert rig.breaches == ["raw data before the ACK was read"]
    assert rig.flash.is_erased(0)


def test_a_missing_zero_packet_is_a_breach() -> None:
    rig = Rig()
    rig.begin(0, 8)
    rig.send(b"a" * 8192)
    assert rig.ask(b"a" * 8191) == "NAK"
    assert rig.breaches == ["data instead of a zero-length packet"]


def test_without_the_last_zero_packet_there_is_no_answer() -> None:
    rig = Rig()
    rig.begin(0, 4)
    rig.send(b"a" * 8192)
    assert rig.answers() == []
    rig.send(b"")
    assert summary(rig.answers()) == "ACK"


def test_a_document_that_fills_its_packet_needs_a_zero_packet_too() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    short = document(b"<nop />")
    padded = short.replace(b"<data>", b" " * (512 - len(short)) + b"<data>")
    assert len(padded) == 512
    assert rig.ask(padded) == ""
    assert rig.ask(b"") == "ACK"
    assert not rig.breaches


def test_a_transfer_above_the_payload_is_a_breach() -> None:
    rig = Rig()
    rig.begin(0, 8)
    assert rig.ask(b"a" * 8193) == "NAK"
    assert rig.breaches == ["raw transfer of 8193 bytes, negotiated are 8192"]


def test_more_than_announced_is_a_breach() -> None:
    rig = Rig()
    rig.begin(0, 1)
    assert rig.ask(b"a" * 2049) == "NAK"
    assert rig.breaches == ["1 bytes more than announced"]


def test_a_page_that_is_not_erased_is_a_breach() -> None:
    rig = Rig()
    rig.begin(0, 1)
    rig.send(b"a" * 2048)
    rig.send(b"")
    rig.answers()
    rig.ask(place(b"program", 0, 1))
    rig.send(b"b" * 2048)
    assert rig.ask(b"") == "NAK"
    assert rig.breaches == ["program of page 0, which is not erased"]
    assert rig.flash.read(0) == b"a" * 2048


def test_a_start_inside_a_block_is_refused() -> None:
    rig = Rig()
    rig.ask(CONFIGURE)
    assert rig.ask(place(b"program", 1, 1)) == "NAK"
    assert not rig.breaches


def test_a_bad_block_is_skipped_and_its_data_follows() -> None:
    rig = Rig(bad_blocks=(1,))
    rig.begin(0, 66)
    for count in [4] * 16 + [2]:
        rig.send(b"a" * 2048 * count)
        rig.send(b"")
    assert summary(rig.answers()) == "ACK"
    assert [rig.flash.is_erased(page) for page in (63, 64, 127, 128, 129, 130)] == [
        False, True, True, False, False, True
    ]  # fmt: skip
    assert not rig.breaches


def test_data_shifted_into_a_block_that_was_not_erased_is_refused_but_no_breach() -> None:
    rig = Rig(bad_blocks=(1,))
    rig.flash.program(128, b"x" * 2048)
    rig.begin(0, 66)
    for count in [4] * 16 + [2]:
        rig.send(b"a" * 2048 * count)
        rig.send(b"")
    assert summary(rig.answers()) == "NAK"
    assert not rig.breaches


def test_a_tolerant_programmer_writes_breaches_down_and_goes_on() -> None:
    rig = Rig(tolerant=True)
    rig.ask(CONFIGURE)
    rig.ask(place(b"erase", 0, 64))
    rig.send(place(b"program", 0, 8))
    rig.send(b"a" * 8192)
    rig.send(b"b" * 8192)
    assert summary(rig.answers()) == "ACK"
    assert rig.breaches == [
        "raw data before the ACK was read",
        "data instead of a zero-length packet",
        "raw data before the ACK was read",
    ]
    assert rig.flash.read(7) == b"b" * 2048


# --- faults -----------------------------------------------------------------------------------


def test_the_nth_program_is_refused_after_its_data() -> None:
    rig = Rig(Programmer((), "MDM9607", nak_program=1))
    rig.begin(0, 1)
    rig.send(b"a" * 2048)
    rig.send(b"")
    answers = rig.answers()
    assert summary(answers) == "NAK"
    assert "HANDLE_PROGRAM_FAILURE" in logs(answers)


def test_an_early_refusal_drains_what_is_under_way() -> None:
    rig = Rig(Programmer((), "MDM9607", nak_early_program=1))
    rig.begin(0, 12)
    for _ in range(3):
        rig.send(b"a" * 8192)
        rig.send(b"")
    assert summary(rig.answers()) == "NAK"
    assert rig.ask(document(b"<nop />")) == "ACK"
    assert not rig.breaches


def test_it_vanishes_amid_the_data() -> None:
    rig = Rig(Programmer((), "MDM9607", unplug_after_bytes=9000))
    rig.begin(0, 12)
    rig.send(b"a" * 8192)
    rig.send(b"")
    taken = rig.side.receive(b"a" * 8192)
    assert taken.reactions == (Leave(None),)


def test_a_spoilt_program_differs_in_one_bit() -> None:
    rig = Rig(spoils=1)
    rig.begin(0, 2)
    rig.send(bytes(4096))
    rig.send(b"")
    assert summary(rig.answers()) == "ACK"
    assert rig.flash.read(0) == bytes(2047) + b"\x01"
    assert rig.flash.read(1) == bytes(2048)


# --- read -------------------------------------------------------------------------------------


def filled(rig: Rig) -> Rig:
    rig.ask(CONFIGURE)
    rig.flash.fill(0, b"".join(bytes([n]) * 2048 for n in range(130)))
    return rig


def test_read_gives_the_sectors_between_two_acks() -> None:
    rig = filled(Rig())
    rig.send(place(b"read", 64, 20))
    answers = rig.answers()
    raw = b"".join(answers[2:-1])
    assert summary(answers[:2]) == "ACK raw"
    assert raw == b"".join(bytes([n]) * 2048 for n in range(64, 84))
    assert summary(answers[-1:]) == "ACK"


def test_read_follows_the_mapping_of_program_or_the_physical_one() -> None:
    def pages(rig: Rig) -> list[int]:
        rig.send(place(b"read", 0, 130))
        raw = b"".join(rig.answers()[2:-1])
        assert len(raw) == 130 * 2048
        return list(raw[::2048])

    skip = pages(filled(Rig(bad_blocks=(1,))))
    raw = pages(filled(Rig(bad_blocks=(1,), raw_reads=True)))
    assert skip == list(range(130))
    assert raw == [*range(64), *[255] * 64, 64, 65]


def test_read_works_at_eight_megabytes_per_second() -> None:
    rig = filled(Rig())
    before_s = rig.port.device_s
    rig.send(place(b"read", 0, 64))
    rig.answers()
    assert rig.port.device_s - before_s == pytest.approx(64 * 2048 / 8e6 + 0.001)


def test_a_read_may_end_with_a_zero_packet() -> None:
    rig = filled(Rig(Programmer((), "MDM9607", zlp_after_read=True)))
    rig.send(place(b"read", 0, 4))
    assert rig.answers()[3] == b""


def test_a_read_behind_the_end_of_good_flash_is_blank() -> None:
    rig = filled(Rig(bad_blocks=(15,)))
    rig.send(place(b"read", 14 * 64, 128))
    assert rig.answers()[-2][-2048:] == b"\xff" * 2048
