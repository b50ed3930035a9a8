"""A program that opens every new ttyUSB and reads: `stray_reader.py HOLD_S`.

As ModemManager does, raw, as soon as the kernel has made the node. Each one is let go after so
many seconds. Runs until killed.
"""

import contextlib
import ctypes
import os
import select
import struct
import sys
import termios
import time
import tty
from collections.abc import Iterator
from pathlib import Path

IN_CREATE = 0x100
EVENT = struct.Struct("iIII")
"""Ref: man inotify(7)."""


def main() -> None:
    hold_s = float(sys.argv[1])
    news = _watch(b"/dev")
    there = [path.name for path in Path("/dev").iterdir()]
    held = {each: time.monotonic() + hold_s for name in there for each in _open(name)}
    while True:
        wait_s = max(0.0, min(held.values()) - time.monotonic()) if held else None
        ready, _, _ = select.select([news, *held], [], [], wait_s)
        if news in ready:
            ready.remove(news)
            for name in _created(os.read(news, 65536)):
                held |= {each: time.monotonic() + hold_s for each in _open(name)}
        gone = {each for each in ready if not _has_more(each)}
        now_s = time.monotonic()
        for each in gone | {each for each, until_s in held.items() if now_s > until_s}:
            os.close(each)
            del held[each]


def _watch(folder: bytes) -> int:
    libc = ctypes.CDLL(None)
    news: int = libc.inotify_init()
    libc.inotify_add_watch(news, folder, IN_CREATE)
    return news


def _created(events: bytes) -> Iterator[str]:
    while events:
        *_, length_bytes = EVENT.unpack_from(events)
        yield events[EVENT.size : EVENT.size + length_bytes].rstrip(b"\0").decode()
        events = events[EVENT.size + length_bytes :]


def _open(name: str) -> Iterator[int]:
    if not name.startswith("ttyUSB"):
        return
    with contextlib.suppress(OSError, termios.error):  # gone already, or not there yet
        descriptor = os.open(f"/dev/{name}", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        tty.setraw(descriptor)
        yield descriptor


def _has_more(descriptor: int) -> bool:
    """False when the device is gone."""
    try:
        return bool(os.read(descriptor, 4096))
    except BlockingIOError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
