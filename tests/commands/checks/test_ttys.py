"""Programs that hold a module's tty."""

from pathlib import Path

from station.commands.checks.finding import Grade
from station.commands.checks.ttys import ttys
from tests.commands.checks.conftest import Machine, found, only, wrong


def held(machine: Machine) -> Path:
    """ttyUSB2 on the module, and process 4711 has it open; the folder of process 1's files."""
    face = machine.tree.home("1-1.1") / "1-1.1:1.2"
    (face / "ttyUSB2").mkdir()
    machine.write("proc/4711/comm", "minicom\n")
    files = machine.root / "proc/4711/fd"
    files.mkdir()
    (files / "3").symlink_to("/dev/ttyUSB2")
    first = machine.root / "proc/1/fd"
    first.mkdir(parents=True)
    (machine.root / "dev").mkdir(exist_ok=True)
    return first


def test_the_program_is_named(machine: Machine) -> None:
    machine.module("1-1.1")
    held(machine)
    finding = only(ttys, machine)
    assert finding.grade is Grade.BAD
    assert finding.what == "ttyUSB2 (driver option) is held by minicom (process 4711)"
    assert finding.where == "module on 1-1.1, interface 2"
    assert "kill 4711" in finding.remedy


def test_nobody_holds_one(machine: Machine) -> None:
    machine.module("1-1.1")
    held(machine)
    (machine.root / "proc/4711/fd/3").unlink()
    assert [finding.grade for finding in found(ttys, machine)] == [Grade.OK]


def test_without_root_nobody_can_tell(machine: Machine) -> None:
    machine.module("1-1.1")
    first = held(machine)
    (machine.root / "proc/4711/fd/3").unlink()
    first.rmdir()  # what may not be read is as good as not there
    assert only(ttys, machine).remedy == "sudo station doctor"


def test_other_devices_are_their_owners_business(machine: Machine) -> None:
    machine.module("1-1.1", "0403:6001")
    held(machine)
    assert wrong(ttys, machine) == []
