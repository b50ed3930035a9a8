"""The switch of one port: its hub, asked, and the kernel, told to leave the port alone.

The two do different things. The request CLEAR_FEATURE(PORT_POWER) makes the hub cut the power, and
what happens next is the hub's own doing; but a kernel that sees the port lose its device switches
the power on again. Writing 1 to `disable` keeps the kernel away; but the kernel first removes the
device by itself, whatever the hub does then. On a hub that pretends, the device would be gone and
would not come back, because the hub has no change to report. So the hub is asked first, and the
kernel is told only when the device has left.

Ref: Linux drivers/usb/core/port.c (disable_store) and hub.c (hub_port_connect: "maybe switch power
back on"); Documentation/ABI/testing/sysfs-bus-usb, since Linux 6.0.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trio
import usb.backend
import usb.backend.libusb1

from station.errors import Disconnected, UsbBroken
from station.places import PortPath
from station.transport.hub_requests import HubPipe, PortStatus, Switching, open_hub
from station.transport.in_turn import InTurn
from station.transport.usb_tree import HubPort, Topology

T = TypeVar("T")

CLOSE_S = 2.0
"""For a call that was left, to end by itself. Nothing else waits for it."""

_ROOT_DEVNUM = 1
"""A root hub is the first device of its bus. Ref: Linux drivers/usb/core/hcd.c."""


class UsbPortSwitch:
    """A `station.transport.power.PortSwitch` on real USB. Used by one task at a time.

    Calls raise UsbError. Cancelled, a call goes on in its thread, and those after it wait for their
    turn: the handle is closed when nobody uses it any more.
    """

    def __init__(self, pipe: HubPipe, port: HubPort, *, superspeed: bool) -> None:
        self._pipe = pipe
        self._number = port.number
        self._disable = port.disable
        self._superspeed = superspeed
        self._held = False
        self._calls = InTurn()
        self.is_over = False
        """Closed, and nothing of it is under way any more."""
        self.is_left = False
        """Nobody waits for it any more, over or not."""

    async def switching(self) -> Switching:
        traits = await self._hop(lambda: self._pipe.traits(superspeed=self._superspeed))
        return traits.switching

    async def status(self) -> PortStatus:
        return await self._hop(lambda: self._pipe.status(self._number, superspeed=self._superspeed))

    async def cut(self) -> None:
        await self._hop(lambda: self._pipe.set_power(self._number, on=False))

    async def hold(self) -> bool:
        disable = self._disable
        if disable is not None and not self._held:
            self._held = await self._hop(lambda: _write(disable, "1"))
        return self._held

    async def restore(self) -> None:
        """Also undoes what a process that was killed has left behind."""
        await self._hop(self._restore_blocking)
        self._held = False

    def _restore_blocking(self) -> None:
        """In one go: whoever is out of patience between the two would leave the port off."""
        if self._disable is not None:
            _write(self._disable, "0")
        self._pipe.set_power(self._number, on=True)

    async def aclose(self) -> None:
        """In its turn, or when the kernel lets go of the hub."""
        with trio.move_on_after(CLOSE_S, shield=True):
            await self._hop(self._close_blocking)
        self.is_left = True

    def _close_blocking(self) -> None:
        self._pipe.close()
        self.is_over = True

    async def _hop(self, work: Callable[[], T]) -> T:
        return await self._calls.do(work)


def own_context(backend: usb.backend.IBackend) -> usb.backend.IBackend:
    """The same libusb once more, which knows nothing of what the first one does."""
    if not isinstance(backend, usb.backend.libusb1._LibUSB):
        return backend
    return usb.backend.libusb1._LibUSB(backend.lib)


class UsbHubs:
    """Opens the switches of ports; `backend` is pyusb's.

    A request to a hub waits in a thread, where libusb would handle the events of all transfers of
    its context, and nobody would look at those of the pump (`EventPump.lookouts`). So hubs have one
    of their own.
    """

    def __init__(self, backend: usb.backend.IBackend) -> None:
        self._backend = backend
        self._own: usb.backend.IBackend | None = None
        self._opened: list[tuple[str, UsbPortSwitch]] = []

    async def open(self, tree: Topology, port: HubPort) -> UsbPortSwitch:
        """Raises UsbAccess, Disconnected; UsbBroken while the kernel has not ended an earlier call
        about that hub, which may switch a port on at any moment."""
        self._opened = [one for one in self._opened if not one[1].is_over]
        if any(name == str(port.hub) and switch.is_left for name, switch in self._opened):
            raise UsbBroken(
                f"hub {port.hub} has not answered an earlier request yet; unplug it and plug it in "
                "again, and restart this computer if that does not help"
            )
        hub = tree.hub(port.hub)
        if hub is None:
            raise Disconnected(f"hub {port.hub} has left")
        devnum = _ROOT_DEVNUM if hub.path is None else _devnum(tree, hub.path)
        superspeed = hub.location.revision == 3
        pipe = await trio.to_thread.run_sync(
            lambda: open_hub(self._beside(), port.path.bus, devnum, hub.name),
            limiter=trio.CapacityLimiter(1),
        )
        switch = UsbPortSwitch(pipe, port, superspeed=superspeed)
        self._opened.append((str(port.hub), switch))
        return switch

    def _beside(self) -> usb.backend.IBackend:
        if self._own is None:
            self._own = own_context(self._backend)
        return self._own


def _devnum(tree: Topology, path: PortPath) -> int:
    device = tree.device(path)
    if device is None:
        raise Disconnected(f"hub {path} has left")
    return device.devnum


def _write(disable: Path, value: str) -> bool:
    """False if we may not, or this kernel has no such file. A stall (EPIPE) is the hub's answer
    to the kernel; the kernel has let go of the device by then.

    The bus decides what became of it, so no other failure is an error here either.
    """
    try:
        with disable.open("r+b", buffering=0) as file:  # never makes a file
            file.write(value.encode())
    except OSError as error:
        return error.errno == errno.EPIPE
    return True
