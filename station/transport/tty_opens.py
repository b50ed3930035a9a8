"""Which device nodes were opened since we began to look, by whomever: inotify on /dev.

inotify needs no rights over the processes it tells of. What it told last of a node counts: after
an `open` somebody has it; after a `close` others may have it still, so nothing is claimed. That
holds although the kernel merges equal events in a row.
Ref: man inotify(7), uapi/linux/inotify.h.
"""

import ctypes
import os
import re
import struct
import threading
from pathlib import Path

_IN_CLOSE = 0x08 | 0x10
_IN_OPEN = 0x20
_IN_CREATE = 0x100
_IN_DELETE = 0x200
_IN_Q_OVERFLOW = 0x4000
_IN_EXCL_UNLINK = 0x0400_0000
"""No late `close` of a node that is gone is taken for one of its successor."""
_IN_ONLYDIR = 0x0100_0000
_EVENT = struct.Struct("iIII")
"""struct inotify_event: watch, mask, cookie, length of the name that follows."""
_MODULES_TTY = re.compile(r"tty(USB|ACM)\d{1,5}", re.ASCII)
"""usb-serial's and cdc_acm's, whatever driver is bound. Consoles are opened all the time."""
_READ_BYTES = 1 << 16
_READS_MAX = 64


class TtyOpens:
    """The ledger. Raises OSError where there is no inotify. For any thread."""

    def __init__(self, dev: Path) -> None:
        self._descriptor = _watch(dev)
        self._open: set[str] = set()
        self._lock = threading.Lock()
        self.noted = 0
        """Grows with every event about a tty that a module may have."""

    def close(self) -> None:
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)

    def open_ttys(self) -> frozenset[str]:
        """The names in /dev of which the last thing heard is that somebody opened them."""
        with self._lock:
            if self._descriptor >= 0:
                self._take()
            return frozenset(self._open)

    def _take(self) -> None:
        """What the kernel has ready; it keeps 16384 events, so it is asked now and then."""
        for _ in range(_READS_MAX):
            try:
                raw = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._open.clear()
                return
            self._note_all(raw)

    def _note_all(self, raw: bytes) -> None:
        at = 0
        while at + _EVENT.size <= len(raw):
            _, mask, _, length_bytes = _EVENT.unpack_from(raw, at)
            at += _EVENT.size
            self._note(os.fsdecode(raw[at : at + length_bytes].rstrip(b"\0")), mask)
            at += length_bytes

    def _note(self, name: str, mask: int) -> None:
        if mask & _IN_Q_OVERFLOW:
            self._open.clear()
        if not _MODULES_TTY.fullmatch(name):
            return
        self.noted += 1
        if mask & _IN_OPEN:
            self._open.add(name)
        else:
            self._open.discard(name)


def _watch(folder: Path) -> int:
    """An inotify descriptor on a folder. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        raise OSError("this system has no inotify")
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise _failure(folder)
    mask = _IN_OPEN | _IN_CLOSE | _IN_CREATE | _IN_DELETE | _IN_EXCL_UNLINK | _IN_ONLYDIR
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), ctypes.c_uint32(mask)) < 0:
        failure = _failure(folder)
        os.close(descriptor)
        raise failure
    return descriptor


def _failure(folder: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(folder))
