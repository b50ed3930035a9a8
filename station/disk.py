"""A disk that may never answer, asked in threads of its own.

A thread that hangs in the kernel cannot be ended: it is left behind, and keeps its place until the
disk answers. In the pool that everybody shares a few dead uses would keep all others from theirs.
"""

from collections.abc import Callable
from typing import TypeVar

import trio

from station.errors import StationOverdue
from station.patience import LAST_WORD_S, time_left_s

STORE_S = 10.0
"""A disk that takes longer for some megabytes is not there any more, or has far too much to do."""

T = TypeVar("T")


class Disk:
    """Asked `threads` things at once; whoever comes while all hang waits for a place, in vain, and
    leaves no thread of his own."""

    def __init__(self, threads: int = 1) -> None:
        self._limiter = trio.CapacityLimiter(threads)

    @property
    def is_busy(self) -> bool:
        """A thread is at work, or was left behind."""
        return self._limiter.borrowed_tokens > 0

    async def ask(self, work: Callable[[], T], timeout_s: float) -> T:
        """What `work` returns or raises; it is abandoned on a cancellation. Raises
        trio.TooSlowError, the time in which no place was free included."""
        with trio.fail_after(timeout_s):
            return await trio.to_thread.run_sync(
                work, limiter=self._limiter, abandon_on_cancel=True
            )


async def from_store(
    disk: Disk, name: str, work: Callable[[], T], patience_s: float = STORE_S
) -> T:
    """What `work` makes of `name`, an image or a package, while a module waits; before the deadline
    around us, which would blame the unit. Raises StationOverdue."""
    left_s = time_left_s()
    patience_s = min(patience_s, max(left_s - LAST_WORD_S, left_s / 2))
    try:
        return await disk.ask(work, patience_s)
    except trio.TooSlowError:
        raise StationOverdue(
            f"{name} could not be read from the package store within {patience_s:.3g} s"
        ) from None
