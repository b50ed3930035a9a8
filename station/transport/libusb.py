"""Real USB: pyusb over the libusb that comes in the wheel `libusb-package`.

Interfaces are claimed (`station.transport.claim`), no /dev/ttyUSB is needed. pyusb finds, opens
and claims, in worker threads; transfers are asynchronous libusb's where trio can wait for them
(`station.transport.libusb_wire`), else pyusb's synchronous ones in those threads too.
"""

from collections.abc import Callable
from typing import TypeVar

import libusb_package
import trio
import usb.backend
import usb.backend.libusb1
import usb.core

from station.errors import Disconnected, UsbBroken, UsbUnavailable
from station.model import DeviceInfo, PortPath
from station.transport.async_pipe import AsyncPipe
from station.transport.base import Pipe
from station.transport.claim import Claim, claim
from station.transport.kernel import Kernel, this_kernel
from station.transport.libusb_version import libusb_version
from station.transport.libusb_wire import libusb_wire
from station.transport.port_switch import UsbHubs
from station.transport.power import PortPower
from station.transport.topology import Topology, read_topology
from station.transport.usb_control import read_string, read_string_blocking, set_line_state
from station.transport.usb_errors import usb_error
from station.transport.usb_events import Opened, Wire, enumeration_of, pump_of
from station.transport.usb_locks import never_ended
from station.transport.usb_pipe import LibusbPipe
from station.transport.usb_scan import Census, Found

T = TypeVar("T")

RESET_S = 40.0
"""The kernel asks a module that came out of a reset several times who it is, for 5 s each. One that
it never gives up holds its device for ever, and this task only so long."""


class LibusbBackend:
    """A `station.transport.base.Backend`.

    Without arguments: libusb of the wheel, asynchronous where that can be. Another pyusb backend
    (`wheel_libusb()` is one) is driven synchronously in threads, or with a `wire` beside it
    asynchronously. `kernel`: by default this one for libusb, none for another backend.
    Raises UsbUnavailable when libusb cannot be loaded.
    """

    def __init__(
        self,
        backend: usb.backend.IBackend | None = None,
        kernel: Kernel | None = None,
        wire: Wire | None = None,
    ) -> None:
        if kernel is None:
            kernel = this_kernel() if backend is None else Kernel()
        if backend is None:
            backend = wheel_libusb()
            wire = libusb_wire(backend)
        self.library = libusb_version(backend)
        self._kernel = kernel
        self._backend = backend
        self._wire = wire
        self._pump = pump_of(wire) if wire is not None else None
        self._census = Census(self._backend, kernel.sysfs)
        self._looking = trio.CapacityLimiter(1)

    async def scan(self) -> tuple[DeviceInfo, ...]:
        return tuple(found.info for found in (await self._look()).values())

    async def wait_change(self, timeout_s: float) -> None:
        await self._kernel.changes.wait(timeout_s)

    async def open(self, device: DeviceInfo, interface: int, *, line_state: bool) -> Pipe:
        doing = f"open {device.path} interface {interface}"
        found = await self._find(device)
        try:
            if self._pump is None:
                return LibusbPipe(await self._claim(found, interface, line_state=line_state))
            await self._pump.locks.released(enumeration_of(found.info), doing)
            claimed = await self._claim(found, interface, line_state=False)
        except (usb.core.USBError, NotImplementedError) as error:
            raise usb_error(error, doing) from error
        try:
            if line_state:
                opened = Opened.of(claimed.handle, found.info)
                await set_line_state(self._pump, opened, interface, doing)
            return AsyncPipe(claimed, self._pump)
        except BaseException:
            await self._pump.close(enumeration_of(found.info), claimed.give_back)
            raise

    async def product(self, device: DeviceInfo) -> str | None:
        """The product string; None when there is none to read. Raises Disconnected."""
        found = await self._find(device)
        if self._pump is None:
            return await _in_thread(lambda: self._product(found))
        doing = f"product string of {device.path}"
        try:
            await self._pump.locks.released(enumeration_of(found.info), doing)
            index, handle = await _in_thread(lambda: self._open_product(found))
        except (usb.core.USBError, NotImplementedError, UsbBroken):
            return None
        if handle is None:
            return None
        try:
            return await read_string(self._pump, Opened.of(handle, found.info), index, doing)
        finally:
            await self._pump.close(
                enumeration_of(found.info), lambda: self._backend.close_device(handle)
            )

    async def reset(self, device: DeviceInfo) -> None:
        """libusb says that it is gone when it came back as another; `scan` shows what it is.
        Raises UsbBroken if the kernel does not end it within RESET_S."""
        found = await self._find(device)
        doing = f"reset {device.path}"
        try:
            if self._pump is None:
                await _in_thread(lambda: self._reset(found))
            else:
                await self._pump.locks.released(enumeration_of(found.info), doing)
                with trio.move_on_after(RESET_S, shield=True) as scope:
                    await self._pump.lock(enumeration_of(found.info), lambda: self._reset(found))
                if scope.cancelled_caught:
                    raise never_ended(doing)
        except (usb.core.USBError, NotImplementedError) as error:
            meant = usb_error(error, doing)
            if not isinstance(meant, Disconnected):
                raise meant from error

    def power(self) -> PortPower:
        """Takes the power of ports away that this backend sees."""
        return PortPower(self, _topology, UsbHubs(self._backend).open)

    async def _claim(self, found: Found, number: int, *, line_state: bool) -> Claim:
        ttys = self._kernel.ttys
        return await _in_thread(
            lambda: claim(self._backend, found, number, line_state=line_state, ttys=ttys)
        )

    async def _look(self) -> dict[PortPath, Found]:
        self._kernel.changes.looks()
        try:
            return await trio.to_thread.run_sync(self._look_blocking, limiter=self._looking)
        except (usb.core.USBError, NotImplementedError) as error:
            raise usb_error(error, "look for USB devices") from error

    async def _find(self, device: DeviceInfo) -> Found:
        """The device of that enumeration, looked up afresh. Raises Disconnected."""
        found = (await self._look()).get(device.path)
        if found is None or found.info.generation != device.generation:
            raise Disconnected(f"{device.usb_id} on {device.path} has left or enumerated anew")
        return found

    # --- in a worker thread -------------------------------------------------------------------

    def _look_blocking(self) -> dict[PortPath, Found]:
        if self._kernel.ttys is not None:
            self._kernel.ttys.note()
        return self._census.look()

    def _open_product(self, found: Found) -> tuple[int, object | None]:
        """Index of the product string and a handle to read it; no handle if there is none."""
        if found.raw is None:
            return 0, None
        index = int(self._backend.get_device_descriptor(found.raw).iProduct)
        return index, self._backend.open_device(found.raw) if index else None

    def _reset(self, found: Found) -> None:
        handle = self._backend.open_device(found.raw)
        try:
            self._backend.reset_device(handle)
        finally:
            self._backend.close_device(handle)

    def _product(self, found: Found) -> str | None:
        try:
            index, handle = self._open_product(found)
        except (usb.core.USBError, NotImplementedError):
            return None
        if handle is None:
            return None
        try:
            return read_string_blocking(self._backend, handle, index)
        except (usb.core.USBError, NotImplementedError):
            return None
        finally:
            self._backend.close_device(handle)


async def _in_thread(work: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(work, limiter=trio.CapacityLimiter(1))


async def _topology() -> Topology:
    return await trio.to_thread.run_sync(read_topology, limiter=trio.CapacityLimiter(1))


def wheel_libusb() -> usb.backend.IBackend:
    """pyusb's backend over the wheel's libusb. Raises UsbUnavailable."""
    backend = usb.backend.libusb1.get_backend(find_library=libusb_package.find_library)
    if backend is None:
        raise UsbUnavailable("libusb of the wheel libusb-package could not be loaded")
    return backend
