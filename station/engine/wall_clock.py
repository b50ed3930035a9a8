"""The wall clock gives the record its times. When it jumps, a person must know.

It is compared with a clock that nobody can set. Durations and the order of what is recorded do not
come from the wall clock (`station.store.ids`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

BACK_US = 1_000_000
"""A time server slews what is less."""

AHEAD_US = 60_000_000
ALARM_US = 600_000_000
"""The alarm stands for so long; the event stays."""


def steady_us() -> int:
    """Goes on while the machine sleeps, where the kernel has such a clock."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1000


@dataclass(slots=True)
class WallClock:
    """`wall` gives microseconds since the epoch, `steady` since whenever."""

    wall: Callable[[], int]
    steady: Callable[[], int] = steady_us
    _offset_us: int = field(init=False)
    _jump_us: int = 0
    _jumped_us: int = 0
    """When, by the steady clock."""

    def __post_init__(self) -> None:
        self._offset_us = self.wall() - self.steady()

    def look(self) -> int | None:
        """How far it jumped since the last look, in microseconds; None if it did not."""
        before, self._offset_us = self._offset_us, self.wall() - self.steady()
        return self._noted(self._offset_us - before)

    def since(self, newest_utc_us: int | None) -> int | None:
        """The same at a start: against the newest time in the record, which was a while ago."""
        return self._noted(min(0, self.wall() - (newest_utc_us or 0)))

    @property
    def trouble(self) -> str | None:
        """The last jump, while it is worth an alarm."""
        if not self._jump_us or self.steady() - self._jumped_us > ALARM_US:
            return None
        seconds = abs(self._jump_us) / 1_000_000
        where = "ahead" if self._jump_us > 0 else "back"
        return f"the clock of the station was set {where} by {seconds:.1f} s"

    def _noted(self, jump_us: int) -> int | None:
        if -BACK_US <= jump_us <= AHEAD_US:
            return None
        self._jump_us, self._jumped_us = jump_us, self.steady()
        return jump_us
