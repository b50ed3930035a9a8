"""A trio clock that runs faster than the wall."""

import math
import time

import trio


class ScaledClock(trio.abc.Clock):
    """`speed` seconds pass in trio for each real second; `station demo --speed`.

    Raises ValueError for a speed that is not a finite number above zero.
    """

    def __init__(self, speed: float) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be above zero, not {speed}")
        self.speed = speed
        self._started_s = time.perf_counter()

    def start_clock(self) -> None:
        self._started_s = time.perf_counter()

    def current_time(self) -> float:
        return (time.perf_counter() - self._started_s) * self.speed

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return max(0.0, (deadline - self.current_time()) / self.speed)
