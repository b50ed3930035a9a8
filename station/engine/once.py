"""One attempt for every selected slot, all at the same time."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from station.engine.attempt import Attempt
from station.engine.ports import PortBoard
from station.engine.world import Order, World
from station.errors import Bug, StationError, Timeout
from station.model import AttemptEnded, AttemptRecord, Failure, Slot, SlotFailed


@dataclass(slots=True)
class Stop:
    """How a person stops a tray: `gently` lets modules that are being written be finished, `now`
    does not. Modules that were only switched are given back either way."""

    gently: trio.Event = field(default_factory=trio.Event)
    now: trio.Event = field(default_factory=trio.Event)

    def ask(self) -> bool:
        """Gently the first time, now the second; True if it was the first."""
        is_first = not self.gently.is_set()
        (self.gently if is_first else self.now).set()
        return is_first


@dataclass(slots=True)
class Tally:
    """What came of a tray. `lost` holds slots whose verdict could not be committed."""

    records: list[AttemptRecord] = field(default_factory=list)
    lost: dict[str, Failure] = field(default_factory=dict)
    aborted: bool = False
    """A person stopped it."""


async def flash_once(
    world: World,
    slots: Iterable[Slot],
    orders: Mapping[str, Order],
    *,
    wait_s: float,
    stop: Stop,
) -> Tally:
    """Give each slot one attempt; an empty slot gets its NO USB after `wait_s`.

    Attempts that are stopped end as ABORTED. Raises what the backend's first scan raises.
    """
    chosen = tuple(slots)
    board = PortBoard(world.backend, world.settings.slots)
    tally = Tally()
    await board.refresh()
    async with trio.open_nursery() as watching:
        watching.start_soon(board.watch)
        waiting = trio.CancelScope(deadline=trio.current_time() + wait_s)
        watching.start_soon(_cancel_on, stop.gently, waiting)
        with waiting:
            await _await_all(board, chosen, wait_s)
        async with trio.open_nursery() as tray:
            for slot in chosen:
                attempt = Attempt(world, board[slot.name], orders[slot.name])
                scope = trio.CancelScope()
                tray.start_soon(_one, world, attempt, scope, tally)
                watching.start_soon(_stop, attempt, scope, stop)
        watching.cancel_scope.cancel()
    tally.aborted = stop.gently.is_set()
    return tally


async def _stop(attempt: Attempt, scope: trio.CancelScope, stop: Stop) -> None:
    await stop.gently.wait()
    if attempt.is_writing:
        await stop.now.wait()
    scope.cancel()


async def _await_all(board: PortBoard, slots: tuple[Slot, ...], wait_s: float) -> None:
    """Until every slot is occupied or time is up; what is missing its own slot reports."""
    with suppress(Timeout):
        for slot in slots:
            await board[slot.name].wait(lambda device: device is not None, wait_s)


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _one(world: World, attempt: Attempt, scope: trio.CancelScope, tally: Tally) -> None:
    """One slot's attempt. What even its closing could not handle is told, never raised: a slot
    must not end its neighbours."""
    slot = attempt.port.slot.name
    try:
        with scope:
            await attempt.run()
    except Exception as error:  # noqa: BLE001 - the nursery must not fall with one slot
        known = (
            error if isinstance(error, StationError) else Bug(f"{type(error).__name__}: {error}")
        )
        tally.lost[slot] = Failure.of(known)
        world.show(SlotFailed(slot, tally.lost[slot]))
    finally:
        if attempt.record is not None:
            tally.records.append(attempt.record)
            world.show(AttemptEnded(slot, attempt.record))
