"""A line on which rounds of trays are flashed under a mock clock: real recipes, real packages, a
real database file; the modules' own flash memory is the judge."""

import functools
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock
from weakref import WeakKeyDictionary

import trio
import trio.testing
import yaml
from trio._core import _run  # where Hypothesis seeds the shuffle, too: there is no other way

from station.config import Settings, load_families, load_recipes, load_settings
from station.engine.once import Tally, flash_once
from station.engine.shelf import Shelf
from station.engine.stop import Stop
from station.engine.world import Order, World
from station.firmware.package_store import PackageStore
from station.model import AttemptRecord
from station.sim.factory import Factory
from station.sim.layouts import Part
from station.sim.mishap import NONE, STEPS, Mishap
from station.sim.module import SimModule
from station.sim.port import SimPort
from station.sim.tray import port_of
from station.store import schema
from station.store.database import sqlite_path
from station.store.reading import reading
from station.store.records import Condition, records
from station.store.writer import Store, open_store
from station.transport.base import Backend
from tests.demo_line import demo_line
from tests.faults.odd import HEALTHY, Odd
from tests.new_record import new_record

T = TypeVar("T")

STEPS_STRUCK = ("identify", "backup", *STEPS[1:])
"""Where a mishap strikes."""

SIZE_MB = 1
ON_A_HUB = 4
FAMILY = "ec25"
ANYBODY = Order("test")
NAMED = Order("test", recipe="ec25-demo", names_slot=True)
"""What a person asks who stands before the slot and knows what is in it."""


def in_mock_time(work: Callable[[], Awaitable[T]], seed: int | None = None) -> T:
    """Run it under a clock that jumps. Blocking calls run where they are: the clock would jump
    while a thread works, and deadlines would pass while a commit is on its way.

    trio shuffles the tasks that can run in the same moment: equal seeds are equal shuffles, as
    Hypothesis arranges it, too; without one each run has its own.
    """

    async def in_place(call: Callable[..., Any], *args: Any, **_: Any) -> Any:  # noqa: ANN401 - the signature of trio's own
        await trio.lowlevel.checkpoint()
        return call(*args)

    with ExitStack() as patched:
        patched.enter_context(mock.patch.object(trio.to_thread, "run_sync", in_place))
        if seed is not None:
            patched.enter_context(mock.patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True))
            _run._r.seed(seed)
        return trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


@dataclass(frozen=True)
class Rows:
    """How many attempts the record has: opened, closed, and opened but not closed."""

    opened: int
    closed: int
    left_open: int


@dataclass
class Bench:
    """Its files are made once; what a round leaves is gone when the next one begins. `attempts`: so
    many for what may pass. `has_power`: the station can switch the power of each slot; `backup`:
    what the recipe asks for."""

    folder: Path
    slots: int = 8
    attempts: int = 1
    has_power: bool = True
    backup: tuple[str, ...] = ("module",)
    settings: Settings = field(init=False)
    factory: Factory = field(init=False)
    shelf: Shelf = field(init=False)
    _new: SimModule = field(init=False)
    """What a flashed module holds is in its flash memory."""
    _born: WeakKeyDictionary[SimModule, tuple[bytes, ...]] = field(init=False)
    """What was in the flash of each module that was made."""

    def __post_init__(self) -> None:
        names = [f"A{number}" for number in range(1, self.slots + 1)]
        self.settings = load_settings(_settings(self.folder, names, self.attempts))
        _with_backup(self.folder, self.backup)
        self._begin(1)

    def close(self) -> None:
        self.shelf.close()

    def begin_anew(self, seed: int) -> None:
        """An empty record, no evidence, packages still to be opened, other modules: all that comes
        then follows from the seed, and nothing from what was before."""
        self.close()
        for path in self.database.parent.glob(f"{self.database.name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.settings.evidence, ignore_errors=True)
        self._begin(seed)

    def _begin(self, seed: int) -> None:
        self.shelf = Shelf(PackageStore(self.settings.store))
        self.factory = Factory(FAMILY, size_mb=SIZE_MB, seed=seed)
        new_record(self.settings.database)
        self._born = WeakKeyDictionary()
        self._new = self._flashed()

    def module(self, mishap: Mishap = NONE, odd: Odd = HEALTHY) -> SimModule:
        module = odd.made_by(self.factory, mishap)
        self._born[module] = _programmed(module)
        return module

    def plug(self, modules: Mapping[str, SimModule]) -> dict[str, SimPort]:
        """A tray with these modules in their slots, now."""
        ports = {slot.name: port_of(slot) for slot in self.settings.slots}
        for name, module in modules.items():
            ports[name].plug(module, trio.current_time())
        return ports

    async def flash(
        self,
        backend: Backend,
        *slots: str,
        order: Order = ANYBODY,
        wrap: Callable[[Store], Store] = lambda store: store,
    ) -> Tally:
        """As `station flash --once` does it, with these slots."""
        async with open_store(self.settings.database) as store:
            await store.close_interrupted(station=self.settings.station.name)
            world = World(
                settings=self.settings,
                families=load_families(self.settings.families),
                recipes=self._recipes,
                backend=backend,
                store=wrap(store),
                shelf=self.shelf,
                operator="campaign",
                tell=lambda _: None,
                power=backend.power() if self.has_power else None,
            )
            chosen = [slot for slot in self.settings.slots if slot.name in slots]
            orders = {slot.name: order for slot in chosen}
            return await flash_once(world, chosen, orders, wait_s=20.0, stop=Stop())

    @functools.cached_property
    def on_hubs(self) -> Settings:
        """The same line with its slots on two hubs; it goes on whatever fails on it."""
        path = self.settings.path.with_name("on_hubs.yaml")
        settings = yaml.safe_load(self.settings.path.read_text())
        settings["line"] |= {"breaker": None, "slot_failures": None}
        settings["slots"] = {
            slot.name: {"ports": [f"1-{hub}.{port}", f"2-{hub}.{port}"]}
            for number, slot in enumerate(self.settings.slots)
            for hub, port in [(1 + number // ON_A_HUB, 1 + number % ON_A_HUB)]
        }
        path.write_text(yaml.safe_dump(settings))
        return load_settings(path)

    @functools.cached_property
    def _recipes(self) -> Any:  # noqa: ANN401 - what load_recipes gives
        return load_recipes(self.settings.recipes)

    @property
    def database(self) -> Path:
        """The file of the record."""
        path = sqlite_path(self.settings.database)
        assert path is not None
        return path

    # --- the judge ----------------------------------------------------------------------------

    def newest(self) -> str:
        """The attempt that was begun last; "" in an empty record."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            [newest] = connection.execute("SELECT max(id) FROM attempt_opened").fetchone()
        return newest or ""

    def recorded_since(self, newest: str) -> list[AttemptRecord]:
        """The attempts that were begun after that one, as an auditor reads them, oldest first."""
        return self._recorded(schema.attempt_opened.c.id > newest)

    def records(self, attempts: Collection[str]) -> list[AttemptRecord]:
        """These, if they are there."""
        return self._recorded(schema.attempt_opened.c.id.in_(attempts)) if attempts else []

    def _recorded(self, condition: Condition) -> list[AttemptRecord]:
        with reading(self.settings.database) as connection:
            return records(connection, [condition], None)

    def rows(self) -> Rows:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            count = "SELECT count(*) FROM "
            left = "attempt_opened o LEFT JOIN attempt_closed c ON c.attempt_id = o.id"
            return Rows(
                connection.execute(count + "attempt_opened").fetchone()[0],
                connection.execute(count + "attempt_closed").fetchone()[0],
                connection.execute(f"{count}{left} WHERE c.attempt_id IS NULL").fetchone()[0],
            )

    def flash_of(self, module: SimModule) -> str:
        """old, new, or partly: what the module's flash holds of what was to be written."""
        if _programmed(module) == self._born[module]:
            return "old"
        return "new" if _is_as(module, self._new) else "partly"

    def _flashed(self) -> SimModule:
        """As its maker flashes it."""
        return self.factory.make(version=self.factory.layout.newer_version, log_out=False)


def _with_backup(folder: Path, backup: tuple[str, ...]) -> None:
    """So that a mishap can strike there, too."""
    path = folder / "recipes" / f"{FAMILY}-demo.yaml"
    recipe = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(recipe | {"family": FAMILY, "backup": list(backup)}))


def _settings(folder: Path, names: list[str], attempts: int) -> Path:
    """Slots on controllers of their own, so that modules which vanish together are not taken for
    the failure of a hub that they share."""
    path = demo_line(folder, names, SIZE_MB)
    settings = yaml.safe_load(path.read_text())
    settings["line"]["attempts"] = attempts
    settings["slots"] = {
        name: {"ports": [f"{2 * number - 1}-1.1", f"{2 * number}-1.1"]}
        for number, name in enumerate(names, start=1)
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def _programmed(module: SimModule) -> tuple[bytes, ...]:
    return tuple(
        module.nand.fingerprint(part.start_block, part.num_blocks)
        for part in module.layout.programmed
    )


def _is_as(module: SimModule, new: SimModule) -> bool:
    """A module with bad blocks holds the same around them."""
    if not module.nand.bad_blocks:
        return _programmed(module) == _programmed(new)
    parts = new.layout.programmed
    return all(_content(module, part) == _content(new, part) for part in parts)


def _content(module: SimModule, part: Part) -> dict[int, bytes]:
    """What was programmed there, by the place in the partition."""
    nand, blocks = module.nand, range(part.start_block, part.start_block + part.num_blocks)
    good = sum(not nand.block_is_bad(block) for block in blocks)
    pages = nand.region(module.layout.start_sector(part), good * nand.geometry.pages_per_block)
    return {place: nand.read(page) for place, page in enumerate(pages) if not nand.is_erased(page)}


def is_calibrated(module: SimModule) -> bool:
    """The calibration is the one the module was made with."""
    return all(
        module.calibration[part.name] == module.nand.fingerprint(part.start_block, part.num_blocks)
        for part in module.layout.calibration
    )
