"""A world of modules that another process exports: USB/IP without a kernel, awaited by trio.

The modules outlive whoever uses this, which is what it is for. A device is imported by the scan
that finds it and stays imported until it leaves or this process dies; then its port can be
imported anew.
"""

import itertools
from collections.abc import Collection, Mapping
from contextlib import suppress

import trio

from station.errors import Disconnected, NoBulkPair, UsbBusy, UsbError, UsbStall, UsbUnavailable
from station.model import DeviceInfo, PortPath
from station.transport.base import Leaving, PowerProof, Switched, nobody
from station.transport.usb_control import line_state as line_state_of
from tests.crash.usbip_device import RESET_PORT, Device, enumerated
from tests.crash.usbip_host import Imported, import_device, listed
from tests.crash.usbip_pipe import UsbipPipe

POLL_S = 0.1
"""Nobody tells of a device that comes, so it is looked for so often."""

ATTACH_S = 20.0

Address = tuple[str, int]
"""Host and TCP port."""


class UsbipBackend:
    """Implements `station.transport.base.Backend`. `ports`: which ports, USB 2 and USB 3, an
    exported bus id stands for here; others are not looked at."""

    library: str | None = None

    def __init__(self, address: Address, ports: Mapping[str, tuple[PortPath, PortPath]]) -> None:
        self._address = address
        self._ports = ports
        self._devices: dict[str, Device] = {}
        self._generations = itertools.count(1)
        self._looking = trio.Lock()
        self._left = trio.lowlevel.ParkingLot()

    async def scan(self) -> tuple[DeviceInfo, ...]:
        async with self._looking:
            try:
                for bus_id in await listed(self._address):
                    if bus_id in self._ports and bus_id not in self._devices:
                        await self._attach(bus_id)
            except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
                raise UsbUnavailable(f"nobody exports modules: {error}") from error
        return tuple(device.info for device in self._devices.values())

    async def wait_change(self, timeout_s: float) -> None:
        with trio.move_on_after(min(timeout_s, POLL_S)):
            await self._left.park()

    async def open(self, device: DeviceInfo, interface: int, *, line_state: bool) -> UsbipPipe:
        await trio.lowlevel.checkpoint()
        here = self._find(device)
        place = f"{device.path} interface {interface}"
        found = next((i for i in device.interfaces if i.number == interface), None)
        if found is None or found.bulk_in is None or found.bulk_out is None:
            raise NoBulkPair(f"{place} has no two bulk endpoints")
        if interface in here.claimed:
            raise UsbBusy(f"{place} is in use already")
        here.claimed.add(interface)
        try:
            if line_state:
                with suppress(UsbStall):  # such a port needs none
                    await here.ask(line_state_of(interface))
        except BaseException:
            here.claimed.discard(interface)
            raise
        return UsbipPipe(here, interface, found.bulk_in, found.bulk_out, place)

    async def product(self, device: DeviceInfo) -> str | None:
        await trio.lowlevel.checkpoint()
        return await self._find(device).product()

    async def reset(self, device: DeviceInfo) -> None:
        await trio.lowlevel.checkpoint()
        await self._find(device).ask(RESET_PORT)

    def power(self) -> "NoPower":
        return NoPower()

    def _find(self, device: DeviceInfo) -> Device:
        for here in self._devices.values():
            if here.info == device:
                return here
        raise Disconnected(f"{device.usb_id} on {device.path} has left or enumerated anew")

    async def _attach(self, bus_id: str) -> None:
        """Import and enumerate, if it is to be had; not cut off in the middle."""
        with trio.move_on_after(ATTACH_S, shield=True):
            wire = await import_device(self._address, bus_id)
            if wire is None:
                return
            trio.lowlevel.spawn_system_task(self._keep, bus_id, wire)
            path = self._ports[bus_id][wire.is_super]
            try:
                self._devices[bus_id] = await enumerated(wire, path, next(self._generations))
            except UsbError:
                pass  # it left again
            finally:
                if bus_id not in self._devices:
                    await wire.leave()

    async def _keep(self, bus_id: str, wire: Imported) -> None:
        await wire.run()
        here = self._devices.get(bus_id)
        if here is not None and here.wire is wire:
            del self._devices[bus_id]
            self._left.unpark_all()


class NoPower:
    """Implements `station.transport.base.Power`: nobody can switch these ports."""

    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,
    ) -> PowerProof:
        await trio.lowlevel.checkpoint()
        return PowerProof(Switched.NOT_SWITCHABLE, f"{len(ports)} ports of USB/IP have no switch")
