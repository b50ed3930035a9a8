"""How far a long look at the record has come, said now and then."""

import time
from collections.abc import Callable

from station.commands.exits import say
from station.store.far import Came, Far

EVERY_S = 30.0


def said_so_far(clock_s: Callable[[], float] = time.monotonic) -> Came:
    """A short look ends without a word."""
    next_s = clock_s() + EVERY_S

    def came(far: Far) -> None:
        nonlocal next_s
        if clock_s() >= next_s:
            next_s = clock_s() + EVERY_S
            say(f"so far: {far.rows:.1%} of the rows, the pages of {far.tables} of {far.of} tables")

    return came
