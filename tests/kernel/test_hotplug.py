"""What comes and goes, told by the kernel and by udevd."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from station.model import DeviceInfo, PortPath
from station.transport.enumerations import enumerations
from station.transport.hotplug import UDEVD, Changes, Events, listen
from station.transport.kernel import Kernel
from station.transport.libusb import LibusbBackend, wheel_libusb
from tests.kernel.kernel import DEVICES, until
from tests.kernel.qmp import Monitor, monitor
from tests.kernel.rehearsal import rehearsal

SYS = Path("/sys")
SOURCES = {"udevd": UDEVD, "kernel": Path("/nowhere")}
LOOK_S = 1.0
"""The kernel tells that a device leaves before its folder in /sys is gone, and nothing after."""


@pytest.fixture(params=list(SOURCES.values()), ids=list(SOURCES))
def changes(request: pytest.FixtureRequest) -> Changes:
    return listen(request.param)


@pytest.fixture
def qemu() -> Iterator[Monitor]:
    with monitor() as qemu:
        yield qemu


@pytest.fixture(scope="module")
def port() -> PortPath:
    """Port 2 of QEMU's USB 2 root hub."""
    roots = [bus for bus in DEVICES.glob("usb*") if "vhci" not in str(bus.resolve())]
    (root,) = (bus for bus in roots if (bus / "speed").read_text().strip() == "480")
    return PortPath(int(root.name.removeprefix("usb")), (2,))


@contextmanager
def mouse(qemu: Monitor, name: str = "mouse") -> Iterator[None]:
    qemu.plug("usb-mouse", name, "xhci", "2")
    try:
        yield
    finally:
        qemu.unplug(name)


def is_there(port: PortPath) -> bool:
    return (DEVICES / str(port)).exists()


def test_an_event_wakes_all_who_wait(changes: Changes, qemu: Monitor, port: PortPath) -> None:
    assert isinstance(changes, Events)

    async def main() -> None:
        for come in (True, False):
            hand = partial(qemu.plug, "usb-mouse", "mouse", "xhci", "2")
            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    for _ in range(16):
                        nursery.start_soon(changes.wait, 3600)
                    await wait_all_tasks_blocked()
                    await trio.to_thread.run_sync(hand if come else partial(qemu.unplug, "mouse"))
                while is_there(port) != come:
                    await changes.wait(LOOK_S)

    trio.run(main)


def test_a_device_that_was_told_is_in_the_next_scan(
    changes: Changes, qemu: Monitor, port: PortPath
) -> None:
    """libusb hears of it from the same messages, maybe later than we: its descriptors are there."""

    async def main() -> None:
        backend = LibusbBackend(wheel_libusb(), Kernel(changes, SYS))

        async def seen() -> DeviceInfo | None:
            return next((found for found in await backend.scan() if found.path == port), None)

        for number in range(5):
            with trio.fail_after(30):
                assert await seen() is None
                with mouse(qemu, f"mouse{number}"):
                    while (device := await seen()) is None:
                        await backend.wait_change(3600)
                    assert device.interfaces
                while await seen() is not None:
                    await backend.wait_change(LOOK_S)

    trio.run(main)


def test_a_mouse_is_shown_as_what_it_is(qemu: Monitor, port: PortPath) -> None:
    async def main() -> DeviceInfo:
        backend = LibusbBackend()
        return next(found for found in await backend.scan() if found.path == port)

    with mouse(qemu):
        assert until(lambda: is_there(port))
        device = trio.run(main)
        assert until(lambda: (DEVICES / f"{port}:1.0/driver").exists())
    assert device.usb_id == "0627:0001"
    assert until(lambda: not is_there(port))


def test_each_enumeration_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Over USB/IP a module leaves and is back within milliseconds; nobody looks in between."""
    with rehearsal(tmp_path, 1) as tray:
        assert until(lambda: tray.device("A1") is not None)
        backend = LibusbBackend()
        (device,) = trio.run(backend.scan)
        path = device.path
        inodes = {enumerations(SYS)[device.path].inode}  # type: ignore[index]  # it is there
        generations = {device.generation}
        for _ in range(4):
            before = (None, inode(path))
            tray.ask("power", slot="A1", to="cycle")
            assert until(lambda: inode(path) not in before, 60)  # noqa: B023 - called at once
            (device,) = trio.run(backend.scan)
            inodes.add(inode(device.path) or 0)
            generations.add(device.generation)
            assert device.interfaces
    assert len(inodes) == len(generations) == 5


def inode(path: PortPath) -> int | None:
    there = (enumerations(SYS) or {}).get(path)
    return None if there is None else there.inode
