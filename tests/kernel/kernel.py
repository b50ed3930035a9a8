"""What tests ask the kernel, and how they wait for it."""

import time
from collections.abc import Callable
from pathlib import Path

DEVICES = Path("/sys/bus/usb/devices")


def until(seen: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """False if it was not seen in time."""
    deadline_s = time.monotonic() + limit_s
    while not seen():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)  # a poll of the kernel under a deadline
    return True
