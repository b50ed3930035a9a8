"""Slots against the USB tree."""

from station.commands.checks.finding import Grade
from station.commands.checks.tray import tray
from tests.commands.checks.conftest import Machine, found, only, wrong


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
    first, second = wrong(tray, machine)
    assert first.what == "slot A2: 1-1.2 and 2-1.3 are not one socket; its other side is 2-1.2"
    assert second.what == "slot A2: 2-1.3 and 1-1.2 are not one socket; its other side is 1-1.3"


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
