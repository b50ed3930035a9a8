"""The engine as a service: the record, the line and the socket, from start to drain."""

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

from station import __version__
from station.config import Families, Settings
from station.engine import boot
from station.engine.backlog import Backlog, results_folder
from station.engine.desk import Desk
from station.engine.evidence import close_interrupted
from station.engine.feed import Feed
from station.engine.health import Health
from station.engine.line import Line
from station.engine.notary import Notary, notary
from station.engine.notify import Notify
from station.engine.people import people_of
from station.engine.ports import PortBoard
from station.engine.server import serve_socket
from station.engine.shelf import Shelf
from station.engine.stop import Stop
from station.engine.views import fresh
from station.engine.wall_clock import WallClock
from station.engine.world import Hands, World
from station.errors import StationError
from station.firmware.package_store import PackageStore
from station.live import LineState, LineView, SlotState
from station.model import Role
from station.store.database import sqlite_path
from station.store.ids import new_id
from station.store.writer import open_store
from station.transport.base import Backend
from station.wire import PROTOCOL, Hello

DRAIN_S = 1200.0
"""A module that is written gets so long to be finished; then it is aborted and recorded."""

END_S = 60.0
"""An attempt that was aborted has ended by then: modules are given back, verdicts committed."""

FEED_DOG_S = 5.0
LINGER_LOOK_S = 5.0


async def run_engine(
    settings: Settings,
    families: Families,
    backend: Backend,
    *,
    stop: Stop,
    notify: Notify,
    operator: str,
    hands: Hands | None = None,
    linger_s: float = math.inf,
    ready: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until `stop` is asked for, or nobody watched an idle line for `linger_s`.

    The caller owns database and ports (`station.engine.lock.own`). `ready` is awaited once
    screens can connect. Raises StationError for what keeps the engine from starting, ResultsWaiting
    or ResultsLost for what is not on record when it ends.
    """
    shelf = Shelf(PackageStore(settings.store))
    try:
        async with open_store(settings.database, pending=results_folder(settings)) as store:
            world = World(
                settings=settings,
                families=families,
                recipes=(),
                backend=backend,
                store=store,
                shelf=shelf,
                operator=operator,
                tell=lambda _: None,
                power=backend.power(),
            )
            signer = await notary(store, settings)
            backlog = Backlog(world)
            await backlog.start()
            await close_interrupted(store, settings)
            try:
                started = await boot.recorded(world)
                await _serve(started, signer, stop, notify, hands, linger_s, ready)
            finally:
                await backlog.last_try()
                with trio.move_on_after(END_S, shield=True), suppress(StationError):
                    await signer.sign("stop")
                backlog.require_empty()
    finally:
        shelf.close()


async def make_line(world: World, signer: Notary, stop: Stop) -> Line:
    """The line with everything looked at once: ports, database, disk. Raises StationError."""
    settings = world.settings
    board = PortBoard(world.backend, settings.slots, hub_losses=settings.line.hub_losses)
    await board.refresh()
    slots = [fresh(s.name, SlotState.EMPTY, None, world.clock()) for s in settings.slots]
    feed = Feed(slots, LineView(LineState.DISARMED), world.clock)
    clock = WallClock(world.clock)
    folders = _folders(settings)
    backlog = Backlog(world)
    health = Health(world.store, board, folders, backlog, clock, signer, settings.evidence)
    await health.look()
    health.note_jump(clock.since(await world.store.newest_utc_us()))
    line = Line(world, board, feed, health, stop)
    line.people = await people_of(world.store, settings.station.name)
    await line.shifts.recall()
    for slot, event in (await world.store.held_slots(settings.station.name)).items():
        place, reason = line.places.get(slot), str(event.detail.get("reason", ""))
        if place is None or place.state is SlotState.DISABLED:
            continue
        if event.kind == "taken_out":
            place.take_out(reason)
        else:
            place.hold(reason, by_engineer=event.role == Role.ENGINEER.value)
    await line.guard.recall()
    line.on_fate()
    line.tell_disabled()
    line.show()
    return line


async def _serve(
    world: World,
    signer: Notary,
    stop: Stop,
    notify: Notify,
    hands: Hands | None,
    linger_s: float,
    ready: Callable[[], Awaitable[None]] | None,
) -> None:
    settings = world.settings
    line = await make_line(world, signer, stop)
    await signer.sign("start")
    engine_id = world.boot_id or new_id()
    started = {"software": __version__, "engine": engine_id}
    await world.store.add_event(world.event("started", started))
    hello = Hello(
        protocol=PROTOCOL,
        station=settings.station.name,
        site=settings.station.site,
        software=__version__,
        engine=engine_id,
        rows=settings.rows,
        hands=hands is not None,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.run)
        nursery.start_soon(signer.run)
        desk = Desk(line, hands)
        nursery.start_soon(desk.campaigns.run)
        await nursery.start(partial(serve_socket, settings.socket, hello, desk, line.feed))
        nursery.start_soon(_feed_dog, notify, line)
        nursery.start_soon(_linger, line, linger_s)
        if ready is not None:
            await ready()
        notify.ready()
        await stop.gently.wait()
        notify.stopping()
        await _drain(line, notify)
        nursery.cancel_scope.cancel()
    with suppress(StationError):
        await line.slot_log.end()
    with suppress(StationError):
        await line.guard.record()
        await world.store.add_event(world.event("stopped", {"engine": engine_id}))


async def _drain(line: Line, notify: Notify) -> None:
    """Wait for what is being written, but not for ever and not after a second request. What is
    left is aborted by the nursery's end, and recorded."""
    notify.extend(DRAIN_S + END_S)
    with trio.move_on_after(DRAIN_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on, line.stop.now, nursery.cancel_scope)
            await line.drain()
            nursery.cancel_scope.cancel()


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _feed_dog(notify: Notify, line: Line) -> None:
    """systemd restarts an engine that hangs. What it is told is what was looked at, no more."""
    while True:
        if line.is_alive:
            notify.watchdog()
        busy = sum(place.state.is_busy for place in line.places.values())
        notify.status(f"{line.state.value}, {busy} of {len(line.places)} slots busy")
        await trio.sleep(min(FEED_DOG_S, (notify.watchdog_s or math.inf) / 3))


async def _linger(line: Line, linger_s: float) -> None:
    """An engine that was started for a screen ends when nobody has looked for long enough."""
    alone_s = 0.0
    while True:
        await trio.sleep(LINGER_LOOK_S)
        alone_s = 0.0 if line.feed.watchers or not line.is_idle else alone_s + LINGER_LOOK_S
        if alone_s >= linger_s:
            line.stop.gently.set()


def _folders(settings: Settings) -> tuple[Path, ...]:
    """Where results go: the nearest folders that exist."""
    database = sqlite_path(settings.database)
    wanted = [settings.store] if database is None else [database.parent, settings.store]
    return tuple(next(p for p in (path, *path.parents) if p.exists()) for path in wanted)
