"""Kernel, libusb and limits."""

import resource

import pytest

from station.commands.checks import machine as machine_module
from station.commands.checks.finding import Grade
from station.commands.checks.machine import kernel, libusb, open_files, usb_memory
from station.errors import UsbUnavailable
from tests.commands.checks.conftest import Machine, found, only, wrong


def test_a_sound_machine(machine: Machine) -> None:
    assert [f for check in (kernel, libusb, usb_memory) for f in wrong(check, machine)] == []


@pytest.mark.parametrize(
    ("release", "grade"),
    [("5.15.0-91-generic", Grade.WARN), ("strange", Grade.CANNOT_TELL), ("", Grade.CANNOT_TELL)],
)
def test_kernels(machine: Machine, release: str, grade: Grade) -> None:
    machine.write("proc/sys/kernel/osrelease", release)
    assert only(kernel, machine).grade is grade


def test_no_libusb(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise UsbUnavailable("no library")

    monkeypatch.setattr(machine_module, "LibusbBackend", unavailable)
    assert only(libusb, machine).grade is Grade.BAD


def test_usb_memory(machine: Machine) -> None:
    memory = machine.write("sys/module/usbcore/parameters/usbfs_memory_mb", "1\n")
    finding = only(usb_memory, machine)
    assert finding.grade is Grade.BAD
    assert "usbcore.usbfs_memory_mb=4" in finding.remedy
    memory.write_text("2\n")  # two slots at 512 KiB, and one for others
    assert "2 slots may want 2 MB" in found(usb_memory, machine)[0].what
    assert wrong(usb_memory, machine) == []
    memory.write_text("0\n")
    assert wrong(usb_memory, machine) == []
    memory.unlink()
    assert only(usb_memory, machine).grade is Grade.CANNOT_TELL


def test_few_open_files(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    assert only(open_files, machine).grade is Grade.WARN
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 0))
    assert wrong(open_files, machine) == []
