"""One attempt for every selected slot, all at the same time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import trio

from station.engine.attempt import Attempt
from station.engine.ports import PortBoard
from station.engine.world import Order, World
from station.errors import Bug, StationError, Timeout
from station.model import AttemptEnded, AttemptRecord, Failure, Slot, SlotFailed


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
    abort: trio.Event,
) -> Tally:
    """Give each slot one attempt; an empty slot gets its NO USB after `wait_s`.

    When `abort` is set, running attempts end as ABORTED, untouched modules given back first.
    Raises what the backend's first scan raises.
    """
    chosen = tuple(slots)
    board = PortBoard(world.backend, world.settings.slots)
    tally = Tally()
    await board.refresh()
    async with trio.open_nursery() as watching:
        watching.start_soon(board.watch)
        async with trio.open_nursery() as tray:
            watching.start_soon(_cancel_on, abort, tray.cancel_scope)
            await _await_all(board, chosen, wait_s)
            for slot in chosen:
                tray.start_soon(_one, world, board, slot, orders[slot.name], tally)
        watching.cancel_scope.cancel()
    tally.aborted = abort.is_set()
    return tally


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _await_all(board: PortBoard, slots: tuple[Slot, ...], wait_s: float) -> None:
    deadline = trio.current_time() + wait_s
    for slot in slots:
        try:
            await board[slot.name].wait(
                lambda device: device is not None, deadline - trio.current_time()
            )
        except Timeout:
            return  # what is missing now is reported by its own slot


async def _one(world: World, board: PortBoard, slot: Slot, order: Order, tally: Tally) -> None:
    """One slot's attempt. What even its closing could not handle is told, never raised: a slot
    must not end its neighbours."""
    attempt = Attempt(world, board[slot.name], order)
    try:
        await attempt.run()
    except Exception as error:  # noqa: BLE001 - the nursery must not fall with one slot
        known = (
            error if isinstance(error, StationError) else Bug(f"{type(error).__name__}: {error}")
        )
        tally.lost[slot.name] = Failure.of(known)
        world.show(SlotFailed(slot.name, tally.lost[slot.name]))
    finally:
        if attempt.record is not None:
            tally.records.append(attempt.record)
            world.show(AttemptEnded(slot.name, attempt.record))
