"""Real USB: pyusb over the libusb that comes in the wheel `libusb-package`.

Interfaces are claimed (`station.transport.claim`), no /dev/ttyUSB is needed.
"""

import libusb_package
import trio
import usb.backend
import usb.backend.libusb1
import usb.core

from station.errors import Disconnected, UsbUnavailable
from station.model import DeviceInfo, PortPath
from station.transport.claim import claim
from station.transport.kernel import Kernel, this_kernel
from station.transport.port_switch import UsbHubs
from station.transport.power import PortPower
from station.transport.topology import Topology, read_topology
from station.transport.usb_errors import usb_error
from station.transport.usb_pipe import LibusbPipe
from station.transport.usb_scan import Census, Found


class LibusbBackend:
    """A `station.transport.base.Backend`; another pyusb backend may be given in its place.

    `kernel`: by default this one for libusb, none for another backend.
    Raises UsbUnavailable when libusb cannot be loaded.
    """

    def __init__(
        self, backend: usb.backend.IBackend | None = None, kernel: Kernel | None = None
    ) -> None:
        if kernel is None:
            kernel = this_kernel() if backend is None else Kernel()
        self._kernel = kernel
        self._backend = backend if backend is not None else _wheel_libusb()
        self._census = Census(self._backend, kernel.sysfs)
        self._looking = trio.CapacityLimiter(1)

    async def scan(self) -> tuple[DeviceInfo, ...]:
        return tuple(found.info for found in (await self._look()).values())

    async def wait_change(self, timeout_s: float) -> None:
        await self._kernel.changes.wait(timeout_s)

    async def open(self, device: DeviceInfo, interface: int, *, line_state: bool) -> LibusbPipe:
        doing = f"open {device.path} interface {interface}"
        found = await self._find(device)
        try:
            return await trio.to_thread.run_sync(
                self._open, found, interface, line_state, limiter=trio.CapacityLimiter(1)
            )
        except (usb.core.USBError, NotImplementedError) as error:
            raise usb_error(error, doing) from error

    async def product(self, device: DeviceInfo) -> str | None:
        """The product string; None when there is none to read. Raises Disconnected."""
        found = await self._find(device)
        return await trio.to_thread.run_sync(self._product, found, limiter=trio.CapacityLimiter(1))

    def power(self) -> PortPower:
        """Takes the power of ports away that this backend sees."""
        return PortPower(self, _topology, UsbHubs(self._backend).open)

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

    def _open(self, found: Found, number: int, line_state: bool) -> LibusbPipe:
        ttys = self._kernel.ttys
        return LibusbPipe(claim(self._backend, found, number, line_state=line_state, ttys=ttys))

    def _product(self, found: Found) -> str | None:
        if found.raw is None:
            return None
        device = usb.core.Device(found.raw, self._backend)
        try:
            product: str | None = device.product
        except (usb.core.USBError, NotImplementedError, ValueError, IndexError):
            return None
        finally:
            device.finalize()
        return product


async def _topology() -> Topology:
    return await trio.to_thread.run_sync(read_topology, limiter=trio.CapacityLimiter(1))


def _wheel_libusb() -> usb.backend.IBackend:
    backend = usb.backend.libusb1.get_backend(find_library=libusb_package.find_library)
    if backend is None:
        raise UsbUnavailable("libusb of the wheel libusb-package could not be loaded")
    return backend
