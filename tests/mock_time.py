"""Time that passes in tests is the mock clock's: nobody waits for it."""

import trio
from trio.testing import MockClock


async def time_passes(seconds: float) -> None:
    """So much of it. A clock of this world fails the test."""
    assert isinstance(trio.lowlevel.current_clock(), MockClock), "this would be a sleep"
    await trio.sleep(seconds)
