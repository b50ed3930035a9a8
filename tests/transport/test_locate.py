"""Which ports the slots mean now; what moved disables its slots by name, and no others."""

from pathlib import Path

import pytest

from station.config import HubMark
from station.model import Slot
from station.places import Location, PortPath
from station.transport.locate import Located, locate
from station.transport.topology import Topology, read_topology
from tests.fakes.sysfs import SysfsTree

CARD = "pci-0000:03:00.0"


def at(chain: str, revision: int | None = 2, controller: str = CARD) -> Location:
    usb = "usb" if revision is None else f"usbv{revision}"
    return Location.parse(f"{controller}-{usb}-0:{chain}")


def slot(name: str, *places: Location | str) -> Slot:
    return Slot(
        name,
        frozenset(PortPath.parse(place) for place in places if isinstance(place, str)),
        None,
        frozenset(place for place in places if isinstance(place, Location)),
    )


def paths(located: Located, name: str) -> list[str]:
    found = next(slot for slot in located.slots if slot.name == name)
    assert not found.locations
    return [str(path) for path in sorted(found.ports)]


def codes(located: Located) -> dict[str, str]:
    for slot in located.slots:
        assert (slot.barred is not None) == (slot.name in located.mismatches)
        assert slot.barred is None or not slot.ports
    return {name: error.code for name, error in located.mismatches.items()}


class Machine:
    """A card with a root hub for each speed; `bus` is its first number in this boot."""

    def __init__(self, folder: Path, bus: int = 1) -> None:
        self.tree = SysfsTree(folder / "sys")
        card = self.tree.controller("pci0000:00/0000:00:1c.0/0000:03:00.0", "pci", "xhci_hcd")
        self.two, self.three = bus, bus + 1
        self.tree.root_hub(card, self.two, 4)
        self.tree.root_hub(card, self.three, 4, version="3.00", speed="5000")
        for port in range(1, 5):
            self.tree.peer(f"usb{self.two}", port, f"usb{self.three}", port)

    def hub(self, port: str, serial: str | None = None, usb_id: str = "05e3:0608") -> None:
        self.tree.hub(f"{self.two}-{port}", 4, serial=serial, usb_id=usb_id)

    def pair(self, port: str, serial: str | None = None) -> None:
        self.hub(port, serial)
        self.tree.hub(f"{self.three}-{port}", 4, usb_id="05e3:0612", serial=serial, speed="5000")
        for number in range(1, 5):
            self.tree.peer(f"{self.two}-{port}", number, f"{self.three}-{port}", number)

    def look(self) -> Topology:
        return read_topology(self.tree.root)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


A = HubMark("A", at("1"), "05e3:0608", 4, "0001")
B = HubMark("B", at("2"), "05e3:0608", 4, "0002")
TRAY = (slot("A1", at("1.1")), slot("A2", at("1.2")), slot("B1", at("2.1")))


@pytest.mark.parametrize("bus", [1, 17])
def test_locations_follow_the_bus_numbers_of_this_boot(tmp_path: Path, bus: int) -> None:
    machine = Machine(tmp_path, bus)
    machine.pair("1", "0001")
    tray = [slot("A1", at("1.1"), at("1.1", 3)), slot("A2", at("1.2", None)), slot("A3", at("2"))]
    located = locate(tray, [A], machine.look())
    assert codes(located) == {}
    assert paths(located, "A1") == [f"{bus}-1.1", f"{bus + 1}-1.1"]
    assert paths(located, "A2") == [f"{bus}-1.2", f"{bus + 1}-1.2"]
    assert paths(located, "A3") == [f"{bus}-2"]


def test_everything_in_its_place(machine: Machine) -> None:
    machine.hub("1", "0001")
    machine.hub("2", "0002")
    located = locate(TRAY, [A, B], machine.look())
    assert codes(located) == {}
    assert located.hubs == {}
    assert [slot.name for slot in located.slots] == ["A1", "A2", "B1"]


def test_a_hub_that_moved_is_told_and_disables_its_own_slots_only(machine: Machine) -> None:
    machine.hub("3", "0001")
    machine.hub("2", "0002")
    located = locate(TRAY, [A, B], machine.look())
    assert codes(located) == {"A1": "U120", "A2": "U120"}
    assert located.mismatches["A1"].cause == (
        f"hub A is expected at {at('1')}; it is at {at('3')} (1-3)"
    )
    assert paths(located, "B1") == ["1-2.1"]


def test_two_hubs_that_changed_places(machine: Machine) -> None:
    machine.hub("1", "0002")
    machine.hub("2", "0001")
    located = locate(TRAY, [A, B], machine.look())
    assert codes(located) == {"A1": "U121", "A2": "U121", "B1": "U121"}
    assert "hub A and hub B are swapped" in located.mismatches["A1"].cause
    assert located.hubs.keys() == {"A", "B"}


def test_a_hub_that_took_the_place_of_one_that_is_gone(machine: Machine) -> None:
    machine.hub("1", "0002")
    located = locate(TRAY, [A, B], machine.look())
    assert codes(located) == {"A1": "U123", "A2": "U123", "B1": "U120"}
    assert "serial 0002" in located.mismatches["A1"].cause
    assert str(at("1")) in located.mismatches["B1"].cause


def test_a_hub_without_power(machine: Machine) -> None:
    machine.hub("2", "0002")
    assert codes(locate(TRAY, [A, B], machine.look())) == {"A1": "U122", "A2": "U122"}
    assert codes(locate(TRAY, [], machine.look())) == {"A1": "U122", "A2": "U122"}


def test_a_hub_of_another_model(machine: Machine) -> None:
    machine.hub("1", usb_id="0bda:5411")
    located = locate(TRAY[:2], [A], machine.look())
    assert codes(located) == {"A1": "U123", "A2": "U123"}
    cause = located.mismatches["A1"].cause
    assert "05e3:0608 with 4 ports, serial 0001" in cause
    assert "0bda:5411 with 4 ports" in cause


def test_a_mark_without_serial_takes_any_hub_of_its_model(machine: Machine) -> None:
    machine.hub("1", "0007")
    mark = HubMark("A", at("1"), "05e3:0608", 4)
    assert codes(locate(TRAY[:2], [mark], machine.look())) == {}
    machine.hub("2", "0008")
    moved = HubMark("A", at("3"), "05e3:0608", 4)
    machine.tree.write("1-2", "idProduct", "0610")
    located = locate([slot("A1", at("3.1"))], [moved], machine.look())
    assert codes(located) == {"A1": "U120"}
    assert "one like it is at" in located.mismatches["A1"].cause


def test_the_outermost_hub_explains_those_behind_it(machine: Machine) -> None:
    machine.hub("3", "0001")
    machine.hub("3.4", "0009")
    inner = HubMark("AA", at("1.4"), "05e3:0608", 4, "0009")
    located = locate([slot("A9", at("1.4.1"))], [inner, A], machine.look())
    assert located.mismatches["A9"].cause.startswith("hub A is expected")
    assert located.hubs.keys() == {"A", "AA"}


def test_the_usb_3_half_of_a_hub_is_looked_at_too(machine: Machine) -> None:
    machine.pair("1", "0001")
    half = HubMark("A-usb3", at("1", 3), "05e3:0612", 4, "0005")
    both = slot("A1", at("1.1", None))
    located = locate([both, slot("A2", at("1.2"))], [A, half], machine.look())
    assert codes(located) == {"A1": "U123"}
    assert located.mismatches["A1"].cause.startswith("the USB 3 side of hub A is expected at")


def test_a_controller_that_is_not_there(machine: Machine) -> None:
    machine.hub("1", "0001")
    gone = at("1.1", controller="pci-0000:05:00.0")
    mark = HubMark("C", at("1", controller="pci-0000:05:00.0"), "05e3:0608", 4, "0001")
    for marks in ((), (mark,)):
        located = locate([slot("C1", gone), TRAY[0]], marks, machine.look())
        assert codes(located) == {"C1": "U124"}
        assert CARD in located.mismatches["C1"].cause
    assert codes(locate([slot("C1", gone)], [mark], Topology())) == {"C1": "U124"}


def test_a_port_that_the_hub_does_not_have(machine: Machine) -> None:
    machine.hub("1", "0001")
    located = locate([slot("A9", at("1.9"))], [A], machine.look())
    assert codes(located) == {"A9": "U125"}
    assert located.mismatches["A9"].cause.endswith("hub 1-1 has 4 ports")


def test_ports_of_two_sockets_are_no_slot(machine: Machine) -> None:
    machine.pair("1")
    tray = [
        slot("A1", "1-1.1", "2-1.1"),
        slot("A2", "1-1.2", "2-1.3"),
        slot("A4", at("1.4"), "2-2"),
    ]
    located = locate(tray, [], machine.look())
    assert codes(located) == {"A2": "U126", "A4": "U126"}
    assert "1-1.2 belongs to 2-1.2" in located.mismatches["A2"].cause
    assert paths(located, "A1") == ["1-1.1", "2-1.1"]


def test_a_companion_that_does_not_agree_is_none(machine: Machine) -> None:
    machine.hub("1")
    machine.tree.hub("2-1", 4, speed="5000")
    machine.tree.half_peer("1-1", 1, "2-1", 1)
    located = locate([slot("A1", "1-1.1", "2-1.1")], [], machine.look())
    assert codes(located) == {"A1": "U126"}
    assert "which does not say the same" in located.mismatches["A1"].cause


def test_what_the_kernel_does_not_know_is_not_held_against_a_slot(machine: Machine) -> None:
    machine.hub("1")
    machine.tree.hub("2-1", 4, speed="5000")
    tray = [slot("A1", "1-1.1", "2-1.1"), slot("A2", "7-1", "8-1"), slot("A3", "1-1.3", "1-1.4")]
    located = locate(tray, [], machine.look())
    assert codes(located) == {}
    assert located.slots == tuple(tray)


def test_slots_by_port_path_need_no_usb_tree() -> None:
    tray = (slot("A1", "1-1.1", "2-1.1"),)
    assert locate(tray, [], Topology()) == Located(tray, {})


def test_a_port_path_below_a_hub_that_moved_is_disabled_too(machine: Machine) -> None:
    machine.hub("3", "0001")
    assert codes(locate([slot("A1", "1-1.1")], [A], machine.look())) == {"A1": "U120"}


def test_one_port_by_two_names_is_in_two_slots(machine: Machine) -> None:
    machine.pair("1")
    tray = [slot("A1", "2-1.1"), slot("A2", at("1.1", None)), slot("A3", "1-1.3")]
    located = locate(tray, [], machine.look())
    assert codes(located) == {"A1": "U127", "A2": "U127"}
    assert located.mismatches["A1"].cause == "port 2-1.1 is in slots A1, A2"
