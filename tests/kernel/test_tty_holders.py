"""Who holds a tty, on the kernel's own sysfs, /proc and inotify."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from station.errors import UsbAccess, UsbBusy
from station.model import DeviceInfo, PortPath
from station.transport.libusb import LibusbBackend
from station.transport.tty_holders import Holder, TtyHolders
from tests.kernel.kernel import DEVICES, until
from tests.kernel.rehearsal import Rehearsal, rehearsal
from tests.kernel.users import STRANGER, as_stranger, holding

AT_INTERFACE = 2
OPTION = Path("/sys/module/option/refcnt")


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A1 and A2 in normal mode, A3 in EDL."""
    folder = tmp_path_factory.mktemp("ttys")
    with rehearsal(folder, 3, "--fault", "A3=arrives-in-edl") as tray:
        last = (("A1", 3), ("A2", 3), ("A3", 0))
        assert until(lambda: all(tty(tray, *each) is not None for each in last), 60)
        yield tray


def interface_of(tray: Rehearsal, slot: str, number: int) -> Path:
    device = tray.device(slot)
    return DEVICES / "gone" if device is None else DEVICES / f"{device.name}:1.{number}"


def tty(tray: Rehearsal, slot: str, number: int = AT_INTERFACE) -> str | None:
    """Its node, once udev has made it what it shall be."""
    found = [*interface_of(tray, slot, number).glob("ttyUSB*")]
    node = Path("/dev") / found[0].name if found else None
    return str(node) if node is not None and node.exists() else None


def node_of(tray: Rehearsal, slot: str, number: int = AT_INTERFACE) -> str:
    found = tty(tray, slot, number)
    assert found is not None
    return found


def driver(tray: Rehearsal, slot: str, number: int = AT_INTERFACE) -> str | None:
    link = interface_of(tray, slot, number) / "driver"
    return link.resolve().name if link.exists() else None


def path_of(tray: Rehearsal, slot: str) -> PortPath:
    device = tray.device(slot)
    assert device is not None
    return PortPath.parse(device.name)


async def device_in(backend: LibusbBackend, path: PortPath) -> DeviceInfo:
    return next(device for device in await backend.scan() if device.path == path)


def test_the_driver_counts_its_open_ttys(tray: Rehearsal) -> None:
    assert until(lambda: OPTION.read_text().strip() == "0")
    with holding(node_of(tray, "A1")):
        assert OPTION.read_text().strip() == "1"
        with holding(node_of(tray, "A2")):
            assert OPTION.read_text().strip() == "2"
    assert until(lambda: OPTION.read_text().strip() == "0")


def test_root_is_told_the_program(tray: Rehearsal) -> None:
    """Also of a tty that was opened before anybody watched."""
    node = node_of(tray, "A1")
    with holding(node) as process:
        holders = TtyHolders()
        path = path_of(tray, "A1")
        held = Holder(Path(node).name, "option", path, AT_INTERFACE, process.pid, "sleep")
        assert holders.holder_of(path, AT_INTERFACE) == held
        assert holders.holders() == (held,)
        assert holders.holder_of(path_of(tray, "A2"), AT_INTERFACE) is None
    assert until(lambda: TtyHolders().holders() == ())


@pytest.mark.parametrize("user", [0, STRANGER + 1], ids=["held by root", "held by another user"])
def test_a_user_without_rights_is_told_the_tty(tray: Rehearsal, user: int) -> None:
    path, other = path_of(tray, "A1"), path_of(tray, "A2")
    holders = TtyHolders()  # the child inherits it, and could have made it
    seen: list[object] = []

    def ask(say: Callable[[object], None]) -> None:
        mine = TtyHolders()
        say("watching")
        assert until(lambda: mine.holder_of(path, AT_INTERFACE) is not None)
        say([str(mine.holder_of(path, AT_INTERFACE)), mine.holder_of(other, AT_INTERFACE) is None])
        assert until(lambda: mine.holder_of(path, AT_INTERFACE) is None)

    with as_stranger(ask) as said:
        assert said() == "watching"
        with holding(node_of(tray, "A1"), user=user):
            seen.append(said())
    name = Path(node_of(tray, "A1")).name
    assert seen == [[f"{name} (driver option) is held by another program", True]]
    assert holders.holders() == ()


def test_without_rights_and_too_late_nobody_is_accused(tray: Rehearsal) -> None:
    """One of eight ttys is open, and nobody saw which: no slot is blocked."""

    def ask(say: Callable[[object], None]) -> None:
        say([str(held) for held in TtyHolders().holders()])

    with holding(node_of(tray, "A1")), as_stranger(ask) as said:
        assert said() == []


def test_a_held_tty_keeps_its_driver_and_is_free_after(tray: Rehearsal) -> None:
    async def main() -> None:
        backend = LibusbBackend()
        path = path_of(tray, "A1")
        with holding(node_of(tray, "A1")) as process:
            with pytest.raises(
                UsbBusy, match=rf"option\) is held by sleep \(process {process.pid}"
            ):
                await backend.open(await device_in(backend, path), AT_INTERFACE, line_state=True)
            assert driver(tray, "A1") == "option"
            neighbour = await device_in(backend, path_of(tray, "A2"))
            pipe = await backend.open(neighbour, AT_INTERFACE, line_state=True)
            await pipe.aclose()
        with trio.fail_after(20):
            while True:
                try:
                    device = await device_in(backend, path)
                    pipe = await backend.open(device, AT_INTERFACE, line_state=True)
                    break
                except UsbBusy:
                    await backend.wait_change(0.1)
        assert driver(tray, "A1") == "usbfs"
        assert tty(tray, "A1") is None
        await pipe.aclose()

    trio.run(main)
    assert until(lambda: driver(tray, "A1") == "option" and tty(tray, "A1") is not None)
    assert until(lambda: driver(tray, "A2") == "option" and tty(tray, "A2") is not None)


def test_a_boot_rom_gets_no_driver_back_until_it_enumerates_anew(tray: Rehearsal) -> None:
    async def main() -> None:
        backend = LibusbBackend()
        device = await device_in(backend, path_of(tray, "A3"))
        pipe = await backend.open(device, 0, line_state=False)
        await pipe.aclose()

    assert driver(tray, "A3", 0) == "qcserial"
    trio.run(main)
    assert driver(tray, "A3", 0) is None
    tray.ask("power", slot="A3", to="cycle")
    assert until(lambda: driver(tray, "A3", 0) == "qcserial", 60)


def test_no_rights_name_the_node(tray: Rehearsal) -> None:
    device = tray.device("A1")
    assert device is not None
    number = int((device / "devnum").read_text())
    path = path_of(tray, "A1")
    bus = f"/dev/bus/usb/{path.bus:03d}/{number:03d}"
    assert Path(bus).stat().st_mode & 0o777 == 0o660
    backend = LibusbBackend()  # loaded here: the child cannot read the wheel

    def ask(say: Callable[[object], None]) -> None:
        async def main() -> None:
            with pytest.raises(UsbAccess) as refused:
                await backend.open(await device_in(backend, path), 0, line_state=False)
            say([refused.value.cause, refused.value.remedy])

        trio.run(main)

    with as_stranger(ask) as said:
        cause, remedy = said()
    assert bus in cause
    assert "60-station.rules" in remedy


def test_a_search_is_cheap(tray: Rehearsal, rig: Path) -> None:
    """Sixteen slots that wait for a port cost one search in half a second."""
    with holding(node_of(tray, "A1")):
        holders = TtyHolders()
        begun_s = time.monotonic()
        for _ in range(16):
            assert holders.holder_of(path_of(tray, "A1"), AT_INTERFACE) is not None
        took_s = time.monotonic() - begun_s
    (rig / "tty_holders.txt").write_text(f"16 questions, one holder: {took_s * 1000:.1f} ms\n")
    assert took_s < 2.0
