"""Each fault does what its line says, and nothing before its time."""

import pytest

from station.errors import Disconnected
from station.model import imei_is_valid
from station.sim.faults import FAULTS, Traits
from tests.sim import literals
from tests.sim.host import Host
from tests.sim.units import at, flash, flashed, image, module


def test_each_fault_changes_something_and_fits_a_line() -> None:
    for name, fault in FAULTS.items():
        assert fault.traits != Traits(), name
        assert "\n" not in fault.description
        assert len(fault.description) < 70


def test_fault_nak_and_early_nak() -> None:
    for fault in ("nak", "early-nak"):
        unit = module(fault)
        host = Host(unit)
        literals.to_edl(host)
        literals.load(host, unit.layout)
        answers = flash(host, unit.layout)
        refused = [n for n, answer in enumerate(answers) if b'value="NAK"' in answer]
        assert refused == [1], fault
        assert unit.breaches == []


def test_fault_wrong_programmer() -> None:
    unit = module("wrong-programmer")
    host = Host(unit)
    literals.to_edl(host)
    with pytest.raises(AssertionError):
        literals.load(host, unit.layout)
    assert unit.breaches == []


def test_fault_unplug() -> None:
    unit = module("unplug")
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    with pytest.raises(Disconnected):
        flash(host, unit.layout)
    assert host.wait_return() is None
    assert host.usb_id is None


def test_fault_silent_sahara() -> None:
    unit = module("silent-sahara")
    host = Host(unit)
    assert literals.to_edl(host) == "05c6:9008"
    assert host.read() is None
    for data in (literals.GO_LOAD, b"\0", literals.HEAD + b"<nop /></data>", literals.RESET):
        assert host.ask(data) == b""
    assert unit.breaches == []


def test_fault_missed_hello_still_answers() -> None:
    host = Host(module("missed-hello"))
    literals.to_edl(host)
    assert host.read() is None
    assert host.ask(literals.GO_LOAD)[:4] == b"\x03\0\0\0"


def test_fault_no_return_and_slow_boot() -> None:
    assert flashed("no-return")[1].wait_return() is None
    _, host = flashed("slow-boot")
    left_s = host.now_s
    assert host.wait_return() == "2c7c:0125"
    assert host.now_s - left_s == pytest.approx(40, abs=0.1)


def test_fault_old_version_other_imei_ftm() -> None:
    unit, host = flashed("old-version")
    host.wait_return()
    assert at(host, b"AT+QGMR") == unit.layout.older_version.encode()
    unit, host = flashed("other-imei")
    host.wait_return()
    imei = at(host, b"AT+CGSN").decode()
    assert imei != unit.identity.imei
    assert imei_is_valid(imei)
    _, host = flashed("ftm")
    host.wait_return()
    assert at(host, b"AT+CFUN?") == b"+CFUN: 5"


def test_faults_of_the_return_do_not_show_before_the_flash() -> None:
    for fault in ("old-version", "other-imei", "ftm", "no-return"):
        unit = module(fault)
        host = Host(unit)
        assert at(host, b"AT+CGSN") == unit.identity.imei.encode()
        assert at(host, b"AT+CFUN?") == b"+CFUN: 1"
        literals.to_edl(host)
        host.ask(literals.RESET)
        assert host.wait_return() == "2c7c:0125"


@pytest.mark.parametrize(
    ("fault", "usb_id", "says"),
    [
        ("arrives-in-edl", "05c6:9008", b"\x01\0\0\0"),
        ("arrives-900e", "05c6:900e", b"\x01\0\0\0"),
        ("arrives-programmer-running", "05c6:9008", None),
    ],
)
def test_faults_of_arrival(fault: str, usb_id: str, says: bytes | None) -> None:
    host = Host(module(fault))
    assert host.usb_id == usb_id
    hello = host.read()
    assert (hello and hello[:4]) == says


def test_a_running_programmer_answers_hello_resp_with_xml() -> None:
    unit = module("arrives-programmer-running")
    host = Host(unit)
    assert host.ask(literals.GO_LOAD).startswith(b"<?xml")
    assert b"ACK" in host.ask(literals.CONFIGURE)
    assert unit.breaches == []


@pytest.mark.parametrize("fault", ["bad-blocks", "bad-blocks-raw"])
def test_bad_blocks_do_not_hinder_a_flash(fault: str) -> None:
    unit, host = flashed(fault)
    assert unit.nand.bad_blocks
    assert host.wait_return() == "2c7c:0125"
    assert at(host, b"AT+QGMR") == unit.layout.newer_version.encode()
    assert unit.breaches == []


def test_raw_reads_show_a_bad_block_as_a_shift() -> None:
    unit = module("bad-blocks-raw")
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(literals.CONFIGURE)
    layout = unit.layout
    start = layout.start_sector(layout.part("modem"))
    raw = host.ask(literals.command(layout, "read", start, 65))
    block = layout.block_size_bytes
    at_marker = raw.index(b"SIM-IMAGE modem\n")
    assert raw[at_marker - block : at_marker] == b"\xff" * block


def test_fault_corrupt_write_leaves_one_wrong_bit() -> None:
    unit, _ = flashed("corrupt-write")
    layout = unit.layout
    wrong = 0
    for part in layout.programmed:
        data = image(layout, part)
        pages = unit.nand.region(layout.start_sector(part), -(-len(data) // 2048))
        stored = b"".join(unit.nand.read(page) for page in pages)[: len(data)]
        wrong += sum((a ^ b).bit_count() for a, b in zip(data, stored, strict=True) if a != b)
    assert wrong == 1


def test_fault_mibib_moved_loses_calibration_when_flashed() -> None:
    unit = module("mibib-moved")
    assert at(Host(unit), b"AT+CGSN") == unit.identity.imei.encode()
    unit, host = flashed("mibib-moved")
    assert host.wait_return() == "2c7c:0125"
    assert at(host, b"AT+CGSN") == b"ERROR"


def test_fault_wrong_geometry_is_shown_and_enforced() -> None:
    unit = module("wrong-geometry")
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(literals.CONFIGURE)
    info = host.ask(literals.HEAD + b"<getstorageinfo /></data>")
    assert b"page_size&quot;:4096" in info
    assert b'value="NAK"' in literals.erase(host, unit.layout, unit.layout.boot_loader)


def test_fault_no_serial_string_and_its_opposite() -> None:
    for fault, product in (
        (None, "QUSB_BULK_CID:0410_SN:"),
        ("no-serial-string", "QUSB__BULK"),
    ):
        unit = module(fault)
        host = Host(unit)
        literals.to_edl(host)
        assert host.port.face is not None
        shown = host.port.face.product
        expected = product + (unit.identity.chip_serial.upper() if fault is None else "")
        assert shown == expected


def test_fault_no_edl_and_no_echo() -> None:
    assert literals.to_edl(Host(module("no-edl"))) is None
    assert literals.to_edl(Host(module("no-echo"))) == "05c6:9008"


def test_fault_wrong_variant() -> None:
    assert at(Host(module("wrong-variant")), b"AT+QGMR").startswith(b"EC25AFAR")
    assert at(Host(module("wrong-variant", "rm500q")), b"AT+QGMR").startswith(b"RM500QAE")


def test_fault_refuses_command_mode_and_sahara_v1() -> None:
    for fault in ("refuses-command-mode", "sahara-v1"):
        unit = module(fault)
        host = Host(unit)
        literals.to_edl(host)
        version = {"refuses-command-mode": 2, "sahara-v1": 1}[fault]
        assert (host.read() or b"")[8:12] == bytes([version, 0, 0, 0])
        refusal = bytes.fromhex("04000000100000000d00000018000000")
        assert host.ask(literals.GO_LOAD[:20] + b"\x03\0\0\0" + bytes(24)) == refusal
        assert host.ask(literals.RESET) == bytes.fromhex("0800000008000000")
        assert host.wait_return() == "2c7c:0125"
        assert unit.breaches == []


@pytest.mark.parametrize("fault", ["refuses-command-mode", "sahara-v1", "sahara-v3"])
def test_faults_of_sahara_do_not_hinder_a_flash(fault: str) -> None:
    unit, host = flashed(fault)
    assert host.wait_return() == "2c7c:0125"
    assert at(host, b"AT+QGMR") == unit.layout.newer_version.encode()
    assert unit.breaches == []


def test_fault_at_slow_values() -> None:
    unit = module("at-slow-values")
    host = Host(unit)
    host.open(2)
    host.now_s = 2.0
    assert host.port.device(host.now_s) is not None
    host.send(b"ATE0\r", 2)
    host.send(b"AT+QGMR\r", 2)
    host.send(b"ATI\r", 2)
    says = b"".join(iter(lambda: host.read(2, patience_s=0.1) or b"", b""))
    assert b"\r\nERROR\r\n" in says
    assert b"Quectel" in says
    host.now_s = 8.0
    assert at(host, b"AT+QGMR") == unit.layout.older_version.encode()
    assert at(host, b"AT+CFUN?") == b"+CFUN: 1"
    assert unit.breaches == []


def test_fault_edl_read_refused() -> None:
    unit = module("edl-read-refused")
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(literals.CONFIGURE)
    for start in (0, 640):
        answer = host.ask(literals.command(unit.layout, "read", start, 64))
        assert b'<response value="NAK" rawmode="false"' in answer
    part = unit.layout.part("TZ")
    assert b'value="ACK"' in literals.erase(host, unit.layout, part)
    assert b'value="ACK"' in literals.program(host, unit.layout, part, b"tz" * 1024)
    assert unit.breaches == []


def test_fault_hung_is_cured_by_power_alone() -> None:
    unit = module("hung")
    host = Host(unit)
    host.open(2)
    host.send(b"AT+CGSN\r", 2)
    assert host.read(2) is None
    assert at(Host(unit), b"AT+CGSN") == unit.identity.imei.encode()
    assert unit.breaches == []


def test_faults_of_the_names() -> None:
    assert at(Host(module("default-imei")), b"AT+CGSN") == b"004999010640000"
    first, second = module("copied-chip").identity, module("copied-chip").identity
    assert first.chip_serial == second.chip_serial != module("nak").identity.chip_serial
