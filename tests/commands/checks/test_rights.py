"""The udev rule and the device nodes."""

from station.commands.checks.finding import Grade
from station.commands.checks.rights import rights
from tests.commands.checks.conftest import Machine, found, only, stranger, wrong


def test_a_module_that_the_station_may_use(machine: Machine) -> None:
    machine.module("1-1.1")
    assert [finding.grade for finding in found(rights, machine)] == [Grade.OK, Grade.OK]


def test_a_rule_that_is_not_there(machine: Machine) -> None:
    (machine.root / "etc/udev/rules.d/60-station.rules").unlink()
    finding = only(rights, machine)
    assert finding.grade is Grade.BAD
    assert "udevadm control --reload" in finding.remedy


def test_a_rule_that_lacks_a_line_of_ours(machine: Machine) -> None:
    rule = machine.root / "etc/udev/rules.d/60-station.rules"
    rule.write_text(rule.read_text().replace('ENV{ID_MM_DEVICE_IGNORE}="1"', ""))
    finding = only(rights, machine)
    assert finding.grade is Grade.WARN
    assert "ID_MM_DEVICE_IGNORE" in finding.what


def test_a_rule_with_the_owners_additions_is_as_shipped(machine: Machine) -> None:
    rule = machine.root / "etc/udev/rules.d/60-station.rules"
    rule.write_text(rule.read_text().replace("#IMPORT", "IMPORT").replace("#ENV", "ENV"))
    assert wrong(rights, machine) == []


def test_a_module_that_the_station_may_not_use(machine: Machine) -> None:
    node = machine.module("1-1.1")
    node.chmod(0o664)
    machine.keeper = stranger()
    finding = only(rights, machine)
    assert finding.grade is Grade.BAD
    assert "2c7c:0125 on 1-1.1: somebody may not use it" in finding.what
    assert "0664" in finding.where


def test_a_mouse_is_nobodys_business(machine: Machine) -> None:
    machine.module("1-1.1", "046d:c077").chmod(0o600)
    machine.keeper = stranger()
    assert wrong(rights, machine) == []


def test_a_module_that_leaves_in_that_moment(machine: Machine) -> None:
    machine.module("1-1.1").unlink()
    assert only(rights, machine).grade is Grade.CANNOT_TELL
