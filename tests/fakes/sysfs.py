"""A sysfs with a USB tree in it, in real folders and links, as the kernel lays them out.

tree = SysfsTree(tmp_path / "sys")
intel = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
tree.root_hub(intel, bus=1, ports=4)
tree.root_hub(intel, bus=2, ports=4, version="3.00", speed="5000")
tree.peer("usb1", 1, "usb2", 1)
tree.hub("1-1", ports=4)
tree.device("1-1.3", "2c7c:0125", drivers=("option", None))
"""

import os.path
from collections.abc import Sequence
from pathlib import Path

from station.places import PortPath


class SysfsTree:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.devices = root / "devices"
        self.flat = root / "bus" / "usb" / "devices"
        self.flat.mkdir(parents=True)
        self.devices.mkdir()
        self._homes: dict[str, Path] = {}
        self._devnum = 0

    def controller(self, below_devices: str, subsystem: str, driver: str) -> Path:
        """Its folder; folders above it that look like PCI devices become such."""
        home = self.devices / below_devices
        home.mkdir(parents=True)
        for folder in (home, *home.parents):
            if folder == self.devices:
                break
            if folder == home or (subsystem == "pci" and not folder.name.startswith("pci")):
                self._link(folder / "subsystem", self._folder("bus", subsystem))
        self._link(home / "driver", self._folder("bus", subsystem, "drivers", driver))
        return home

    def root_hub(
        self, controller: Path, bus: int, ports: int, *, version: str = "2.00", speed: str = "480"
    ) -> None:
        name = f"usb{bus}"
        product = "0003" if version.startswith("3") else "0002"
        home = controller / name
        self._device(name, home, f"1d6b:{product}", version=version, speed=speed, maxchild=ports)
        self._ports(name, f"{bus}-0:1.0", ports)

    def hub(
        self,
        name: str,
        ports: int,
        *,
        usb_id: str = "05e3:0608",
        serial: str | None = None,
        speed: str = "480",
    ) -> None:
        version = "2.00" if speed == "480" else "3.00"
        home = self._below(name)
        self._device(name, home, usb_id, version=version, speed=speed, maxchild=ports)
        self._face(name, 0, usb_class=9, driver="hub", endpoints=1)
        self._ports(name, f"{name}:1.0", ports)
        if serial is not None:
            self.write(name, "serial", serial)

    def device(
        self,
        name: str,
        usb_id: str,
        *,
        drivers: Sequence[str | None] = (None,),
        endpoints: int = 2,
        speed: str = "480",
        version: str = "2.00",
    ) -> None:
        self._device(name, self._below(name), usb_id, version=version, speed=speed, maxchild=0)
        for number, driver in enumerate(drivers):
            self._face(name, number, usb_class=255, driver=driver, endpoints=endpoints)

    def remove(self, name: str) -> None:
        """Unplug. The folder's inode is kept from being given out again, as in kernfs."""
        for link in (self.flat / name, *self.flat.glob(f"{name}:*")):
            link.unlink()
        home = self._homes.pop(name)
        home.rename(self.root / f"gone-{len(list(self.root.iterdir()))}")

    def peer(self, hub: str, number: int, other: str, other_number: int) -> None:
        """Make the two ports companions, both ways."""
        self.half_peer(hub, number, other, other_number)
        self.half_peer(other, other_number, hub, number)

    def half_peer(self, hub: str, number: int, other: str, other_number: int) -> None:
        self._link(self.port(hub, number) / "peer", self.port(other, other_number))

    def port(self, hub: str, number: int) -> Path:
        face = f"{hub.removeprefix('usb')}-0:1.0" if hub.startswith("usb") else f"{hub}:1.0"
        return self._homes[hub] / face / f"{hub}-port{number}"

    def home(self, name: str) -> Path:
        return self._homes[name]

    def write(self, name: str, attribute: str, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else f"{text}\n".encode()
        (self._homes[name] / attribute).write_bytes(raw)

    # --- how the kernel does it --------------------------------------------------------------

    def _below(self, name: str) -> Path:
        path = PortPath.parse(name)
        parent = f"usb{path.bus}" if path.hub is None else str(path.hub)
        return self._homes[parent] / name

    def _device(
        self, name: str, home: Path, usb_id: str, *, version: str, speed: str, maxchild: int
    ) -> None:
        home.mkdir()
        self._homes[name] = home
        self._devnum += 1
        vid, _, pid = usb_id.partition(":")
        for attribute, value in (
            ("idVendor", vid),
            ("idProduct", pid),
            ("version", f" {version}"),
            ("speed", speed),
            ("devnum", str(self._devnum)),
            ("maxchild", str(maxchild)),
            ("bDeviceClass", "09" if maxchild else "00"),
        ):
            self.write(name, attribute, value)
        self._link(home / "subsystem", self._folder("bus", "usb"))
        self._link(self.flat / name, home)

    def _face(
        self, name: str, number: int, *, usb_class: int, driver: str | None, endpoints: int
    ) -> None:
        face = self._homes[name] / f"{name}:1.{number}"
        face.mkdir()
        (face / "bInterfaceClass").write_text(f"{usb_class:02x}\n")
        (face / "bNumEndpoints").write_text(f"{endpoints:02x}\n")
        if driver is not None:
            self._link(face / "driver", self._folder("bus", "usb", "drivers", driver))
        self._link(self.flat / face.name, face)

    def _ports(self, name: str, face: str, ports: int) -> None:
        for number in range(1, ports + 1):
            port = self._homes[name] / face / f"{name}-port{number}"
            port.mkdir(parents=True)
            (port / "disable").write_text("0\n")
            (port / "state").write_text("not attached\n")
            (port / "over_current_count").write_text("0\n")
            (port / "connect_type").write_text("hotplug\n")

    def _folder(self, *parts: str) -> Path:
        folder = self.root.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _link(self, link: Path, target: Path) -> None:
        """Relative, as in sysfs."""
        link.symlink_to(os.path.relpath(target, link.parent))
