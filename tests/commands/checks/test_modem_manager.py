"""ModemManager runs or not, and is told to keep away or not."""

from station.commands.checks.finding import Grade
from station.commands.checks.modem_manager import modem_manager
from tests.commands.checks.conftest import Machine, found, only, wrong


def running(machine: Machine) -> None:
    machine.write("proc/812/comm", "ModemManager\n")
    machine.write("proc/1/comm", "systemd\n")


def test_it_does_not_run(machine: Machine) -> None:
    machine.module("1-1.1")
    assert wrong(modem_manager, machine) == []


def test_it_runs_and_nothing_is_plugged(machine: Machine) -> None:
    running(machine)
    assert wrong(modem_manager, machine) == []
    (machine.root / "etc/udev/rules.d/60-station.rules").unlink()
    assert only(modem_manager, machine).grade is Grade.BAD


def test_udev_told_it_to_leave_a_module_alone(machine: Machine) -> None:
    running(machine)
    machine.module("1-1.1")
    number = (machine.tree.home("1-1.1") / "dev").read_text().strip()
    record = machine.write(f"run/udev/data/c{number}", "I:1\nE:ID_MM_DEVICE_IGNORE=1\n")
    assert wrong(modem_manager, machine) == []
    record.write_text("I:1\nE:ID_MM_DEVICE_IGNORE=0\n")
    finding = only(modem_manager, machine)
    assert (finding.grade, finding.where) == (Grade.BAD, "module 2c7c:0125 on 1-1.1")


def test_its_version_is_said(machine: Machine) -> None:
    running(machine)
    program = machine.write("usr/sbin/ModemManager", "#!/bin/sh\necho ModemManager 1.20.4\n")
    program.chmod(0o755)
    assert found(modem_manager, machine)[0].what.startswith("ModemManager 1.20.4 runs")
    program.write_text("not a program")
    assert found(modem_manager, machine)[0].what.startswith("ModemManager runs")
