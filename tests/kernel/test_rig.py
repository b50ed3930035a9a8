"""The guest is what the other tests of this folder take it for."""

import platform
from pathlib import Path

from tests.kernel.kernel import DEVICES, until
from tests.kernel.qmp import monitor

XHCI = "0000:00"


def test_it_is_debians_kernel_with_its_modules() -> None:
    assert platform.release().endswith("-amd64")
    loaded = {line.split()[0] for line in Path("/proc/modules").read_text().splitlines()}
    assert {"vhci_hcd", "option", "qcserial", "qmi_wwan", "usbserial"} <= loaded


def test_udevd_runs_with_the_stations_rules() -> None:
    assert Path("/run/udev/control").exists()
    assert Path("/etc/udev/rules.d/60-station.rules").exists()


def test_devices_can_be_plugged_behind_a_hub() -> None:
    root = next(bus for bus in DEVICES.glob("usb*") if XHCI in str(bus.resolve()))
    bus = root.name.removeprefix("usb")
    with monitor() as qemu:
        qemu.plug("usb-hub", "hub", "xhci", "1", **{"port-power": True})
        qemu.plug("usb-mouse", "mouse", "xhci", "1.3")
        assert until((DEVICES / f"{bus}-1.3").exists)
        qemu.unplug("mouse")
        assert until(lambda: not (DEVICES / f"{bus}-1.3").exists())
        qemu.unplug("hub")
        assert until(lambda: not (DEVICES / f"{bus}-1").exists())
