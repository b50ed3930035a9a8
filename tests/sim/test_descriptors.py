"""Descriptors and control transfers of the modules, against bytes and listings of real ones."""

import pytest

from station.sim import faces
from station.sim.descriptors import Kind, descriptor
from station.sim.endpoint_zero import EndpointZero
from station.sim.port import Face
from station.sim.usbip_wire import Setup
from tests.sim.test_faces import EC25_AU_IN_EDL

EDL = faces.edl_face("QUSB_BULK_CID:0410_SN:0AA94EFD")
NAMELESS = faces.edl_face(None)
EC25 = faces.runtime_face(0x0125, "EC25-EF", superspeed=False)
RM500Q = faces.runtime_face(0x0800, "RM500Q-GL", superspeed=True)

CDC = "0524001001 0524010000 04240202 0524060000"

EC25_CONFIGURATION = bytes.fromhex(
    "0902d100 05 01 00 a0 fa"
    "0904 00 00 02 ff ff ff 00  0705 81 02 0002 00  0705 01 02 0002 00"
    f"0904 01 00 03 ff 00 00 00 {CDC}"
    "0705 83 03 0a00 09  0705 82 02 0002 00  0705 02 02 0002 00"
    f"0904 02 00 03 ff 00 00 00 {CDC}"
    "0705 85 03 0a00 09  0705 84 02 0002 00  0705 03 02 0002 00"
    f"0904 03 00 03 ff 00 00 00 {CDC}"
    "0705 87 03 0a00 09  0705 86 02 0002 00  0705 04 02 0002 00"
    "0904 04 00 03 ff ff ff 00"
    "0705 89 03 0a00 09  0705 88 02 0002 00  0705 05 02 0002 00"
)
"""209 bytes, as `lsusb -v` counts them on EC21 and EC25."""

RM500Q_DIAG = bytes.fromhex(
    "0904 00 00 02 ff ff 30 00"
    "0705 81 02 0004 00 0630 00 00 0000  0705 01 02 0004 00 0630 00 00 0000"
)
RM500Q_NMEA = bytes.fromhex(
    f"0904 01 00 03 ff 00 00 00 {CDC}"
    "0705 83 03 0a00 09 0630 00 00 0a00"
    "0705 82 02 0004 00 0630 00 00 0000  0705 02 02 0004 00 0630 00 00 0000"
)
RM500Q_BOS = bytes.fromhex(
    "050f2a0003 07100206000000 0a1003000f000101f401 14100a00010000000011000030400a00b0400a00"
)


def got(face: Face, kind: int, index: int = 0) -> bytes:
    found = descriptor(face, kind, index)
    assert found is not None
    return found


def text(face: Face, index: int) -> str:
    found = got(face, Kind.STRING, index)
    assert found[:2] == bytes((len(found), 3))
    return found[2:].decode("utf-16-le")


def test_a_module_in_edl_shows_the_recorded_bytes() -> None:
    assert got(EDL, Kind.DEVICE) + got(EDL, Kind.CONFIGURATION) == EC25_AU_IN_EDL
    assert text(EDL, 1) == "Qualcomm CDMA Technologies MSM"
    assert text(EDL, 2) == "QUSB_BULK_CID:0410_SN:0AA94EFD"


def test_without_a_product_string_only_its_index_differs() -> None:
    nameless, named = got(NAMELESS, Kind.DEVICE), got(EDL, Kind.DEVICE)
    assert (nameless[15], named[15]) == (0, 2)
    assert nameless[:15] + nameless[16:] == named[:15] + named[16:]
    assert descriptor(NAMELESS, Kind.STRING, 2) is None


def test_no_module_in_edl_has_a_serial_descriptor() -> None:
    assert got(EDL, Kind.DEVICE)[16] == 0
    assert descriptor(EDL, Kind.STRING, 3) is None


def test_rm500q_in_edl_is_high_speed_and_has_another_protocol() -> None:
    edl = faces.edl_face("QUSB_BULK_SN:0AA94EFD", 0x11)
    configuration = got(edl, Kind.CONFIGURATION)
    assert configuration == EC25_AU_IN_EDL[18:].replace(b"\xff\xff\xff\0", b"\xff\xff\x11\0")


def test_ec25_in_normal_mode() -> None:
    device = bytes.fromhex("1201 0002 ef0201 40 7c2c 2501 1803 01 02 00 01")
    assert got(EC25, Kind.DEVICE) == device
    assert len(EC25_CONFIGURATION) == 209
    assert got(EC25, Kind.CONFIGURATION) == EC25_CONFIGURATION
    assert [text(EC25, index) for index in (1, 2)] == ["Quectel", "EC25-EF"]
    assert got(EC25, Kind.DEVICE_QUALIFIER) == bytes.fromhex("0a06 0002 ef0201 40 01 00")
    assert descriptor(EC25, Kind.BOS, 0) is None


def test_rm500q_in_normal_mode_is_superspeed() -> None:
    device = bytes.fromhex("1201 2003 000000 09 7c2c 0008 1404 01 02 00 01")
    assert got(RM500Q, Kind.DEVICE) == device
    configuration = got(RM500Q, Kind.CONFIGURATION)
    assert configuration[:9] == bytes.fromhex("0902 2501 05 01 04 a0 70")
    assert len(configuration) == 0x0125
    assert configuration[9:].startswith(RM500Q_DIAG + RM500Q_NMEA)
    assert text(RM500Q, 4) == "DIAG_SER_RMNET"
    assert got(RM500Q, Kind.BOS) == RM500Q_BOS
    assert descriptor(RM500Q, Kind.DEVICE_QUALIFIER, 0) is None


@pytest.mark.parametrize("face", [EDL, NAMELESS, EC25, RM500Q])
def test_strings_are_in_english_and_short_enough(face: Face) -> None:
    assert got(face, Kind.STRING, 0) == bytes.fromhex("0403 0904")
    shouting = Face(face.vid, face.pid, face.interfaces, "x" * 300)
    assert len(got(shouting, Kind.STRING, 2)) == 254
    assert descriptor(face, Kind.STRING, 0xEE) is None


# --- endpoint 0 -------------------------------------------------------------------------------


def asked(zero: EndpointZero, setup: str, data: bytes = b"") -> bytes | None:
    return zero.answer(Setup.parse(bytes.fromhex(setup)), data)


def test_no_more_is_told_than_was_asked_for() -> None:
    zero = EndpointZero(EDL)
    assert asked(zero, "80 06 0001 0000 0800") == EC25_AU_IN_EDL[:8]
    assert asked(zero, "80 06 0002 0000 ff00") == EC25_AU_IN_EDL[18:]


def test_the_configuration_is_set_and_told() -> None:
    zero = EndpointZero(EC25)
    assert asked(zero, "80 08 0000 0000 0100") == b"\0"
    assert asked(zero, "00 09 0100 0000 0000") == b""
    assert asked(zero, "80 08 0000 0000 0100") == b"\1"
    assert asked(zero, "00 09 0200 0000 0000") is None


def test_interfaces_have_one_setting() -> None:
    zero = EndpointZero(EC25)
    assert asked(zero, "01 0b 0000 0200 0000") == b""
    assert asked(zero, "01 0b 0100 0200 0000") is None
    assert asked(zero, "01 0b 0000 0500 0000") is None
    assert asked(zero, "81 0a 0000 0200 0100") == b"\0"


def test_an_endpoint_is_halted_and_freed() -> None:
    zero = EndpointZero(EC25)
    assert asked(zero, "82 00 0000 8400 0200") == bytes(2)
    assert asked(zero, "02 03 0000 8400 0000") == b""
    assert zero.halted == {0x84}
    assert asked(zero, "82 00 0000 8400 0200") == b"\1\0"
    assert asked(zero, "02 01 0000 8400 0000") == b""
    assert zero.halted == set()
    assert asked(zero, "02 03 0000 8f00 0000") is None


def test_only_superspeed_takes_its_requests() -> None:
    sel, delay, u1 = "00 30 0000 0000 0600", "00 31 2800 0000 0000", "00 03 3000 0000 0000"
    assert [asked(EndpointZero(RM500Q), *each) for each in ((sel, bytes(6)), (delay,), (u1,))] == [
        b"",
        b"",
        b"",
    ]
    assert [asked(EndpointZero(EC25), *each) for each in ((sel, bytes(6)), (delay,), (u1,))] == [
        None,
        None,
        None,
    ]


def test_the_boot_rom_cannot_wake_a_host() -> None:
    assert asked(EndpointZero(EC25), "00 03 0100 0000 0000") == b""
    assert asked(EndpointZero(EDL), "00 03 0100 0000 0000") is None


@pytest.mark.parametrize(
    "setup", ["c0 01 0000 0000 0400", "40 01 0000 0000 0000", "80 06 0009 0000 0400"]
)
def test_what_it_does_not_know_stalls(setup: str) -> None:
    assert asked(EndpointZero(EC25), setup) is None


def test_the_line_state_of_an_interface_is_the_modules_business() -> None:
    zero = EndpointZero(EC25)
    ports = [
        number
        for number in range(8)
        if zero.is_for_module(Setup(0x21, 0x22, value=3, index=number, length_bytes=0))
    ]
    assert ports == [0, 1, 2, 3, 4]
