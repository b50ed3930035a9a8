"""Slots against the USB tree."""

from station.commands.checks.finding import Grade
from station.commands.checks.tray import bus_numbers, tray
from tests.commands.checks.conftest import Machine, found, only, wrong

SLOT_MAP = """
slots:
  A1: {ports: ["pci-0000:00:14.0-usbv2-0:1.1"]}
  A2: {ports: ["pci-0000:00:14.0-usbv2-0:1.2"]}
hubs:
  A: {at: "pci-0000:00:14.0-usbv2-0:1", usb_id: "05e3:0608", ports: 4, serial: HUB-A}
"""


def test_all_is_well(machine: Machine) -> None:
    machine.module("1-1.1")
    [finding] = found(tray, machine)
    assert (finding.grade, finding.where) == (Grade.OK, "A1, A2")


def test_ports_that_are_not_there(machine: Machine) -> None:
    machine.settings(**{"1-1.2": "1-3.2"})
    absent, *_ = wrong(tray, machine)
    assert (absent.grade, absent.what) == (Grade.BAD, "slot A2: there is no port 1-3.2")


def test_two_ports_that_are_not_one_socket(machine: Machine) -> None:
    machine.settings(**{"2-1.2": "2-1.3"})
    finding = only(tray, machine)
    assert finding.what == "U126 NOT ONE SOCKET: nothing is flashed in A2"


def test_a_hub_that_moved_is_told_once_for_all_its_slots(machine: Machine) -> None:
    machine.write("../line/slots.yaml", SLOT_MAP)
    text = machine.config.read_text()
    machine.config.write_text(text[: text.index("slots:")] + "slots: slots.yaml\n")
    machine.tree.write("1-1", "serial", "HUB-A")
    assert wrong(tray, machine) == []
    machine.tree.write("1-1", "serial", "ANOTHER")
    machine.tree.hub("1-4", ports=4, serial="HUB-A")
    finding = only(tray, machine)
    assert finding.what == "U120 HUB MOVED: nothing is flashed in A1, A2"
    assert "hub A is expected at pci-0000:00:14.0-usbv2-0:1" in finding.why


def test_a_slot_that_carries_a_hub(machine: Machine) -> None:
    machine.tree.hub("1-1.2", ports=4)
    assert {finding.grade for finding in wrong(tray, machine)} == {Grade.BAD}
    assert "a hub is plugged into 1-1.2" in wrong(tray, machine)[0].what


def test_a_full_speed_link(machine: Machine) -> None:
    machine.module("1-1.1", speed="12")
    finding = only(tray, machine)
    assert finding.what == "slot A1: 2c7c:0125 runs at 12 Mbit/s only"


def test_a_usb_3_module_on_usb_2(machine: Machine) -> None:
    machine.module("1-1.1", "2c7c:0800", version="2.10")
    assert only(tray, machine).what == "slot A1: 2c7c:0800 knows USB 3 and runs on USB 2"


def test_a_usb_3_module_in_a_usb_2_slot_is_as_good_as_it_gets(machine: Machine) -> None:
    machine.settings(**{"    - 2-1.1\n": ""})
    machine.module("1-1.1", "2c7c:0800", version="2.10")
    assert wrong(tray, machine) == []


def test_slots_by_bus_number_are_warned_of_those_that_were_learned_are_not(
    machine: Machine,
) -> None:
    finding = only(bus_numbers, machine)
    assert (finding.grade, finding.where) == (Grade.WARN, "A1, A2")
    assert "station slots learn" in finding.remedy
    machine.write("../line/slots.yaml", SLOT_MAP)
    text = machine.config.read_text()
    machine.config.write_text(text[: text.index("slots:")] + "slots: slots.yaml\n")
    assert found(bus_numbers, machine) == []
