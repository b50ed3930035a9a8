"""Capacity and throughput of host controllers."""

from station.commands.checks.controllers import controllers, load_of
from station.commands.checks.finding import Grade
from tests.commands.checks.conftest import Machine, found, only, wrong


def slots(machine: Machine, count: int) -> None:
    """So many slots, four on each of the hubs 1-1 to 1-4."""
    lines = []
    for index in range(count):
        hub, port = divmod(index, 4)
        lines.append(f'  S{index}: {{ports: ["1-{hub + 1}.{port + 1}"]}}\n')
    text = machine.config.read_text()
    machine.config.write_text(text[: text.index("slots:")] + "slots:\n" + "".join(lines))


def test_a_small_tray_is_no_matter(machine: Machine) -> None:
    assert [finding.grade for finding in found(controllers, machine)] == [Grade.OK] * 3


def test_modules_fill_the_endpoints_before_they_fill_the_bus(machine: Machine) -> None:
    slots(machine, 7)
    finding = only(controllers, machine)
    assert finding.what.startswith("controller full: a full tray is 109 endpoints")
    assert finding.where == "pci-0000:00:14.0"


def test_nine_slots_are_too_many_for_one_usb_2_controller(machine: Machine) -> None:
    slots(machine, 9)
    full, slow = wrong(controllers, machine)
    assert "endpoints" in full.what
    assert slow.what == "too few controllers: 9 slots take 36 MB/s, USB 2 gives about 35"
    assert "These slots need 2 controllers" in slow.remedy


def test_a_module_that_is_there_tells_its_endpoints(machine: Machine) -> None:
    machine.module("1-1.1")  # five interfaces with three endpoints, and endpoint zero
    ground = machine.ground()
    [controller] = ground.topology.controllers
    load = load_of(ground, controller, list(ground.settings.slots))
    assert (load.slots, load.devices, load.endpoints) == (2, 2 + 2, 2 * 16 + 2 * 2)


def test_simulated_controllers_have_no_copper(machine: Machine) -> None:
    vhci = machine.tree.controller("platform/vhci_hcd.0", "platform", "vhci_hcd")
    machine.tree.root_hub(vhci, bus=3, ports=15)
    slots(machine, 15)
    machine.settings(**{'"1-': '"3-'})
    assert found(controllers, machine) == []


def test_no_controller_at_all(machine: Machine) -> None:
    (machine.tree.root / "bus/usb/devices").rename(machine.root / "gone")
    assert only(controllers, machine).grade is Grade.CANNOT_TELL
