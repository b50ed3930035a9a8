"""Who holds a tty, from a sysfs, a /proc and a /dev that a test has made."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.places import PortPath
from station.transport import tty_holders
from station.transport.tty_holders import Holder, TtyHolders
from tests.fakes.sysfs import SysfsTree

PATH = PortPath(1, (1,))
OTHER = PortPath(1, (2,))


class Machine:
    """Two modules with ttys; `opens` and `closes` are another user's, seen by inotify only."""

    def __init__(self, root: Path) -> None:
        self.proc, self.dev = root / "proc", root / "dev"
        self.proc.mkdir()
        self.dev.mkdir()
        self.tree = SysfsTree(root / "sys")
        controller = self.tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
        self.tree.root_hub(controller, bus=1, ports=2)
        for name in ("1-1", "1-2"):
            self.tree.device(name, "2c7c:0125", drivers=("option", None, "option"))
        for number, interface in enumerate(("1-1:1.0", "1-1:1.2", "1-2:1.0", "1-2:1.2")):
            self.tty(interface, f"ttyUSB{number}")
        self.count("option", 0)
        self.holders = TtyHolders(self.tree.root, self.proc, self.dev)
        self._files: dict[str, int] = {}

    def tty(self, interface: str, name: str, *, below: str = "") -> None:
        (self.tree.flat / interface / below / name).mkdir(parents=True)
        self.node(name)

    def node(self, name: str) -> None:
        (self.dev / name).touch()

    def count(self, driver: str, opened: int) -> None:
        module = self.tree.root / "module" / driver
        module.mkdir(parents=True, exist_ok=True)
        (module / "refcnt").write_text(f"{opened}\n")
        core = self.tree.root / "module/usbserial"
        core.mkdir(exist_ok=True)
        (core / "refcnt").write_text("3\n")
        link = self.tree.root / "bus/usb/drivers" / driver / "module"
        if not link.exists():
            link.symlink_to(core)

    def process(self, pid: int, program: str, *open_files: str) -> None:
        folder = self.proc / str(pid) / "fd"
        folder.mkdir(parents=True)
        (self.proc / str(pid) / "comm").write_text(f"{program}\n")
        for number, target in enumerate(open_files):
            (folder / str(number)).symlink_to(target)

    def opens(self, name: str) -> None:
        self._files[name] = os.open(self.dev / name, os.O_RDONLY)

    def closes(self, name: str) -> None:
        os.close(self._files.pop(name))

    def close(self) -> None:
        for name in list(self._files):
            self.closes(name)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(tty_holders, "_STALE_S", -1.0)
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def test_nobody_holds_any(machine: Machine) -> None:
    machine.opens("ttyUSB1")
    assert machine.holders.holders() == ()  # the driver's word is the last one


def test_a_process_is_named(machine: Machine) -> None:
    machine.count("option", 1)
    machine.process(4711, "minicom", "/dev/null", "/dev/ttyUSB1", "socket:[1]")
    held = machine.holders.holder_of(PATH, 2)

    assert held == Holder("ttyUSB1", "option", PATH, 2, 4711, "minicom")
    assert str(held) == "ttyUSB1 (driver option) is held by minicom (process 4711)"
    assert machine.holders.holder_of(PATH, 0) is None
    assert machine.holders.holder_of(OTHER, 2) is None
    assert machine.holders.holders() == (held,)


def test_several_processes(machine: Machine) -> None:
    machine.count("option", 3)
    machine.process(10, "cat", "/dev/ttyUSB1")
    machine.process(11, "tee", "/dev/ttyUSB1", "/dev/ttyUSB2")
    assert [(held.tty, held.pid) for held in machine.holders.holders()] == [
        ("ttyUSB1", 10),
        ("ttyUSB1", 11),
        ("ttyUSB2", 11),
    ]


def test_we_ourselves_hold_nothing(machine: Machine) -> None:
    machine.count("option", 1)
    machine.process(os.getpid(), "station", "/dev/ttyUSB1")
    assert machine.holders.holder_of(PATH, 2) is None


@pytest.mark.parametrize(
    "target", ["/dev/ttyUSB1 (deleted)", "/srv/ttyUSB1", "/dev/pts/1", "ttyUSB1", "/dev/ttyUSB11"]
)
def test_files_that_are_another(machine: Machine, target: str) -> None:
    machine.count("option", 1)
    machine.process(10, "cat", target)
    assert machine.holders.holder_of(PATH, 2) is None


def test_another_users_open(machine: Machine) -> None:
    machine.count("option", 1)
    machine.opens("ttyUSB1")
    held = machine.holders.holder_of(PATH, 2)

    assert held == Holder("ttyUSB1", "option", PATH, 2)
    assert str(held) == "ttyUSB1 (driver option) is held by another program"
    assert machine.holders.holder_of(PATH, 0) is None
    machine.closes("ttyUSB1")
    assert machine.holders.holder_of(PATH, 2) is None


def test_whoever_sees_all_processes_needs_no_guess(machine: Machine) -> None:
    """As root: a process that is not there does not hold it, whatever inotify heard last."""
    machine.count("option", 1)
    machine.process(1, "init")
    machine.opens("ttyUSB1")
    assert machine.holders.holders() == ()


def test_several_ttys_and_nobody_knows_which(machine: Machine) -> None:
    machine.count("option", 1)
    assert machine.holders.holders() == ()


def test_the_only_tty_of_a_driver(machine: Machine) -> None:
    machine.tree.remove("1-2")
    machine.tree.device("1-2", "05c6:9008", drivers=("qcserial",))
    machine.tty("1-2:1.0", "ttyUSB9")
    machine.count("qcserial", 1)
    assert machine.holders.holder_of(OTHER, 0) == Holder("ttyUSB9", "qcserial", OTHER, 0)
    machine.count("qcserial", 0)
    assert machine.holders.holder_of(OTHER, 0) is None


def test_a_driver_that_is_built_in(machine: Machine) -> None:
    """Without a count the other witnesses are asked."""
    (machine.tree.root / "module/option/refcnt").unlink()
    assert machine.holders.holders() == ()
    machine.opens("ttyUSB1")
    assert machine.holders.holder_of(PATH, 2) == Holder("ttyUSB1", "option", PATH, 2)


def test_the_tty_of_cdc_acm(machine: Machine) -> None:
    machine.tty("1-1:1.1", "ttyACM0", below="tty")
    machine.opens("ttyACM0")
    held = machine.holders.holder_of(PATH, 1)
    assert held is not None
    assert (held.tty, held.driver) == ("ttyACM0", "unknown")


def test_a_name_used_again_is_nobodys(machine: Machine) -> None:
    machine.count("option", 1)
    machine.opens("ttyUSB1")
    (machine.dev / "ttyUSB1").unlink()
    machine.node("ttyUSB1")
    assert machine.holders.holder_of(PATH, 2) is None

    descriptor = os.open(machine.dev / "ttyUSB1", os.O_RDONLY)
    try:
        machine.closes("ttyUSB1")  # the old one: no word about the new one
        assert machine.holders.holder_of(PATH, 2) is not None
    finally:
        os.close(descriptor)


def test_sixteen_slots_ask_together(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tty_holders, "_STALE_S", 60.0)
    machine.count("option", 1)
    machine.process(10, "cat", "/dev/ttyUSB1")
    assert machine.holders.holder_of(PATH, 2) is not None
    machine.process(11, "cat", "/dev/ttyUSB0")
    assert machine.holders.holder_of(PATH, 0) is None  # not looked at again so soon

    for console in ("tty1", "ttyS0", "ttyprintk", "ttyUSB", "tty"):
        machine.node(console)
        machine.opens(console)
    assert machine.holders.holder_of(PATH, 0) is None  # no module's: nothing changed

    machine.opens("ttyUSB3")  # inotify: something changed
    held = machine.holders.holder_of(PATH, 0)
    assert held is not None
    assert held.pid == 11


def test_odd_entries(machine: Machine) -> None:
    machine.count("option", 1)
    for name in ("self", "0x1", "٣", "-1"):
        (machine.proc / name).mkdir()
    (machine.proc / "12").mkdir()  # ended while it was looked at
    (machine.proc / "13").touch()
    for name in ("ttyUSB", "tty", "ttyUSB1x", "ttyUSB999999", "ttyprintk"):
        (machine.tree.flat / "1-1:1.0" / name).mkdir()
    assert machine.holders.holders() == ()


def test_nothing_is_there(tmp_path: Path) -> None:
    holders = TtyHolders(tmp_path / "sys", tmp_path / "proc", tmp_path / "dev")
    holders.note()
    assert holders.holders() == ()
    assert holders.holder_of(PATH, 0) is None


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for _ in range(5):
        TtyHolders(tmp_path, tmp_path, tmp_path)
    assert descriptors() <= before, "a thread of another test may close its own meanwhile"
