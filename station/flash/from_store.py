"""The package store, read while a module waits: no disk holds up a slot, or is the unit's fault."""

from collections.abc import Callable
from typing import TypeVar

import trio

from station.errors import StationOverdue
from station.flash.identify import LAST_WORD_S, time_left_s
from station.flash.session import Session

T = TypeVar("T")

STORE_S = 10.0
"""A disk that takes longer for some megabytes is not there any more, or has far too much to do."""


async def from_store(session: Session, name: str, work: Callable[[], T]) -> T:
    """What `work` makes of the image `name`; before the step's own limit, which would blame the
    unit. Raises StationOverdue."""
    left_s = time_left_s() - LAST_WORD_S
    patience_s = min(STORE_S, left_s) if left_s > 0 else STORE_S
    try:
        return await session.disk.ask(work, patience_s)
    except trio.TooSlowError:
        raise StationOverdue(
            f"{name} could not be read from the package store within {patience_s:.3g} s"
        ) from None
