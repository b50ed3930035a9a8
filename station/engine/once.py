"""One attempt for every selected slot, all at the same time."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from station.engine.attempt import Attempt
from station.engine.backlog import Backlog
from station.engine.guard import Guard
from station.engine.ports import PortBoard
from station.engine.stop import Stop
from station.engine.world import Order, World
from station.errors import StoreError, Timeout
from station.model import AttemptEnded, AttemptRecord, Failure, Slot, SlotFailed


@dataclass(slots=True)
class Tally:
    """What came of a tray. `lost` holds slots whose verdict could not be committed."""

    records: list[AttemptRecord] = field(default_factory=list)
    lost: dict[str, Failure] = field(default_factory=dict)
    aborted: bool = False
    """A person stopped it."""
    unrecorded: StoreError | None = None
    """Results that wait for the next start, or are lost."""
    unknown: str | None = None
    """Modules on ports of no slot, which were left alone."""


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
    settings = world.settings
    board = PortBoard(world.backend, settings.slots, hub_losses=settings.line.hub_losses)
    tally = Tally()
    await board.refresh()
    async with trio.open_nursery() as watching:
        watching.start_soon(board.watch)
        waiting = trio.CancelScope(deadline=trio.current_time() + wait_s)
        watching.start_soon(_cancel_on, stop.gently, waiting)
        with waiting:
            await _await_all(board, chosen, wait_s)
        tally.unknown = board.on_unknown_ports(world.families)
        async with trio.open_nursery() as tray:
            for slot in chosen:
                attempt = Attempt(world, board[slot.name], orders[slot.name])
                scope = trio.CancelScope()
                tray.start_soon(_one, world, attempt, scope, tally)
                watching.start_soon(_stop, attempt, scope, stop)
        watching.cancel_scope.cancel()
    if tally.lost:
        await _try_again(world, tally)
    await _record_hubs(world, board)
    tally.aborted = stop.gently.is_set()
    return tally


async def _try_again(world: World, tally: Tally) -> None:
    """What could not be recorded a moment ago may be now."""
    backlog = Backlog(world)
    for record in await backlog.last_try():
        if record.opened.slot in tally.lost:
            _count(world, record, tally)
    try:
        backlog.require_empty()
    except StoreError as error:
        tally.unrecorded = error


async def _record_hubs(world: World, board: PortBoard) -> None:
    """The verdicts are on record without these."""
    guard = Guard(world)
    for failure in board.hubs.news(trio.current_time()):
        guard.note_hub(failure)
    with suppress(StoreError):
        await guard.record()


async def _stop(attempt: Attempt, scope: trio.CancelScope, stop: Stop) -> None:
    await stop.gently.wait()
    if attempt.is_writing:
        await stop.now.wait()
    scope.cancel()


async def _await_all(board: PortBoard, slots: tuple[Slot, ...], wait_s: float) -> None:
    """Until every slot is occupied or time is up; what is missing its own slot reports."""
    with suppress(Timeout):
        for slot in slots:
            if slot.barred is not None:
                continue
            await board[slot.name].wait(lambda device: device is not None, wait_s)


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _one(world: World, attempt: Attempt, scope: trio.CancelScope, tally: Tally) -> None:
    """One slot's attempt, told and tallied."""
    slot = attempt.port.slot.name
    try:
        with scope:
            lost = await attempt.run_alone()
            if lost is not None:
                tally.lost[slot] = lost
                world.show(SlotFailed(slot, lost))
    finally:
        if attempt.record is not None:
            _count(world, attempt.record, tally)


def _count(world: World, record: AttemptRecord, tally: Tally) -> None:
    tally.lost.pop(record.opened.slot, None)
    tally.records.append(record)
    world.show(AttemptEnded(record.opened.slot, record))
