"""A machine in a folder: sysfs, /proc, /run, /dev, /etc, and a sound line on it."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from station.commands.checks.finding import Finding, Grade
from station.commands.checks.ground import Check, Ground
from station.commands.checks.person import Person, keeper
from station.config import load_families, load_settings
from station.store.revision import create_if_missing
from station.transport.topology import read_topology
from tests.demo_line import demo_line
from tests.fakes.sysfs import SysfsTree

RULES = Path(__file__).parents[3] / "deploy/60-station.rules"
NOW_UTC_US = 1_900_000_000_000_000


@dataclass
class Machine:
    """Change its files, then ask `ground` for what a check gets."""

    root: Path
    config: Path
    tree: SysfsTree
    keeper: Person = field(default_factory=keeper)
    utc_us: int = NOW_UTC_US
    clock_state: int = 0

    def ground(self) -> Ground:
        return Ground(
            load_settings(self.config),
            load_families(),
            read_topology(self.tree.root),
            root=self.root,
            keeper=self.keeper,
            utc_us=lambda: self.utc_us,
            clock_state=lambda: self.clock_state,
        )

    def write(self, place: str, text: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def module(self, name: str, usb_id: str = "2c7c:0125", **more: object) -> Path:
        """Plug one in; its device node, which everybody may use."""
        self.tree.device(name, usb_id, drivers=("option",) * 5, endpoints=3, **more)  # type: ignore[arg-type]
        home = self.tree.home(name)
        number = int((home / "devnum").read_text())
        self.tree.write(name, "dev", f"189:{number - 1}")
        (home / "power").mkdir()
        (home / "power/control").write_text("on\n")
        return self.write(f"dev/bus/usb/{int(name.split('-')[0]):03d}/{number:03d}", "")

    def settings(self, **changes: str) -> None:
        text = self.config.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        self.config.write_text(text)


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A line's folder with record and packages, to be copied."""
    folder = tmp_path_factory.mktemp("doctor") / "line"
    config = demo_line(folder, ["A1", "A2"])
    create_if_missing(load_settings(config).database)
    return folder


@pytest.fixture
def machine(tmp_path: Path, line: Path) -> Machine:
    """Two slots on a USB 3 hub, an installed rule, a Debian kernel, a record, packages."""
    root = tmp_path / "root"
    tree = SysfsTree(root / "sys")
    intel = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    (intel / "vendor").write_text("0x8086\n")
    tree.root_hub(intel, bus=1, ports=4)
    tree.root_hub(intel, bus=2, ports=4, version="3.00", speed="5000")
    tree.peer("usb1", 1, "usb2", 1)
    tree.hub("1-1", ports=4)
    tree.hub("2-1", ports=4, speed="5000")
    for number in range(1, 5):
        tree.peer("1-1", number, "2-1", number)
    config = shutil.copytree(line, tmp_path / "line") / "station.yaml"
    made = Machine(root, config, tree)
    made.write("etc/udev/rules.d/60-station.rules", RULES.read_text())
    made.write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
    made.write("proc/self/mountinfo", "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n")
    made.write("sys/module/usbcore/parameters/usbfs_memory_mb", "16\n")
    made.write("sys/module/usbcore/parameters/autosuspend", "2\n")
    return made


def found(check: Check, machine: Machine) -> list[Finding]:
    return list(check(machine.ground()))


def wrong(check: Check, machine: Machine) -> list[Finding]:
    """What is not OK."""
    return [finding for finding in found(check, machine) if finding.grade is not Grade.OK]


def only(check: Check, machine: Machine) -> Finding:
    """The one finding that is not OK; it says why and what to do."""
    [finding] = wrong(check, machine)
    assert finding.remedy
    assert finding.grade is Grade.CANNOT_TELL or finding.why
    return finding


def stranger() -> Person:
    """Somebody else than us, in no group."""
    return Person("somebody", os.geteuid() + 4321, frozenset())
