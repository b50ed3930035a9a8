"""A disk that may never answer, asked in threads of its own.

A thread that hangs in the kernel cannot be ended: it is left behind, and keeps its place until the
disk answers. In the pool that everybody shares a few dead uses would keep all others from theirs.
"""

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class Disk:
    """Asked `threads` things at once; whoever comes while all hang waits for a place, in vain, and
    leaves no thread of his own."""

    def __init__(self, threads: int = 1) -> None:
        self._limiter = trio.CapacityLimiter(threads)

    async def ask(self, work: Callable[[], T], timeout_s: float) -> T:
        """What `work` returns or raises; it is abandoned on a cancellation. Raises
        trio.TooSlowError, the time in which no place was free included."""
        with trio.fail_after(timeout_s):
            return await trio.to_thread.run_sync(
                work, limiter=self._limiter, abandon_on_cancel=True
            )
