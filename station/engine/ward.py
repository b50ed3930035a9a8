"""A task that its own bugs do not end."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

PAUSE_S = 1.0
"""After a bug, so that one that comes every time does not fill log and processor."""


async def for_ever(
    turn: Callable[[], Awaitable[None]], complain: Callable[[Exception], None]
) -> NoReturn:
    """Take this turn again and again. What it raises is told, and ends nobody's attempt."""
    while True:
        try:
            await turn()
        except Exception as error:  # noqa: BLE001 - one task must not fell the nursery of all slots
            complain(error)
            await trio.sleep(PAUSE_S)
