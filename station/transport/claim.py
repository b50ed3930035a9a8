"""One interface of a device, claimed: the kernel's driver away, the line state set. Calls block.

A module that is configured is never sent SET_CONFIGURATION: it would reset every endpoint, and
other interfaces of the module may be in use.
"""

import contextlib
import errno
from array import array
from dataclasses import dataclass

import usb.backend
import usb.core

from station.errors import (
    Disconnected,
    NoBulkPair,
    NoDescriptors,
    UsbAccess,
    UsbBroken,
    UsbBusy,
)
from station.model import BOOT_ROM, DeviceInfo, Endpoint
from station.transport import descriptors
from station.transport.tty_holders import TtyHolders
from station.transport.usb_errors import usb_error
from station.transport.usb_scan import Found

SET_CONTROL_LINE_STATE = (0x21, 0x22)
"""bmRequestType (class, interface, out) and bRequest. Ref: USB CDC PSTN 1.2, 6.3.12."""
DTR_AND_RTS = 0x0003
_CONTROL_TIMEOUT_MS = 1000


@dataclass(frozen=True, slots=True)
class Claim:
    """`reattach`: the kernel driver was sent away from the interface and will get it back."""

    backend: usb.backend.IBackend
    handle: object
    device: DeviceInfo
    interface: int
    bulk_in: Endpoint
    bulk_out: Endpoint
    place: str
    reattach: bool

    def give_back(self) -> None:
        """Release and close; a device that is gone has nothing left to give back."""
        _give_back(self.backend, self.handle, self.interface, reattach=self.reattach)

    def clear_halt(self, endpoint: Endpoint) -> None:
        """After a stall, so that the endpoint may be used again. The kernel gives the module 5 s
        for it; what will not be mended shows itself in the next transfer."""
        with contextlib.suppress(usb.core.USBError, NotImplementedError):
            self.backend.clear_halt(self.handle, endpoint.address)


def claim(
    backend: usb.backend.IBackend,
    found: Found,
    number: int,
    *,
    line_state: bool,
    ttys: TtyHolders | None = None,
) -> Claim:
    """Open the device and claim its interface `number`; `line_state` sets DTR and RTS.

    Raises NoBulkPair for an interface without one (UsbBroken while its descriptors cannot be
    read), UsbBusy when another process has its
    tty open, UsbAccess without rights on the device, and what pyusb raises.
    """
    place = f"{found.info.path} interface {number}"
    interface = next((i for i in found.info.interfaces if i.number == number), None)
    if interface is None or interface.bulk_in is None or interface.bulk_out is None:
        what = f"{found.info.usb_id} on {place}: no pair of bulk endpoints there"
        raise NoBulkPair(what) if found.info.interfaces else UsbBroken(f"{what} yet")
    holder = None if ttys is None else ttys.holder_of(found.info.path, number)
    if holder is not None:
        raise UsbBusy(f"open {place}: {holder}")
    handle = _open(backend, found, place)
    detached = False
    try:
        if backend.get_configuration(handle) == 0:
            backend.set_configuration(handle, 1)
        detached = _detach_kernel_driver(backend, handle, number) and not _is_boot_rom(found)
        backend.claim_interface(handle, number)
        if line_state:
            _set_line_state(backend, handle, number)
    except BaseException:
        _give_back(backend, handle, number, reattach=detached)
        raise
    return Claim(
        backend,
        handle,
        found.info,
        number,
        interface.bulk_in,
        interface.bulk_out,
        place,
        reattach=detached,
    )


def _open(backend: usb.backend.IBackend, found: Found, place: str) -> object:
    try:
        return backend.open_device(found.raw)
    except usb.core.USBError as error:
        if descriptors.are_used_up():  # which libusb tells as a broken wire
            raise NoDescriptors(f"open {place}: no file can be opened any more") from error
        meant = usb_error(error, f"open {place}")
        if isinstance(meant, UsbAccess):
            node = f"/dev/bus/usb/{found.info.path.bus:03d}/{found.address:03d}"
            raise UsbAccess(f"open {place}: no right to write to {node}") from error
        raise


def _is_boot_rom(found: Found) -> bool:
    """The kernel has a driver for it, but whoever opens that tty swallows the HELLO that the ROM
    says once."""
    return (found.info.vid, found.info.pid) == BOOT_ROM


def _detach_kernel_driver(backend: usb.backend.IBackend, handle: object, number: int) -> bool:
    """Send the kernel's `option` or `qcserial` away, True if one had to go; other systems
    have nobody to send."""
    try:
        active = bool(backend.is_kernel_driver_active(handle, number))
        if active:
            backend.detach_kernel_driver(handle, number)
    except NotImplementedError:
        return False
    except usb.core.USBError as error:
        if error.errno != errno.ENOENT:  # it left by itself in between
            raise
        return False
    return active


def _set_line_state(backend: usb.backend.IBackend, handle: object, number: int) -> None:
    """DTR and RTS on, as the kernel's `option` driver does; without, the port stays mute.

    A port without modem control stalls the request or ignores it, and needs none; the kernel
    does not look at the result either. What matters is a module that is gone, or not ours.
    Ref: Linux drivers/usb/serial/usb_wwan.c (usb_wwan_send_setup).
    """
    try:
        backend.ctrl_transfer(
            handle, *SET_CONTROL_LINE_STATE, DTR_AND_RTS, number, array("B"), _CONTROL_TIMEOUT_MS
        )
    except usb.core.USBError as error:
        if isinstance(usb_error(error, "set line state"), Disconnected | UsbAccess):
            raise


def _give_back(
    backend: usb.backend.IBackend, handle: object, interface: int, *, reattach: bool
) -> None:
    """A module that stays where it is shows its ttyUSB again only if its driver is attached."""
    with contextlib.suppress(usb.core.USBError, NotImplementedError):
        backend.release_interface(handle, interface)
    if reattach:
        with contextlib.suppress(usb.core.USBError, NotImplementedError):
            backend.attach_kernel_driver(handle, interface)
    with contextlib.suppress(usb.core.USBError, NotImplementedError):
        backend.close_device(handle)
