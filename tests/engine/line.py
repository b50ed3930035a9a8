"""A running line over simulated modules, as tests drive it: mock clock, real database file."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass

import trio
import trio.testing

from station.config import load_families, load_recipes
from station.engine.backlog import Backlog
from station.engine.desk import Desk
from station.engine.evidence import close_interrupted
from station.engine.line import Line
from station.engine.notary import notary
from station.engine.server import Peer
from station.engine.service import make_line
from station.engine.shelf import Shelf
from station.engine.stop import Stop
from station.engine.world import World
from station.firmware.package_store import PackageStore
from station.live import SlotState, SlotView
from station.store.writer import Store, now_utc_us, open_store
from station.wire import Arm, Command, RecipeChoice
from tests.engine import tray
from tests.new_record import new_record

PEER = Peer(pid=1, uid=1000, gid=1000, user="maria")


@dataclass(slots=True)
class Running:
    """A line at work. `see` waits on the mock clock, with a deadline."""

    bench: tray.Line
    line: Line
    desk: Desk

    def __getitem__(self, slot: str) -> SlotView:
        return self.line.feed.slots[slot]

    async def ask(self, command: Command) -> dict[str, object]:
        return await self.desk.carry_out(command, PEER)

    async def arm(self, **more: object) -> None:
        recipes = load_recipes(self.line.world.settings.recipes)
        chosen = tuple(
            RecipeChoice(name=r.recipe.name, sha256=r.ref.sha256)
            for r in recipes
            if r.recipe.name == "ec25-demo"
        )
        await self.ask(Arm.model_validate({"recipes": chosen, "operator": "maria", **more}))

    async def see(self, slot: str, *states: SlotState, timeout_s: float = 400.0) -> SlotView:
        await self.until(lambda: self[slot].state in states, timeout_s)
        return self[slot]

    async def until(self, true: Callable[[], bool], timeout_s: float = 400.0) -> None:
        with trio.fail_after(timeout_s):
            while not true():
                with trio.move_on_after(1.0):
                    await self.line.floor.stirred.wait()

    async def until_step(self, slot: str, step: str, timeout_s: float = 400.0) -> None:
        """At once when it begins."""
        with trio.fail_after(timeout_s), self.line.feed.subscribe() as screen:
            while self[slot].step != step:
                await screen.take()

    def plug(self, slot: str) -> None:
        self.bench.backend.plug(self.bench.tray.ports[slot], self.bench.tray.modules[slot])

    def unplug(self, slot: str) -> None:
        self.bench.backend.unplug(self.bench.tray.ports[slot])


@asynccontextmanager
async def running(
    bench: tray.Line,
    *,
    clock: Callable[[], int] = now_utc_us,
    shelf: Shelf | None = None,
    wrap: Callable[[Store], Store] = lambda store: store,
) -> AsyncIterator[Running]:
    """Start the line on this bench; nothing is plugged in by it. Cancelled at the end. `shelf`: it
    stays whoever's it is."""
    settings = bench.settings()
    new_record(settings.database)
    with ExitStack() as own:
        if shelf is None:
            shelf = own.enter_context(closing(Shelf(PackageStore(settings.store))))
        async with open_store(settings.database) as store:
            world = World(
                settings=settings,
                families=load_families(settings.families),
                recipes=(),
                backend=bench.backend,
                store=wrap(store),
                shelf=shelf,
                operator="nobody",
                tell=lambda _: None,
                clock=clock,
                power=bench.power,
            )
            await Backlog(world).start()
            await close_interrupted(store, settings)
            line = await make_line(world, await notary(store, settings), Stop())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(line.run)
                await trio.testing.wait_all_tasks_blocked()
                yield Running(bench, line, Desk(line))
                nursery.cancel_scope.cancel()
