"""How long may be waited here: who has a deadline says what he saw before it passes."""

import trio

LAST_WORD_S = 1.0
"""Give up so long before the deadline, with the error that was seen: it says more than "too
late"."""


def real_s(seconds: float) -> float:
    """So many seconds of this world by trio's clock: that of simulated modules may be faster, and
    no disk is."""
    return seconds * float(getattr(trio.lowlevel.current_clock(), "speed", 1.0))


def time_left_s() -> float:
    """Seconds until the deadline that surrounds us, an hour if there is none."""
    return max(0.0, min(3600.0, trio.current_effective_deadline() - trio.current_time()))
