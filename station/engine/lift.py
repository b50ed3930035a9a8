"""An engineer lifts what the line has stopped by itself: on record first, with name and reason."""

from collections.abc import Awaitable, Callable

from station.engine.line import Line
from station.engine.place import Place
from station.errors import NotNow
from station.wire import Lift

Record = Callable[[str], Awaitable[None]]
"""Commits an event of this kind: who asked, and why. Raises StoreError."""


async def lift_slot(place: Place, record: Record) -> None:
    """Let a slot in again that was taken out. Raises NotNow, StoreError: nothing is lifted."""
    if not place.is_taken_out:
        raise NotNow("there is nothing to lift: the station has not taken this slot out")
    await record("slot_lifted")
    if place.is_taken_out:  # nobody else was quicker
        place.let_in()


async def lift_line(line: Line, command: Lift, record: Record) -> None:
    """Go on after a stop, or after a hub failed. Raises NotNow, StoreError: nothing is lifted."""
    if line.guard.stopped is None and not line.board.hubs.standing:
        raise NotNow("there is nothing to lift: the line is not stopped, no hub has failed")
    if line.guard.stopped is not None:
        await record("breaker_lifted")
        line.guard.lift(command.reason, command.by)
    if line.board.hubs.standing:
        await record("hub_lifted")
        line.board.hubs.lift()
    line.on_fate()
