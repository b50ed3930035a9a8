"""Real USB: pyusb over the libusb that comes in the wheel `libusb-package`.

A module that is configured is never sent SET_CONFIGURATION: it would reset every endpoint, and
other interfaces of the module may be in use. Interfaces are claimed, no /dev/ttyUSB is needed.
"""

import errno
from array import array

import libusb_package
import trio
import usb.backend
import usb.backend.libusb1
import usb.core

from station.errors import Disconnected, UsbAccess, UsbBroken, UsbUnavailable
from station.model import DeviceInfo, PortPath
from station.transport.usb_errors import usb_error
from station.transport.usb_pipe import LibusbPipe, give_back
from station.transport.usb_scan import Census, Found

_POLL_S = 0.1

_SET_CONTROL_LINE_STATE = (0x21, 0x22)
"""bmRequestType (class, interface, out) and bRequest. Ref: USB CDC PSTN 1.2, 6.3.12."""
_DTR_AND_RTS = 0x0003
_CONTROL_TIMEOUT_MS = 1000


class LibusbBackend:
    """A `station.transport.base.Backend`; another pyusb backend may be given in its place.

    Raises UsbUnavailable when libusb cannot be loaded.
    """

    def __init__(self, backend: usb.backend.IBackend | None = None) -> None:
        self._backend = backend if backend is not None else _wheel_libusb()
        self._census = Census(self._backend)
        self._looking = trio.CapacityLimiter(1)

    async def scan(self) -> tuple[DeviceInfo, ...]:
        return tuple(found.info for found in (await self._look()).values())

    async def wait_change(self, timeout_s: float) -> None:
        await trio.sleep(min(timeout_s, _POLL_S))

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

    async def _look(self) -> dict[PortPath, Found]:
        try:
            return await trio.to_thread.run_sync(self._census.look, limiter=self._looking)
        except (usb.core.USBError, NotImplementedError) as error:
            raise usb_error(error, "look for USB devices") from error

    async def _find(self, device: DeviceInfo) -> Found:
        """The device of that enumeration, looked up afresh. Raises Disconnected."""
        found = (await self._look()).get(device.path)
        if found is None or found.info.generation != device.generation:
            raise Disconnected(f"{device.usb_id} on {device.path} has left or enumerated anew")
        return found

    # --- in a worker thread -------------------------------------------------------------------

    def _open(self, found: Found, number: int, line_state: bool) -> LibusbPipe:
        place = f"{found.info.path} interface {number}"
        interface = next((i for i in found.info.interfaces if i.number == number), None)
        if interface is None or interface.bulk_in is None or interface.bulk_out is None:
            raise UsbBroken(f"{found.info.usb_id} on {place}: no pair of bulk endpoints there")
        handle = self._backend.open_device(found.raw)
        detached = False
        try:
            if self._backend.get_configuration(handle) == 0:
                self._backend.set_configuration(handle, 1)
            detached = self._detach_kernel_driver(handle, number)
            self._backend.claim_interface(handle, number)
            if line_state:
                self._set_line_state(handle, number)
        except BaseException:
            give_back(self._backend, handle, number, reattach=detached)
            raise
        return LibusbPipe(
            self._backend,
            handle,
            number,
            interface.bulk_in,
            interface.bulk_out,
            place,
            reattach=detached,
        )

    def _detach_kernel_driver(self, handle: object, number: int) -> bool:
        """Send the kernel's `option` or `qcserial` away, True if one had to go; other systems
        have nobody to send."""
        try:
            active = bool(self._backend.is_kernel_driver_active(handle, number))
            if active:
                self._backend.detach_kernel_driver(handle, number)
        except NotImplementedError:
            return False
        except usb.core.USBError as error:
            if error.errno != errno.ENOENT:  # it left by itself in between
                raise
            return False
        return active

    def _set_line_state(self, handle: object, number: int) -> None:
        """DTR and RTS on, as the kernel's `option` driver does; without, the port stays mute.

        A port without modem control stalls the request or ignores it, and needs none; the kernel
        does not look at the result either. What matters is a module that is gone, or not ours.
        Ref: Linux drivers/usb/serial/usb_wwan.c (usb_wwan_send_setup).
        """
        try:
            self._backend.ctrl_transfer(
                handle,
                *_SET_CONTROL_LINE_STATE,
                _DTR_AND_RTS,
                number,
                array("B"),
                _CONTROL_TIMEOUT_MS,
            )
        except usb.core.USBError as error:
            if isinstance(usb_error(error, "set line state"), Disconnected | UsbAccess):
                raise

    def _product(self, found: Found) -> str | None:
        device = usb.core.Device(found.raw, self._backend)
        try:
            product: str | None = device.product
        except (usb.core.USBError, NotImplementedError, ValueError, IndexError):
            return None
        finally:
            device.finalize()
        return product


def _wheel_libusb() -> usb.backend.IBackend:
    backend = usb.backend.libusb1.get_backend(find_library=libusb_package.find_library)
    if backend is None:
        raise UsbUnavailable("libusb of the wheel libusb-package could not be loaded")
    return backend
