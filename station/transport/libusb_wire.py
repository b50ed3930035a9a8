"""libusb's asynchronous interface through ctypes: transfers, and the descriptors to wait on.

The library is the very one pyusb has loaded, opened once more so that our prototypes and pyusb's
do not meet; the context and the device handles are pyusb's.

Calls that do not wait keep the interpreter's lock (`PyDLL`): to give it up for each chunk is to
lose it to any busy thread for a whole turn. libusb holds none of the locks
they need while it is in a call of ours (an ended transfer, a descriptor come or gone).

Ref: libusb.h (ABI of 1.0); "Asynchronous device I/O" and "Polling and timing" of its manual;
io.c, core.c and os/linux_usbfs.c for what is locked when.
"""

import contextlib
import ctypes
import select
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import usb.backend
import usb.backend.libusb1
import usb.core

_ADD_ZERO_PACKET = 1 << 3
_INTERRUPTED = -10
_UNDER_WAY = -1
"""libusb sets the status of a transfer at its end, just before it calls who waits for that."""


class TransferStruct(ctypes.Structure):
    """`struct libusb_transfer`, without the room for isochronous packets at its end."""

    _fields_ = (
        ("dev_handle", ctypes.c_void_p),
        ("flags", ctypes.c_uint8),
        ("endpoint", ctypes.c_ubyte),
        ("type", ctypes.c_ubyte),
        ("timeout", ctypes.c_uint),
        ("status", ctypes.c_int),
        ("length", ctypes.c_int),
        ("actual_length", ctypes.c_int),
        ("callback", ctypes.c_void_p),
        ("user_data", ctypes.c_void_p),
        ("buffer", ctypes.c_void_p),
        ("num_iso_packets", ctypes.c_int),
    )


class _PollFd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short))


class _TimeVal(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_usec", ctypes.c_long))


L = TypeVar("L", ctypes.PyDLL, ctypes.CDLL)

_Ended = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Added = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_short, ctypes.c_void_p)
_Removed = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)

_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "libusb_alloc_transfer": (ctypes.c_void_p, (ctypes.c_int,)),
    "libusb_free_transfer": (None, (ctypes.c_void_p,)),
    "libusb_submit_transfer": (ctypes.c_int, (ctypes.c_void_p,)),
    "libusb_cancel_transfer": (ctypes.c_int, (ctypes.c_void_p,)),
    "libusb_handle_events_timeout_completed": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.POINTER(_TimeVal), ctypes.POINTER(ctypes.c_int)),
    ),
    "libusb_get_pollfds": (ctypes.POINTER(ctypes.POINTER(_PollFd)), (ctypes.c_void_p,)),
    "libusb_free_pollfds": (None, (ctypes.POINTER(ctypes.POINTER(_PollFd)),)),
    "libusb_pollfds_handle_timeouts": (ctypes.c_int, (ctypes.c_void_p,)),
    "libusb_set_pollfd_notifiers": (None, (ctypes.c_void_p, _Added, _Removed, ctypes.c_void_p)),
    "libusb_error_name": (ctypes.c_char_p, (ctypes.c_int,)),
}

_ERRNO: dict[int, int | None] = usb.backend.libusb1._libusb_errno

# libusb calls for the whole life of the process, so nothing below is ever collected.
_transfers: dict[int, Callable[[], None]] = {}
"""What to call when the transfer at this address has ended."""
_epolls: dict[int, select.epoll] = {}
"""The descriptors of each context."""


def _ended(address: int) -> None:
    _transfers[address]()


def _added(descriptor: int, events: int, context: int) -> None:
    """In whatever thread opened a device."""
    with contextlib.suppress(FileExistsError):
        _epolls[context].register(descriptor, events)


def _removed(descriptor: int, context: int) -> None:
    with contextlib.suppress(OSError):
        _epolls[context].unregister(descriptor)


_on_ended = _Ended(_ended)
_on_added = _Added(_added)
_on_removed = _Removed(_removed)
_ENDED_ADDRESS = ctypes.cast(_on_ended, ctypes.c_void_p).value


def load(kind: type[L], path: str) -> L:
    """libusb with its prototypes. Raises OSError, AttributeError (a libusb that is too old)."""
    library = kind(path)
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def libusb_wire(backend: usb.backend.IBackend) -> "LibusbWire | None":
    """The wire of pyusb's libusb backend, or None where trio cannot wait for libusb.

    That takes Linux: descriptors in an epoll, timers among them, and a zero-length packet that
    the kernel adds. Each context has one wire, however often it is asked for.
    """
    context = getattr(getattr(backend, "ctx", None), "value", None)
    if sys.platform != "linux" or context is None:
        return None
    wire = _wires.get(context)
    if wire is None:
        try:
            wire = LibusbWire(backend, context, backend.lib._name)
        except (OSError, AttributeError):  # too old for any of this
            return None
        if not wire.has_timers():
            return None
        _wires[context] = wire
    return wire


class LibusbWire:
    """Implements `station.transport.usb_events.Wire` for one libusb context."""

    def __init__(self, backend: usb.backend.IBackend, context: int, path: str) -> None:
        """`path`: what pyusb has loaded. Raises as `load`."""
        self._backend = backend  # keeps the context alive
        self._library = library = load(ctypes.PyDLL, path)
        self._waiting = load(ctypes.CDLL, path)
        self._context = context
        self._no_time = ctypes.byref(_TimeVal(0, 0))
        self._epoll = _epolls[context] = select.epoll()
        library.libusb_set_pollfd_notifiers(context, _on_added, _on_removed, context)
        for descriptor, events in self.descriptors():
            _added(descriptor, events, context)

    def has_timers(self) -> bool:
        """Whether libusb's own time-outs are among the descriptors, as they are with timerfd."""
        return bool(self._library.libusb_pollfds_handle_timeouts(self._context))

    def descriptors(self) -> list[tuple[int, int]]:
        """What libusb wants waited for just now, and the events: poll's, which are epoll's too."""
        found = []
        pollfds = self._library.libusb_get_pollfds(self._context)
        for pollfd in pollfds:
            if not pollfd:
                break
            found.append((pollfd.contents.fd, pollfd.contents.events))
        self._library.libusb_free_pollfds(pollfds)
        return found

    def fileno(self) -> int:
        return self._epoll.fileno()

    def handle_events(self) -> None:
        self._handle(self._library)

    def handle_events_blocking(self) -> None:
        self._handle(self._waiting)

    def _handle(self, library: ctypes.CDLL) -> None:
        handle_events = library.libusb_handle_events_timeout_completed
        code = handle_events(self._context, self._no_time, None)
        if code < 0 and code != _INTERRUPTED:
            raise _usb_error(self._library, code)

    def transfer(
        self, handle: object, endpoint_address: int, kind: int, ended: Callable[[], None] | None
    ) -> "LibusbTransfer":
        opened: int | None = getattr(handle, "handle").value  # noqa: B009 - pyusb's own, untyped
        return LibusbTransfer(self._library, self._waiting, opened, endpoint_address, kind, ended)


class LibusbTransfer:
    """Implements `station.transport.usb_events.Transfer` by one libusb_transfer."""

    __slots__ = ("_address", "_cancel", "_form", "_library", "_struct", "_submit")

    def __init__(
        self,
        library: ctypes.PyDLL,
        waiting: ctypes.CDLL,
        handle: int | None,
        endpoint_address: int,
        kind: int,
        ended: Callable[[], None] | None,
    ) -> None:
        address = library.libusb_alloc_transfer(0)
        if not address:
            raise MemoryError("libusb has no room for a transfer")
        self._library = library
        self._submit = library.libusb_submit_transfer
        self._cancel = waiting.libusb_cancel_transfer
        self._address: int = address
        self._struct = struct = TransferStruct.from_address(address)
        struct.dev_handle = handle
        struct.endpoint = endpoint_address
        struct.type = kind
        struct.timeout = 0  # for ever: the deadlines are trio's
        struct.status = _UNDER_WAY
        self._form = (-1, False)
        if ended is not None:
            struct.callback = _ENDED_ADDRESS
            _transfers[address] = ended

    # Read for every transfer that ends: attrgetter is as quick as can be.
    status = property(attrgetter("_struct.status"))
    actual_bytes = property(attrgetter("_struct.actual_length"))

    def submit(self, address: int, length_bytes: int, *, zlp: bool = False) -> None:
        struct = self._struct
        struct.buffer = address
        struct.status = _UNDER_WAY
        form = (length_bytes, zlp)
        if form != self._form:  # a burst's are nearly all of one
            self._form = form
            struct.length = length_bytes
            struct.flags = _ADD_ZERO_PACKET if zlp else 0
        code = self._submit(self._address)
        if code < 0:
            raise _usb_error(self._library, code)

    def cancel(self) -> None:
        self._cancel(self._address)

    def free(self) -> None:
        _transfers.pop(self._address, None)
        self._library.libusb_free_transfer(self._address)


_wires: dict[int, LibusbWire] = {}


def _usb_error(library: ctypes.PyDLL, code: int) -> usb.core.USBError:
    """As pyusb raises it."""
    name = library.libusb_error_name(code).decode("ascii", "replace")
    return usb.core.USBError(name, code, _ERRNO.get(code))
