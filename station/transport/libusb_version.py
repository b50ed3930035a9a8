"""Which libusb moves the bytes: the version of the library that pyusb has loaded."""

import ctypes

import usb.backend


class _Version(ctypes.Structure):
    """`struct libusb_version`."""

    _fields_ = (
        *((name, ctypes.c_uint16) for name in ("major", "minor", "micro", "nano")),
        ("rc", ctypes.c_char_p),
        ("describe", ctypes.c_char_p),
    )


def libusb_version(backend: usb.backend.IBackend) -> str | None:
    """E.g. `1.0.30.11994`; None for a backend that is no libusb, or a libusb that does not tell.

    The library is opened once more, so that our prototype and pyusb's do not meet.
    """
    loaded = getattr(backend, "lib", None)
    if not isinstance(loaded, ctypes.CDLL):
        return None
    try:
        tell = ctypes.CDLL(loaded._name).libusb_get_version
    except (OSError, AttributeError):
        return None
    tell.restype = ctypes.POINTER(_Version)
    told = tell().contents
    rc = (told.rc or b"").decode("ascii", "replace")
    return f"{told.major}.{told.minor}.{told.micro}.{told.nano}{rc}"
