"""Every selected slot is flashed once, all at the same time; what may pass is tried again."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from station.engine import boot
from station.engine.attempt import Attempt
from station.engine.backlog import Backlog
from station.engine.guard import Guard
from station.engine.ports import PortBoard, SlotPort
from station.engine.stop import Stop
from station.engine.world import Order, World
from station.errors import StoreError, Timeout
from station.model import AttemptEnded, AttemptRecord, Failure, Slot, SlotFailed


@dataclass(slots=True)
class Tally:
    """What came of a tray: all its attempts, in the order in which they ended. `lost` holds slots
    whose verdict could not be committed."""

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
    """Flash each slot's module; an empty slot gets its NO USB after `wait_s`.

    Attempts that are stopped end as ABORTED. Raises what the backend's first scan raises, and
    StoreError where the start cannot be recorded.
    """
    chosen = tuple(slots)
    settings = world.settings
    board = PortBoard(world.backend, settings.slots, hub_losses=settings.line.hub_losses)
    tally = Tally()
    await board.refresh()
    world = await boot.recorded(world)
    async with trio.open_nursery() as watching:
        watching.start_soon(board.watch)
        until_s = trio.current_time() + wait_s
        await _await_all([board[slot.name] for slot in chosen], stop, until_s)
        tally.unknown = board.on_unknown_ports(world.families)
        async with trio.open_nursery() as tray:
            for slot in chosen:
                port, order = board[slot.name], orders[slot.name]
                tray.start_soon(_try, world, port, order, stop, until_s, tally)
        watching.cancel_scope.cancel()
    if tally.lost:
        await _record_the_rest(world, tally)
    await _record_hubs(world, board)
    tally.aborted = stop.gently.is_set()
    return tally


async def _record_the_rest(world: World, tally: Tally) -> None:
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


async def _await_all(ports: Iterable[SlotPort], stop: Stop, until_s: float) -> None:
    """Until each slot was occupied, time is up or somebody stops it; what is missing its own slot
    reports."""
    async with trio.open_nursery() as waiting:
        waiting.start_soon(_cancel_on, stop.gently, waiting.cancel_scope)
        with suppress(Timeout):
            for port in ports:
                if port.slot.barred is None:
                    left_s = until_s - trio.current_time()
                    await port.wait(lambda device: device is not None, left_s)
        waiting.cancel_scope.cancel()


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _try(
    world: World, port: SlotPort, order: Order, stop: Stop, until_s: float, tally: Tally
) -> None:
    """One slot's attempts: the next one follows a failure that may pass."""
    await _await_all([port], stop, until_s)  # one that left while others were awaited comes back
    following: Order | None = order
    while following is not None:
        attempt = Attempt(world, port, following)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop, attempt, nursery.cancel_scope, stop)
                await _run(world, attempt, tally)
                nursery.cancel_scope.cancel()
        finally:
            following = None if stop.gently.is_set() else attempt.next_order()
            _tell(world, attempt, following, tally)


async def _stop(attempt: Attempt, scope: trio.CancelScope, stop: Stop) -> None:
    await stop.gently.wait()
    if attempt.is_writing:
        await stop.now.wait()
    scope.cancel()


async def _run(world: World, attempt: Attempt, tally: Tally) -> None:
    lost = await attempt.run_alone()
    if lost is not None:
        slot = attempt.port.slot.name
        tally.lost[slot] = lost
        world.show(SlotFailed(slot, lost))


def _tell(world: World, attempt: Attempt, following: Order | None, tally: Tally) -> None:
    """One attempt, told and tallied."""
    if attempt.record is None:
        return
    attempts = world.settings.line.attempts
    again = None if following is None else f"{following.number} of {attempts}"
    _count(world, attempt.record, tally, again)


def _count(world: World, record: AttemptRecord, tally: Tally, again: str | None = None) -> None:
    tally.lost.pop(record.opened.slot, None)
    tally.records.append(record)
    world.show(AttemptEnded(record.opened.slot, record, again))
