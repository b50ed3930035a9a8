"""Claiming an interface: who is asked before, who gets it back after."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.errors import UsbAccess, UsbBroken, UsbBusy
from station.model import PortPath
from station.sim.port import Face, Reaction, SimPort
from station.transport.hotplug import Polling
from station.transport.kernel import Kernel
from station.transport.libusb import LibusbBackend
from station.transport.tty_holders import TtyHolders
from tests.fakes.pyusb_backend import FakePyusb
from tests.fakes.sysfs import SysfsTree
from tests.transport.loopback import EDL, Loopback

PATH = PortPath(1, (1,))


class Bench:
    """A module whose interface 2 is ttyUSB0 of `option`; `backend` may ask who holds it."""

    def __init__(self, root: Path) -> None:
        self.port = SimPort(PATH)
        self.fake = FakePyusb([self.port])
        self.module = Loopback()
        self.fake.plug(self.port, self.module)
        self.fake.bind_kernel_driver(self.port, 2)
        tree = SysfsTree(root / "sys")
        tree.root_hub(tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd"), 1, 1)
        tree.device("1-1", "2c7c:0125", drivers=(None, None, "option"))
        (tree.flat / "1-1:1.2/ttyUSB0").mkdir()
        self.node = root / "dev/ttyUSB0"
        self.node.parent.mkdir()
        self.node.touch()
        ttys = TtyHolders(tree.root, root / "proc", self.node.parent)
        self.backend = LibusbBackend(self.fake, Kernel(Polling(), None, ttys))


class BootRom(Loopback):
    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        return EDL, ()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def reader(bench: Bench) -> Iterator[None]:
    """Somebody has the tty open."""
    descriptor = os.open(bench.node, os.O_RDONLY)
    yield
    os.close(descriptor)


@pytest.mark.trio
@pytest.mark.usefixtures("reader")
async def test_a_tty_that_is_held_keeps_its_driver(bench: Bench) -> None:
    (device,) = await bench.backend.scan()
    with pytest.raises(UsbBusy, match=r"1-1 interface 2: ttyUSB0 \(driver option\) is held by"):
        await bench.backend.open(device, 2, line_state=True)
    assert bench.fake.detached == []
    assert bench.fake.open_handles == 0

    pipe = await bench.backend.open(device, 0, line_state=True)  # another interface is free
    await pipe.aclose()


@pytest.mark.trio
async def test_a_tty_that_nobody_holds(bench: Bench) -> None:
    os.close(os.open(bench.node, os.O_RDONLY))
    (device,) = await bench.backend.scan()
    pipe = await bench.backend.open(device, 2, line_state=True)
    await pipe.aclose()
    assert bench.fake.detached == bench.fake.attached == [2]


@pytest.mark.trio
@pytest.mark.parametrize("fails", [False, True])
async def test_a_boot_rom_gets_no_driver_back(fails: bool) -> None:
    """Its HELLO would go to whoever opens the tty."""
    port = SimPort(PATH)
    fake = FakePyusb([port])
    fake.plug(port, BootRom())
    fake.bind_kernel_driver(port, 0)
    backend = LibusbBackend(fake)
    (device,) = await backend.scan()
    if fails:
        fake.failures["claim_interface"] = errno.EBUSY
        with pytest.raises(UsbBusy):
            await backend.open(device, 0, line_state=False)
    else:
        pipe = await backend.open(device, 0, line_state=False)
        await pipe.aclose()
    assert fake.detached == [0]
    assert fake.attached == []
    assert fake.open_handles == 0


@pytest.mark.trio
@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
async def test_no_rights_name_the_node_and_the_rule(bench: Bench, number: int) -> None:
    (device,) = await bench.backend.scan()
    bench.fake.failures["open_device"] = number
    with pytest.raises(UsbAccess, match=r"open 1-1 interface 0: .* /dev/bus/usb/001/\d{3}") as seen:
        await bench.backend.open(device, 0, line_state=False)
    assert "/etc/udev/rules.d/60-station.rules" in seen.value.remedy


@pytest.mark.trio
async def test_a_device_that_only_sysfs_shows(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path / "sys")
    tree.root_hub(tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd"), 1, 1)
    tree.device("1-1", "2c7c:0125")
    backend = LibusbBackend(FakePyusb([]), Kernel(Polling(), tree.root, None))
    (device,) = await backend.scan()

    with pytest.raises(UsbBroken, match="no pair of bulk endpoints"):
        await backend.open(device, 0, line_state=False)
    assert await backend.product(device) is None
