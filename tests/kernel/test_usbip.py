"""Simulated modules on a real kernel: what it makes of them, and that they keep their ports."""

from pathlib import Path

import libusb_package
import usb.core
import usb.util

from tests.kernel.kernel import DEVICES, read, until
from tests.kernel.rehearsal import Rehearsal, rehearsal

SWITCH = bytes.fromhex("4b650100540f7e")


def test_a_module_keeps_its_port_through_switch_power_and_plug(tmp_path: Path) -> None:
    with rehearsal(tmp_path, 2) as tray:
        assert tray.shows("A1", "2c7c:0125")
        assert tray.shows("A2", "2c7c:0125")
        other = read(DEVICES / tray.ports("A2")[0], "devnum")
        switch_to_edl(tray, "A1")
        assert tray.shows("A1", "05c6:9008")
        before = read(DEVICES / tray.ports("A1")[0], "devnum")
        tray.ask("power", slot="A1", to="cycle")
        assert tray.shows("A1", "2c7c:0125")
        assert read(DEVICES / tray.ports("A1")[0], "devnum") != before
        tray.ask("unplug", slot="A1")
        assert until(lambda: tray.device("A1") is None)
        tray.ask("plug", slot="A1", fault="no-serial-string")
        assert tray.shows("A1", "2c7c:0125")
        assert read(DEVICES / tray.ports("A2")[0], "devnum") == other


def switch_to_edl(tray: Rehearsal, slot: str) -> None:
    folder = tray.device(slot)
    assert folder is not None
    numbers = int(read(folder, "busnum") or 0), int(read(folder, "devnum") or 0)
    device = usb.core.find(
        backend=libusb_package.get_libusb1_backend(),
        custom_match=lambda d: (d.bus, d.address) == numbers,
    )
    device.detach_kernel_driver(0)
    device.ctrl_transfer(0x21, 0x22, 3, 0)
    device.write(1, SWITCH, 5000)
    usb.util.dispose_resources(device)
