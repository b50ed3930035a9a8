"""Two witnesses of one bus: what they say together, and what a lying device may make of it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.errors import NoDescriptors
from station.model import Endpoint, Interface, PortPath
from station.sim.port import SimPort
from station.transport.enumerations import enumerations
from station.transport.usb_scan import UNREADABLE, Census
from tests.fakes.descriptors import starved
from tests.fakes.pyusb_backend import FakePyusb, Node
from tests.fakes.sysfs import SysfsTree
from tests.transport.loopback import AT, DIAG, MUTE, Loopback

FIRST = PortPath(1, (1,))
SECOND = PortPath(1, (2,))


class Bus:
    """Two ports in libusb's eyes, and the sysfs of the same kernel. Each can lag behind."""

    def __init__(self, root: Path) -> None:
        self.ports = {path: SimPort(path) for path in (FIRST, SECOND)}
        self.fake = LaggingPyusb(list(self.ports.values()))
        self.tree = SysfsTree(root / "sys")
        controller = self.tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
        self.tree.root_hub(controller, bus=1, ports=2)
        self.census = Census(self.fake, self.tree.root)

    def plug(self, path: PortPath, *, usb_id: str = "2c7c:0125") -> None:
        """A module arrives: libusb sees it, sysfs has its folder."""
        self.fake.plug(self.ports[path], Loopback())
        self.show(path, usb_id=usb_id)

    def show(self, path: PortPath, *, usb_id: str = "2c7c:0125") -> None:
        """In sysfs, with the address that libusb knows it by."""
        self.tree.device(str(path), usb_id)
        address = {
            PortPath(node.bus, node.chain): node.address
            for node in FakePyusb.enumerate_devices(self.fake)
        }.get(path, 99)
        self.tree.write(str(path), "devnum", str(address))

    def hide(self, path: PortPath) -> None:
        self.tree.remove(str(path))

    def unplug(self, path: PortPath) -> None:
        self.fake.unplug(self.ports[path])
        self.hide(path)


class LaggingPyusb(FakePyusb):
    """`behind` looks show what was there before."""

    behind = 0
    before: tuple[Node, ...] = ()
    looks = 0

    def enumerate_devices(self) -> Iterator[Node]:
        self.looks += 1
        if self.behind:
            self.behind -= 1
            yield from self.before
        else:
            yield from super().enumerate_devices()

    def lag(self, looks: int) -> None:
        self.before = tuple(super().enumerate_devices())
        self.behind = looks


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bus:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return Bus(tmp_path)


@pytest.mark.parametrize("spare", [0, 1])
def test_who_cannot_look_does_not_say_that_everybody_left(bus: Bus, spare: int) -> None:
    bus.plug(FIRST)
    first = bus.census.look()[FIRST]
    with starved(spare), pytest.raises(NoDescriptors):
        bus.census.look()
    assert bus.census.look()[FIRST].info is first.info


# --- generations ------------------------------------------------------------------------------


def test_the_two_agree(bus: Bus) -> None:
    bus.plug(FIRST)
    found = bus.census.look()
    assert list(found) == [FIRST]
    assert found[FIRST].info.interfaces == (DIAG, AT, MUTE)
    assert bus.census.look()[FIRST].info is found[FIRST].info
    assert bus.fake.looks == 2


def test_left_and_returned_with_the_same_address(bus: Bus) -> None:
    bus.plug(FIRST)
    first = bus.census.look()[FIRST]
    bus.hide(FIRST)
    bus.show(FIRST)
    second = bus.census.look()[FIRST]

    assert second.address == first.address
    assert second.info.generation != first.info.generation


def test_libusb_lags_behind_an_arrival(bus: Bus) -> None:
    bus.fake.lag(2)
    bus.plug(FIRST)
    assert bus.census.look()[FIRST].info.interfaces == (DIAG, AT, MUTE)
    assert bus.fake.looks == 3


def test_libusb_lags_behind_a_departure(bus: Bus) -> None:
    bus.plug(FIRST)
    bus.census.look()
    bus.fake.lag(2)
    bus.unplug(FIRST)
    assert bus.census.look() == {}


def test_libusb_lags_behind_a_swap(bus: Bus) -> None:
    """Another device on the same port, before libusb knows it: never the old descriptors."""
    bus.plug(FIRST)
    first = bus.census.look()[FIRST]
    bus.fake.lag(100)
    bus.unplug(FIRST)
    bus.plug(FIRST, usb_id="05c6:9008")
    second = bus.census.look()[FIRST]

    assert second.info.usb_id == "05c6:9008"
    assert second.info.generation != first.info.generation
    assert second.info.interfaces == ()
    assert second.raw is None


def test_a_device_that_libusb_never_shows(bus: Bus) -> None:
    """Seen, without interfaces; the looks that follow do not wait for it again."""
    bus.show(FIRST, usb_id="dead:beef")
    found = bus.census.look()[FIRST]
    assert (found.info.usb_id, found.info.interfaces, found.raw) == ("dead:beef", (), None)
    looks = bus.fake.looks
    assert looks > 1

    again = bus.census.look()[FIRST]
    assert again.info == found.info
    assert bus.fake.looks == looks + 1


def test_a_device_that_libusb_shows_later(bus: Bus) -> None:
    bus.fake.lag(10)
    bus.plug(FIRST)
    early = bus.census.look()[FIRST].info
    bus.fake.behind = 0
    late = bus.census.look()[FIRST].info

    assert early.interfaces == ()
    assert late.interfaces == (DIAG, AT, MUTE)
    assert late.generation == early.generation


def test_a_folder_that_goes_while_it_is_read(bus: Bus) -> None:
    bus.plug(FIRST)
    (bus.tree.home(str(FIRST)) / "idProduct").unlink()
    assert bus.census.look() == {}


@pytest.mark.parametrize("lie", ["", "x", "-", "zz99", "\udcff" * 10, "9" * 5000])
def test_sysfs_that_says_nonsense(bus: Bus, lie: str) -> None:
    bus.plug(FIRST)
    bus.plug(SECOND)
    (bus.tree.home(str(FIRST)) / "devnum").write_bytes(os.fsencode(lie))
    assert list(bus.census.look()) == [SECOND]


def test_no_sysfs(tmp_path: Path) -> None:
    assert enumerations(tmp_path / "sys") is None


# --- descriptors ------------------------------------------------------------------------------


class LyingPyusb(FakePyusb):
    """The device on FIRST answers with what a test puts in; the other ones are honest."""

    def __init__(self, *ports: SimPort) -> None:
        super().__init__(ports)
        self.lies: dict[str, Callable[[SimpleNamespace], None]] = {}
        self.raises: dict[str, Exception] = {}

    def _lie(self, method: str, dev: Node, honest: SimpleNamespace) -> SimpleNamespace:
        if (dev.bus, dev.chain) == (FIRST.bus, FIRST.chain):
            if method in self.raises:
                raise self.raises[method]
            if method in self.lies:
                self.lies[method](honest)
        return honest

    def get_device_descriptor(self, dev: Node) -> SimpleNamespace:
        return self._lie("device", dev, super().get_device_descriptor(dev))

    def get_configuration_descriptor(self, dev: Node, config: int) -> SimpleNamespace:
        return self._lie("configuration", dev, super().get_configuration_descriptor(dev, config))

    def get_interface_descriptor(
        self, dev: Node, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        honest = super().get_interface_descriptor(dev, intf, alt, config)
        return self._lie("interface", dev, honest)

    def get_endpoint_descriptor(
        self, dev: Node, ep: int, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        honest = super().get_endpoint_descriptor(dev, ep, intf, alt, config)
        return self._lie("endpoint", dev, honest)


def lying() -> LyingPyusb:
    first, second = SimPort(FIRST), SimPort(SECOND)
    fake = LyingPyusb(first, second)
    fake.plug(first, Loopback())
    fake.plug(second, Loopback())
    return fake


METHODS = ("device", "configuration", "interface", "endpoint")


def interfaces_seen(fake: FakePyusb) -> tuple[Interface, ...]:
    found = Census(fake).look()
    assert found[SECOND].info.interfaces == (DIAG, AT, MUTE)
    return found[FIRST].info.interfaces


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable_descriptors(method: str, kind: type[Exception]) -> None:
    fake = lying()
    fake.raises[method] = kind("NULL pointer access")
    assert interfaces_seen(fake) == ()


@pytest.mark.parametrize("kind", UNREADABLE)
def test_one_unreadable_device_does_not_hide_the_others(kind: type[Exception]) -> None:
    fake = lying()
    fake.raises["device"] = kind("odd")
    assert list(Census(fake).look()) == [SECOND]


@pytest.mark.parametrize("method", METHODS)
def test_a_descriptor_without_fields(method: str) -> None:
    fake = lying()
    fake.lies[method] = lambda descriptor: vars(descriptor).clear()
    found = Census(fake).look()
    assert found[SECOND].info.interfaces == (DIAG, AT, MUTE)
    assert FIRST not in found or found[FIRST].info.interfaces == ()


@pytest.mark.parametrize("count", [33, 255, 300, -1])
def test_a_number_of_interfaces_that_cannot_be(count: int) -> None:
    fake = lying()
    fake.lies["configuration"] = lambda descriptor: setattr(descriptor, "bNumInterfaces", count)
    assert interfaces_seen(fake) == ()


def test_more_interfaces_than_there_are() -> None:
    fake = lying()
    fake.lies["configuration"] = lambda descriptor: setattr(descriptor, "bNumInterfaces", 8)
    assert interfaces_seen(fake) == ()


def test_interfaces_with_one_number() -> None:
    fake = lying()
    fake.lies["interface"] = lambda descriptor: setattr(descriptor, "bInterfaceNumber", 4)
    (only,) = interfaces_seen(fake)
    assert only.number == 4
    assert only.endpoints == DIAG.endpoints


def test_no_endpoints() -> None:
    fake = lying()
    fake.lies["interface"] = lambda descriptor: setattr(descriptor, "bNumEndpoints", 0)
    assert [interface.endpoints for interface in interfaces_seen(fake)] == [(), (), ()]


@pytest.mark.parametrize(
    ("field", "value"),
    [("bEndpointAddress", 0x80), ("wMaxPacketSize", 0), ("wMaxPacketSize", 0x800)],
)
def test_endpoints_that_no_transfer_can_use(field: str, value: int) -> None:
    """An empty packet size would be divided by."""
    fake = lying()
    fake.lies["endpoint"] = lambda descriptor: setattr(descriptor, field, value)
    assert all(interface.bulk_in is None for interface in interfaces_seen(fake))


FIELDS = {
    "configuration": ("bNumInterfaces",),
    "interface": ("bInterfaceNumber", "bNumEndpoints", "bInterfaceClass"),
    "endpoint": ("bEndpointAddress", "bmAttributes", "wMaxPacketSize"),
}


@settings(deadline=None)  # the machine may be busy with other tests
@given(data=st.data())
def test_whatever_a_device_says_the_others_are_seen(data: st.DataObject) -> None:
    fake = lying()

    def lie(descriptor: SimpleNamespace) -> None:
        for name in set(descriptor.__dict__) & {
            name for names in FIELDS.values() for name in names
        }:
            if data.draw(st.booleans()):
                setattr(descriptor, name, data.draw(st.integers(0, 0xFFFF)))

    fake.lies = dict.fromkeys(FIELDS, lie)
    if data.draw(st.booleans()):
        kind = data.draw(st.sampled_from(UNREADABLE))
        fake.raises[data.draw(st.sampled_from(METHODS[1:]))] = kind("odd")

    interfaces = interfaces_seen(fake)
    numbers = [interface.number for interface in interfaces]
    assert len(numbers) == len(set(numbers)) <= 32
    for interface in interfaces:
        assert len(interface.endpoints) <= 30
        assert all(usable(endpoint) for endpoint in interface.endpoints)


def usable(endpoint: Endpoint) -> bool:
    return endpoint.address & 0x0F != 0 and 0 < endpoint.max_packet_bytes <= 0x7FF
