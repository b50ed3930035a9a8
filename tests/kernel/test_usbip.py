"""Simulated modules on a real kernel: what it makes of them, and that they keep their ports."""

from pathlib import Path

import libusb_package
import usb.core
import usb.util

from station.sim.odd import ODDITIES
from tests.engine.tray import code_of
from tests.kernel.judge import assert_verdicts
from tests.kernel.kernel import DEVICES, until
from tests.kernel.rehearsal import Rehearsal, make_line, rehearsal

ENUMERATED_S = 40.0
SWITCH = bytes.fromhex("4b650100540f7e")


def read(folder: Path, name: str) -> str | None:
    try:
        return (folder / name).read_text().strip()
    except OSError:
        return None


def usb_id(folder: Path) -> str | None:
    vid, pid = read(folder, "idVendor"), read(folder, "idProduct")
    return None if vid is None or pid is None else f"{vid}:{pid}"


def shows(tray: Rehearsal, slot: str, wanted: str) -> bool:
    return until(
        lambda: (found := tray.device(slot)) is not None and usb_id(found) == wanted, ENUMERATED_S
    )


def drivers(tray: Rehearsal, slot: str) -> list[str]:
    device = tray.device(slot)
    assert device is not None
    found = sorted(device.glob(f"{device.name}:1.*"))
    return [(each / "driver").resolve().name for each in found]


def test_descriptors_and_drivers(tmp_path: Path) -> None:
    with rehearsal(tmp_path, 2, "--family", "rm500q", "--fault", "A2=arrives-in-edl") as tray:
        assert shows(tray, "A1", "2c7c:0800")
        assert shows(tray, "A2", "05c6:9008")
        normal, edl = tray.device("A1"), tray.device("A2")
        assert normal is not None
        assert edl is not None
        assert (normal.name, edl.name) == (tray.ports("A1")[1], tray.ports("A2")[0])
        assert (read(normal, "speed"), read(edl, "speed")) == ("5000", "480")
        assert (read(normal, "product"), read(normal, "serial")) == ("RM500Q-GL", None)
        assert str(read(edl, "product")).startswith("QUSB_BULK_CID:0410_SN:")
        assert until(lambda: drivers(tray, "A1") == ["option"] * 4 + ["qmi_wwan"])
        assert until(lambda: drivers(tray, "A2") == ["qcserial"])
        assert (edl / "descriptors").read_bytes()[18:] == bytes.fromhex(
            "090220000101008001 0904000002ffff1100 07058102000200 07050102000200"
        )


def test_a_module_keeps_its_port_through_switch_power_and_plug(tmp_path: Path) -> None:
    with rehearsal(tmp_path, 2) as tray:
        assert shows(tray, "A1", "2c7c:0125")
        assert shows(tray, "A2", "2c7c:0125")
        other = read(DEVICES / tray.ports("A2")[0], "devnum")
        switch_to_edl(tray, "A1")
        assert shows(tray, "A1", "05c6:9008")
        before = read(DEVICES / tray.ports("A1")[0], "devnum")
        tray.ask("power", slot="A1", to="cycle")
        assert shows(tray, "A1", "2c7c:0125")
        assert read(DEVICES / tray.ports("A1")[0], "devnum") != before
        tray.ask("unplug", slot="A1")
        assert until(lambda: tray.device("A1") is None)
        tray.ask("plug", slot="A1", fault="no-serial-string")
        assert shows(tray, "A1", "2c7c:0125")
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


SLOW = ("mute-device", "flapping")
"""The kernel asks them again and again, for minutes, and whoever is on the same hub waits."""


def test_strangers_upset_neither_kernel_nor_neighbours(tmp_path: Path, rig: Path) -> None:
    """One in each slot; a healthy module lives among them and is flashed."""
    slots = {name: f"A{place}" for place, name in enumerate(ODDITIES, start=2)}
    quick = {name: slot for name, slot in slots.items() if name not in SLOW}
    faults = [word for name, slot in quick.items() for word in ("--fault", f"{slot}={name}")]
    with rehearsal(tmp_path, len(slots) + 1, *faults) as tray:
        line = make_line(tmp_path, tray.slots)
        assert shows(tray, slots["mouse"], "046d:c077")
        assert until(lambda: drivers(tray, slots["mouse"]) == ["usbhid"])
        records = line.flash_here("A1", *quick.values(), wait_s=1.0)
        assert_verdicts({"A1": records["A1"]}, {"A1": None})

        for name in SLOW:
            tray.ask("unplug", slot=slots[name])
            tray.ask("plug", slot=slots[name], fault=name)
        records |= line.flash_here(*(slots[name] for name in SLOW), wait_s=1.0)
        codes = {name: code_of(records[slot]) for name, slot in slots.items()}
        (rig / "strangers.txt").write_text("\n".join(f"{n}: {c}" for n, c in codes.items()))
        assert all(code is not None and code[0] in "UPD" for code in codes.values()), codes
        for slot in slots.values():
            tray.ask("unplug", slot=slot)
        assert until(lambda: all(tray.device(slot) is None for slot in slots.values()), 60.0)
        assert "bug" not in (tmp_path / "sim.log").read_text()
