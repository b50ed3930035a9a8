"""What tests ask the kernel, and how they wait for it."""

import time
from collections.abc import Callable
from pathlib import Path

IN_GUEST = "station.rig" in Path("/proc/cmdline").read_text().split()
DEVICES = Path("/sys/bus/usb/devices")


def until(seen: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """False if it was not seen in time."""
    deadline_s = time.monotonic() + limit_s
    while not seen():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)  # a poll of the kernel under a deadline
    return True


def read(folder: Path, name: str) -> str | None:
    """A file of a device's folder, if it is still there."""
    try:
        return (folder / name).read_text().strip()
    except OSError:
        return None
