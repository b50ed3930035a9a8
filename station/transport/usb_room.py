"""Want of room: usbfs has so much memory for all programs together (usbfs_memory_mb).

A neighbour that takes more than its share gives it back within milliseconds, so whoever finds none
asks again, less and less often, as long as its caller has patience.
Ref: Linux drivers/usb/core/devio.c (usbfs_increase_memory_usage).
"""

import errno

import trio
import usb.core

FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.1
LEAST_S = 1.0
"""Also a call without patience asks so long: it wants no answer, but it does want to ask."""


def is_for_want_of_room(error: usb.core.USBError) -> bool:
    return bool(error.errno == errno.ENOMEM)


class Patience:
    """The pauses of one call, each twice as long as the one before."""

    def __init__(self, timeout_s: float) -> None:
        self._ends_s = trio.current_time() + max(timeout_s, LEAST_S)
        self._pause_s = FIRST_PAUSE_S

    @property
    def is_over(self) -> bool:
        return trio.current_time() >= self._ends_s

    async def pause(self) -> None:
        left_s = max(0.0, self._ends_s - trio.current_time())
        await trio.sleep(min(self._pause_s, left_s))
        self._pause_s = longer(self._pause_s)


def longer(pause_s: float) -> float:
    return min(2 * pause_s, LONGEST_PAUSE_S)
