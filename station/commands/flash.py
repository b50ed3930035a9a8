"""`station flash --once`: every selected slot is flashed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trio

from station.commands.exits import Exit, complain, is_stations_fault, say
from station.commands.options import user_name
from station.commands.reporter import Reporter, print_results
from station.config import Families, LoadedRecipe, Settings, load_families, load_recipes
from station.engine.backlog import Backlog, results_folder
from station.engine.evidence import close_interrupted
from station.engine.lock import own
from station.engine.notary import notary
from station.engine.once import Tally, flash_once
from station.engine.people import people_of
from station.engine.shelf import Shelf
from station.engine.shift import in_open_shift
from station.engine.stop import Stop, obey_signals
from station.engine.world import Order, World
from station.errors import UnmappedPort, UsageError
from station.firmware.package_store import PackageStore
from station.model import Slot
from station.selection import recipe_named
from station.store.database import sqlite_path
from station.store.revision import create_if_missing
from station.store.writer import open_store
from station.transport.base import Backend


@dataclass(frozen=True, slots=True)
class FlashRequest:
    """What the caller chose; empty `slots` means all."""

    slots: tuple[str, ...] = ()
    recipe: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    tray_label: str | None = None
    wait_s: float = 0.0
    json: bool = False
    trigger: str = "flash"
    operator: str | None = None
    """Who says so, by name or badge; None: the user."""


def choose_slots(settings: Settings, names: tuple[str, ...]) -> tuple[Slot, ...]:
    """The slots of these names, all if none is given. Raises UsageError naming the unknown."""
    known = {slot.name: slot for slot in settings.slots}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"there is no slot {', '.join(unknown)}; the slots are {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names)) if names else settings.slots


def run_flash(
    settings: Settings,
    request: FlashRequest,
    backend: Backend,
    *,
    own_ports: bool = True,
    clock: trio.abc.Clock | None = None,
    started: Callable[[], None] = lambda: None,
) -> Exit:
    """Flash once and report. Raises StationError for what keeps the tray from starting, somebody
    who may not work here among it.

    `started` is called when the engine's clock runs.
    """
    slots = choose_slots(settings, request.slots)
    if strangers := set(request.labels) - {slot.name for slot in slots}:
        raise UsageError(f"a label is given for {min(strangers)}, which is not among the slots")
    families = load_families(settings.families)
    recipes = load_recipes(settings.recipes, families)
    for name in (request.recipe, *(slot.recipe for slot in slots)):
        if name is not None:
            recipe_named(recipes, name)
    ports = [path for slot in slots for path in slot.ports] if own_ports else []
    reporter = Reporter(json=request.json)
    with own(sqlite_path(settings.database), ports):
        create_if_missing(settings.database)
        reporter.start(slots)
        try:
            tally = trio.run(
                _flash,
                settings,
                families,
                recipes,
                slots,
                request,
                backend,
                reporter,
                started,
                clock=clock,
            )
        finally:
            reporter.stop()
    if tally.unknown is not None:
        say(f"{UnmappedPort.code} {UnmappedPort.headline}: {tally.unknown}; it was left alone")
    if tally.unrecorded is not None:
        complain(tally.unrecorded)
    if not request.json:
        print_results(slots, tally.records, tally.lost)
    return _exit(tally, slots) if reporter.heard else Exit.STATION


def _exit(tally: Tally, slots: tuple[Slot, ...]) -> Exit:
    closed = [record.closed for record in tally.records if record.closed is not None]
    if tally.lost or any(c.failure and is_stations_fault(c.failure) for c in closed):
        return Exit.STATION
    good = [c for c in closed if c.outcome.is_good]
    return Exit.GOOD if len(good) == len(slots) else Exit.VERDICT


async def _flash(
    settings: Settings,
    families: Families,
    recipes: tuple[LoadedRecipe, ...],
    slots: tuple[Slot, ...],
    request: FlashRequest,
    backend: Backend,
    reporter: Reporter,
    started: Callable[[], None],
) -> Tally:
    started()
    shelf = Shelf(PackageStore(settings.store))
    stop = Stop()
    try:
        async with (
            open_store(settings.database, pending=results_folder(settings)) as store,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(obey_signals, stop)
            nursery.start_soon(_narrate, stop)
            people = await people_of(store, settings.station.name)
            world = World(
                settings=settings,
                families=families,
                recipes=recipes,
                backend=backend,
                store=store,
                shelf=shelf,
                operator=people.worker(request.operator or user_name()).name,
                tell=reporter.tell,
                power=backend.power(),
            )
            backlog = Backlog(world)
            signer = await notary(store, settings)
            await backlog.start()
            backlog.require_empty()
            await close_interrupted(store, settings)
            world = await in_open_shift(world)
            orders = {slot.name: _order(request, slot.name) for slot in slots}
            tally = await flash_once(world, slots, orders, wait_s=request.wait_s, stop=stop)
            await signer.sign("stop")
            for trouble in signer.troubles():
                complain(trouble)
            nursery.cancel_scope.cancel()
        return tally
    finally:
        shelf.close()


def _order(request: FlashRequest, slot: str) -> Order:
    label = request.labels.get(slot, request.tray_label)
    return Order(request.trigger, label, request.recipe, names_slot=bool(request.slots))


async def _narrate(stop: Stop) -> None:
    await stop.gently.wait()
    say("stopping: modules that are being written are finished; once more aborts them")
