"""Power of ports on a real kernel: hubs of QEMU that switch or cannot, one of Linux that pretends.

QEMU's hub tells nobody that a port lost its device: it is known to those who ask.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
import yaml

from station.places import PortPath
from station.transport.base import PowerProof, Switched
from station.transport.libusb import LibusbBackend
from station.transport.port_switch import UsbHubs
from station.transport.power import PortPower
from station.transport.topology import Topology, read_topology
from tests.demo_line import demo_line
from tests.kernel.kernel import DEVICES, until
from tests.kernel.qmp import Monitor, monitor
from tests.kernel.rehearsal import rehearsal
from tests.programs import ran

OFF_S = 1.0


@pytest.fixture(scope="module")
def bus() -> str:
    """The USB 2 bus of QEMU's controller."""
    roots = (root for root in DEVICES.glob("usb*") if "0000:00" in str(root.resolve()))
    return min(root.name.removeprefix("usb") for root in roots)


@contextmanager
def hub_with_two(qemu: Monitor, bus: str, *, switches: bool) -> Iterator[tuple[PortPath, PortPath]]:
    """A hub on port 1, something on its ports 3 and 4."""
    paths = PortPath.parse(f"{bus}-1.3"), PortPath.parse(f"{bus}-1.4")
    qemu.plug("usb-hub", "hub", "xhci", "1", **{"port-power": switches})
    try:
        qemu.plug("usb-mouse", "mouse", "xhci", "1.3")
        qemu.plug("usb-tablet", "tablet", "xhci", "1.4")
        assert until(lambda: all((DEVICES / str(path)).exists() for path in paths))
        yield paths
    finally:
        for name in ("mouse", "tablet", "hub"):
            qemu.unplug(name)
        assert until(lambda: not (DEVICES / f"{bus}-1").exists())


def device_number(path: PortPath) -> str | None:
    try:
        return (DEVICES / str(path) / "devnum").read_text()
    except OSError:
        return None


def cycled(path: PortPath, backend: LibusbBackend | None = None) -> PowerProof:
    power = (backend or LibusbBackend()).power()
    return trio.run(lambda: power.cycle((path,), off_s=OFF_S))


def disable_file(path: PortPath) -> Path:
    port = read_topology().port(path)
    assert port is not None
    assert port.disable is not None
    return port.disable


def test_a_hub_that_switches(bus: str) -> None:
    """With the kernel's `disable`: the module is a new one when it returns."""
    with monitor() as qemu, hub_with_two(qemu, bus, switches=True) as (path, beside):
        before, neighbour = device_number(path), device_number(beside)
        proof = cycled(path)
        assert proof.verdict is Switched.SWITCHES, proof
        assert proof.left_s is not None
        assert proof.left_s < 1
        assert proof.back_s is not None
        assert proof.back_s < 10
        assert device_number(path) not in (before, None)
        assert device_number(beside) == neighbour
        assert disable_file(path).read_text().strip() == "0"


def test_the_same_by_requests_alone(bus: str) -> None:
    """As on a kernel before 6.0, or where nobody may write the kernel's file."""

    async def run(path: PortPath) -> PowerProof:
        backend = LibusbBackend()

        async def look() -> Topology:
            await trio.lowlevel.checkpoint()
            tree = read_topology()
            return replace(tree, ports=tuple(replace(port, disable=None) for port in tree.ports))

        switches = UsbHubs(backend._backend)
        return await PortPower(backend, look, switches.open).cycle((path,), off_s=OFF_S)

    with monitor() as qemu, hub_with_two(qemu, bus, switches=True) as (path, beside):
        neighbour = device_number(beside)
        proof = trio.run(run, path)
        assert proof.verdict is Switched.SWITCHES, proof
        assert until(lambda: device_number(path) is not None)
        assert device_number(beside) == neighbour


def test_a_hub_without_switches_is_left_alone(bus: str) -> None:
    with monitor() as qemu, hub_with_two(qemu, bus, switches=False) as (path, _):
        before = device_number(path)
        proof = cycled(path)
        assert proof.verdict is Switched.NOT_SWITCHABLE, proof
        assert f"hub {bus}-1 has no power switches" in proof.why
        assert device_number(path) == before


def test_why_the_kernel_is_told_last(bus: str) -> None:
    """A device that the kernel removed from a hub that did not switch does not return."""
    with monitor() as qemu, hub_with_two(qemu, bus, switches=False) as (path, _):
        disable = disable_file(path)
        disable.write_text("1")
        assert until(lambda: device_number(path) is None)
        disable.write_text("0")
        assert not until(lambda: device_number(path) is not None, 3.0)


def test_a_port_that_carries_a_hub_is_never_switched(bus: str) -> None:
    with monitor() as qemu, hub_with_two(qemu, bus, switches=True) as (path, _):
        before = device_number(path)
        proof = cycled(PortPath.parse(f"{bus}-1"))
        assert proof.verdict is Switched.NOT_SWITCHABLE, proof
        assert "carries a hub" in proof.why
        assert device_number(path) == before


def test_an_empty_port_proves_nothing(bus: str) -> None:
    with monitor() as qemu, hub_with_two(qemu, bus, switches=True):
        assert cycled(PortPath.parse(f"{bus}-1.5")).verdict is Switched.EMPTY


def test_cancelled_the_module_returns(bus: str) -> None:
    async def run(path: PortPath) -> None:
        power = LibusbBackend().power()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(power.cycle, (path,), off_s=60))
            assert await trio.to_thread.run_sync(until, lambda: device_number(path) is None)
            nursery.cancel_scope.cancel()

    with monitor() as qemu, hub_with_two(qemu, bus, switches=True) as (path, _):
        before = device_number(path)
        trio.run(run, path)
        assert until(lambda: device_number(path) not in (before, None))


def test_a_port_that_a_killed_process_left_off_is_switched_on(bus: str) -> None:
    with monitor() as qemu, hub_with_two(qemu, bus, switches=True) as (path, _):
        disable_file(path).write_text("1")
        assert until(lambda: device_number(path) is None)
        proof = cycled(path)
        assert proof.verdict is Switched.SWITCHES, proof


def test_the_command_names_the_hub_that_switches(bus: str, tmp_path: Path) -> None:
    """Two slots on it, and one that is empty."""
    config = demo_line(tmp_path / "line", ["A1", "A2", "A3"])
    settings = yaml.safe_load(config.read_text())
    for number, slot in enumerate(settings["slots"].values(), start=3):
        slot["ports"] = [f"{bus}-1.{number}"]
    config.write_text(yaml.safe_dump(settings))
    command = ("slots", "power-test", "--off", "1", "--config", str(config))
    with monitor() as qemu, hub_with_two(qemu, bus, switches=True) as paths:
        before = [device_number(path) for path in paths]
        tested = ran(*command, "--slot", "A1", "--slot", "A2", limit_s=120)
        after = [device_number(path) for path in paths]
        empty = ran(*command, "--slot", "A3", "--json", limit_s=120)
    assert tested.returncode == 0, tested.stderr
    assert tested.stdout.splitlines()[-1] == f"hub {bus}-1 cuts and gives the power of each slot"
    assert tested.stderr.splitlines() == ["A1: off for 1 s", "A2: off for 1 s"]
    assert None not in after
    assert not set(before) & set(after)
    assert empty.returncode == 1
    assert json.loads(empty.stdout)["verdict"] == "EMPTY"


def test_the_hub_of_usbip_pretends(tmp_path: Path) -> None:
    """vhci's root hub says that a port is off and leaves the device where it is."""
    with rehearsal(tmp_path, 1) as tray:
        assert until(lambda: tray.device("A1") is not None)
        device = tray.device("A1")
        assert device is not None
        path = PortPath.parse(device.name)
        before = device_number(path)
        proof = cycled(path)
        assert proof.verdict is Switched.PRETENDS, proof
        assert device_number(path) == before
