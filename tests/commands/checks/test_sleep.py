"""Autosuspend."""

from station.commands.checks.finding import Grade
from station.commands.checks.sleep import sleep
from tests.commands.checks.conftest import Machine, only, wrong


def drowsy(machine: Machine, name: str) -> None:
    control = machine.tree.home(name) / "power/control"
    control.parent.mkdir(exist_ok=True)
    control.write_text("auto\n")


def test_hubs_and_modules_that_may_sleep_are_named(machine: Machine) -> None:
    machine.module("1-1.1")
    assert wrong(sleep, machine) == []
    drowsy(machine, "1-1")
    drowsy(machine, "1-1.1")
    finding = only(sleep, machine)
    assert (finding.grade, finding.where) == (Grade.WARN, "1-1, 1-1.1")
    assert "/sys/bus/usb/devices/1-1/power/control" in finding.remedy


def test_a_kernel_that_lets_nothing_sleep(machine: Machine) -> None:
    drowsy(machine, "1-1")
    machine.write("sys/module/usbcore/parameters/autosuspend", "-1\n")
    assert wrong(sleep, machine) == []
