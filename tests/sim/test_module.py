"""Whole modules: from plug to version, and what the log of OUT bytes keeps."""

import hashlib

import pytest

from tests.sim import literals
from tests.sim.host import Host
from tests.sim.units import FACTORIES, at, flash, flashed, image, module


@pytest.mark.parametrize("family", ["ec25", "rm500q"])
def test_a_whole_flash_makes_the_new_version(family: str) -> None:
    unit = module(family=family)
    host = Host(unit)
    usb_id = {"ec25": "2c7c:0125", "rm500q": "2c7c:0800"}[family]
    assert host.usb_id == usb_id
    assert at(host, b"AT+QGMR") == unit.layout.older_version.encode()
    assert literals.to_edl(host) == "05c6:9008"
    literals.load(host, unit.layout)
    answers = flash(host, unit.layout)
    assert all(b'value="ACK" rawmode="false"' in answer for answer in answers)
    assert host.wait_return() == usb_id
    assert at(host, b"AT+QGMR") == unit.layout.newer_version.encode()
    assert at(host, b"AT+CGSN") == unit.identity.imei.encode()
    assert at(host, b"AT+CFUN?") == b"+CFUN: 1"
    assert unit.breaches == []


def test_every_out_byte_is_logged_and_payload_only_counted() -> None:
    unit, _ = flashed(None)
    layout = unit.layout
    parts = [*layout.programmed[1:], layout.boot_loader]
    assert literals.SWITCH in unit.out_log.sent("runtime")
    assert unit.out_log.sent("sahara") == [literals.GO_LOAD, literals.DONE]
    documents = unit.out_log.sent("firehose")
    assert documents[0] == literals.CONFIGURE
    assert sum(b"<erase" in document for document in documents) == len(parts)
    payloads = unit.out_log.payloads()
    size = layout.sector_size_bytes
    for part, payload in zip(parts, payloads, strict=True):
        data = image(layout, part)
        data = data.ljust(-(-len(data) // size) * size, b"\0")
        assert payload.length_bytes == len(data)
        assert payload.sha256 == hashlib.sha256(data).hexdigest()
        assert payload.data is None


def test_payload_is_kept_on_demand() -> None:
    unit = FACTORIES["ec25"].make(keep_payload=True)
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(literals.CONFIGURE)
    part = unit.layout.part("TZ")
    literals.erase(host, unit.layout, part)
    literals.program(host, unit.layout, part, b"tz" * 1024)
    assert [payload.data for payload in unit.out_log.payloads()] == [bytearray(b"tz" * 1024)]


def test_rm500q_moves_to_the_companion_port_in_edl() -> None:
    host = Host(module(family="rm500q"))
    device = host.port.device(host.now_s)
    assert device is not None
    assert str(device.path) == "2-1"
    literals.to_edl(host)
    device = host.port.device(host.now_s)
    assert device is not None
    assert str(device.path) == "1-1"
    assert device.interfaces[0].usb_protocol == 0x11


def test_a_module_given_back_before_the_first_erase_is_unchanged() -> None:
    unit = module()
    host = Host(unit)
    literals.to_edl(host)
    host.read()
    host.send(literals.RESET)
    assert host.read() == bytes.fromhex("0800000008000000")
    assert host.wait_return() == "2c7c:0125"
    assert at(host, b"AT+QGMR") == unit.layout.older_version.encode()
    assert unit.breaches == []


def test_an_interrupted_flash_comes_up_in_edl_again() -> None:
    unit = module()
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(literals.CONFIGURE)
    literals.erase(host, unit.layout, unit.layout.boot_loader)
    host.send(literals.POWER_RESET)
    host.read_all()
    assert host.wait_return() == "05c6:9008"
    host.port.unplug()
    host.port.plug(unit, host.now_s)
    assert host.usb_id == "05c6:9008"


def test_a_programmer_that_waits_for_its_reset_reads_nothing_more() -> None:
    """Whoever comes in that second cannot change the flash that the module starts from."""
    unit = module()
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(literals.CONFIGURE)
    host.send(literals.HEAD + b'<power value="reset" DelayInSeconds="2" /></data>')
    while (answer := host.read(patience_s=0.5)) is not None:
        assert b"NAK" not in answer
    part = unit.layout.boot_loader
    start, sectors = unit.layout.start_sector(part), unit.layout.num_sectors(part)
    host.send(literals.command(unit.layout, "erase", start, sectors))
    assert host.read(patience_s=0.5) is None
    assert host.wait_return() == "2c7c:0125"
    assert at(host, b"AT+QGMR") == unit.layout.older_version.encode()
    assert unit.breaches == []


def test_an_erased_calibration_costs_the_imei() -> None:
    unit = module()
    host = Host(unit)
    literals.to_edl(host)
    literals.load(host, unit.layout)
    host.ask(literals.CONFIGURE)
    literals.erase(host, unit.layout, unit.layout.part("EFS2"))
    host.send(literals.POWER_RESET)
    host.read_all()
    assert host.wait_return() == "2c7c:0125"
    assert at(host, b"AT+CGSN") == b"ERROR"
    assert at(host, b"AT+CFUN?") == b"+CFUN: 5"


def test_set_configuration_is_a_breach_and_line_state_is_not() -> None:
    unit = module()
    host = Host(unit)
    host.open(2)
    assert unit.breaches == []
    unit.control(0x00, 0x09, 1, 0)
    assert [breach.where for breach in unit.breaches] == ["usb"]


def test_a_transfer_for_an_interface_that_is_not_there_is_a_breach() -> None:
    unit = module("arrives-in-edl")
    host = Host(unit)
    host.send(b"AT\r", 2)
    assert [breach.where for breach in unit.breaches] == ["usb"]
    assert unit.out_log.sent("sahara") == [b"AT\r"]


def test_what_it_is_sent_is_kept_only_if_wanted() -> None:
    unit = FACTORIES["ec25"].make(log_out=False)
    assert at(Host(unit), b"AT+CGMM") == b"EC25"
    assert unit.out_log.entries == []
