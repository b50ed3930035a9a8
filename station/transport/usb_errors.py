"""pyusb's exceptions in the words of the station.

libusb folds the kernel's EPROTO, EILSEQ and ETIME of a bulk transfer into one EIO. That is what a
transfer in flight reports when a module drops off the bus, a moment before the kernel notices the
departure itself; so EIO counts as a lost module, not as a broken one.
Ref: libusb os/linux_usbfs.c (reap_for_handle), pyusb usb/backend/libusb1.py (_libusb_errno).
"""

import errno

import usb.core

from station.errors import (
    Disconnected,
    NoUsbMemory,
    Timeout,
    UsbAccess,
    UsbBroken,
    UsbBusy,
    UsbError,
    UsbStall,
    UsbUnavailable,
)

_BY_ERRNO: dict[int, tuple[type[UsbError], str]] = {
    errno.ENODEV: (Disconnected, "the module is gone"),
    errno.ESHUTDOWN: (Disconnected, "the module is gone"),
    errno.EIO: (Disconnected, "the wire failed, the module is gone or its contact is bad"),
    errno.EPROTO: (Disconnected, "the wire failed, the module is gone or its contact is bad"),
    errno.EILSEQ: (Disconnected, "the wire failed, the module is gone or its contact is bad"),
    errno.ETIMEDOUT: (Timeout, "the module did not take it in time"),
    errno.EBUSY: (UsbBusy, "another program holds it"),
    errno.EACCES: (UsbAccess, "the operating system denies access"),
    errno.EPERM: (UsbAccess, "the operating system denies access"),
    errno.EPIPE: (UsbStall, "the module stalled the endpoint"),
    errno.ENOMEM: (
        NoUsbMemory,
        "the kernel's memory for USB transfers is used up (usbfs_memory_mb is too small)",
    ),
    errno.EOVERFLOW: (UsbBroken, "the module sent more than a transfer may hold"),
}


def usb_error(error: Exception, doing: str) -> UsbError:
    """What a pyusb exception means; `doing` names action and place, e.g. `write to 1-1.4 if 0`."""
    match error:
        case usb.core.NoBackendError():
            return UsbUnavailable(f"{doing}: libusb could not be loaded")
        case NotImplementedError():
            return UsbAccess(f"{doing}: the driver bound to the device does not allow it")
        case usb.core.USBTimeoutError():
            kind, said = _BY_ERRNO[errno.ETIMEDOUT]
        case usb.core.USBError():
            kind, said = _BY_ERRNO.get(_errno_of(error), (UsbBroken, f"libusb says {error}"))
        case _:
            kind, said = UsbBroken, f"{type(error).__name__}: {error}"
    return kind(f"{doing}: {said}")


def _errno_of(error: usb.core.USBError) -> int:
    """The errno; the older backends of pyusb give it only as their own negative code."""
    if error.errno is not None:
        return int(error.errno)
    code = error.backend_error_code
    return -code if isinstance(code, int) else 0
