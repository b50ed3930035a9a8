"""A whole tray for tests: simulated modules, real settings, real packages, a real database."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio
import yaml

from station.commands.demo_files import SIZE_MB
from station.config import Settings, load_families, load_recipes, load_settings
from station.engine.backlog import Backlog
from station.engine.evidence import close_interrupted
from station.engine.once import Tally, flash_once
from station.engine.shelf import Shelf
from station.engine.shift import in_open_shift
from station.engine.stop import Stop
from station.engine.world import Order, World
from station.errors import StationError
from station.firmware.package_store import PackageStore
from station.model import AttemptRecord, Event, StepRecord
from station.sim.backend import SimBackend
from station.sim.layouts import layout_of
from station.sim.mishap import Fate, Mishap
from station.sim.module import SimModule
from station.sim.power import SimPower
from station.sim.tray import SimTray, make_tray
from station.store.queries import find_attempts
from station.store.writer import open_store
from station.transport.base import Backend, Power
from tests.demo_line import demo_line
from tests.new_record import new_record


@dataclass
class Line:
    """A line to flash on: change `recipe` before the first run, plug and unplug as you like."""

    folder: Path
    tray: SimTray
    backend: SimBackend
    plugged: bool = False
    """The modules are in their slots."""
    tell: Callable[[Event], None] = lambda _: None
    stop: Stop = field(default_factory=Stop)
    stop_at_once: bool = False
    power: Power | None = None
    barred: dict[str, StationError] = field(default_factory=dict)
    """Slots whose place is in doubt."""

    @property
    def config(self) -> Path:
        return self.folder / "station.yaml"

    def settings(self) -> Settings:
        """Those of the file, with the slots disabled that `barred` names."""
        settings = load_settings(self.config)
        slots = (
            replace(slot, ports=frozenset(), barred=self.barred[slot.name])
            if slot.name in self.barred
            else slot
            for slot in settings.slots
        )
        return replace(settings, slots=tuple(slots))

    def edit_recipe(self, **changes: object) -> None:
        path = self.folder / "recipes" / "ec25-demo.yaml"
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        recipe.update(changes)
        path.write_text(yaml.safe_dump(recipe), encoding="utf-8")

    async def flash(
        self,
        *slots: str,
        order: Order | None = None,
        wait_s: float = 0.0,
    ) -> Tally:
        if not self.plugged:
            self.tray.plug(trio.current_time())
            self.plugged = True
        self.stop = Stop()
        if self.stop_at_once:
            self.stop.gently.set()
        return await flash_line(
            self.settings(),
            self.backend,
            *slots,
            order=order,
            wait_s=wait_s,
            tell=lambda event: self.tell(event),
            stop=self.stop,
            power=self.power,
        )

    def fingerprint(self, slot: str) -> bytes:
        """Of all that is in the module's flash memory."""
        module = self.tray.modules[slot]
        return module.nand.fingerprint(0, module.layout.total_blocks)

    def switch_power(self) -> None:
        """The hubs of this line can do that."""
        self.power = SimPower(self.backend, tuple(self.tray.ports.values()))

    def befall(self, slot: str, mishap: Mishap) -> SimModule:
        """This will happen to the module of the slot."""
        module = self.tray.modules[slot]
        module.fate = Fate(mishap)
        return module

    def unplug(self, slot: str) -> None:
        self.plugged = True
        self.backend.unplug(self.tray.ports[slot])

    def recorded(
        self,
        *,
        imei: str | None = None,
        serial: str | None = None,
        chip: str | None = None,
        slot: str | None = None,
    ) -> list[AttemptRecord]:
        """What an auditor reads, from the database file."""
        database = load_settings(self.config).database
        return find_attempts(database, imei=imei, serial=serial, chip=chip, slot=slot)


async def flash_line(
    settings: Settings,
    backend: Backend,
    *slots: str,
    order: Order | None = None,
    wait_s: float = 0.0,
    tell: Callable[[Event], None] = lambda _: None,
    stop: Stop | None = None,
    power: Power | None = None,
) -> Tally:
    """As `station flash --once` does; all slots if none is named."""
    new_record(settings.database)
    shelf = Shelf(PackageStore(settings.store))
    chosen = [slot for slot in settings.slots if not slots or slot.name in slots]
    try:
        async with open_store(settings.database) as store:
            world = World(
                settings=settings,
                families=load_families(settings.families),
                recipes=load_recipes(settings.recipes),
                backend=backend,
                store=store,
                shelf=shelf,
                operator="tester",
                tell=tell,
                power=power,
            )
            await Backlog(world).start()
            await close_interrupted(store, settings)
            world = await in_open_shift(world)
            orders = {slot.name: order or Order("test") for slot in chosen}
            return await flash_once(world, chosen, orders, wait_s=wait_s, stop=stop or Stop())
    finally:
        shelf.close()


def make_line(
    folder: Path,
    slots: int = 1,
    faults: Mapping[str, str] | None = None,
    *,
    seed: int = 1,
    family: str = "ec25",
) -> Line:
    names = [f"A{number}" for number in range(1, slots + 1)]
    config = demo_line(folder, names, SIZE_MB)
    tray = make_tray(
        load_settings(config).slots,
        family=family,
        version=layout_of(family).older_version,
        seed=seed,
        faults=faults or {},
        size_mb=SIZE_MB,
    )
    return Line(folder, tray, SimBackend(tuple(tray.ports.values())))


def by_slot(tally: Tally) -> dict[str, AttemptRecord]:
    return {record.opened.slot: record for record in tally.records}


def code_of(record: AttemptRecord) -> str | None:
    assert record.closed is not None
    return record.closed.failure.code if record.closed.failure else None


def step_named(record: AttemptRecord, name: str) -> StepRecord:
    return next(step for step in record.steps if step.name == name)


@contextmanager
def no_breaches(tray: SimTray, *except_slots: str) -> Iterator[None]:
    """The strict modules of these slots saw nothing they object to."""
    yield
    for slot, module in tray.modules.items():
        if slot not in except_slots:
            assert module.breaches == [], slot


def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that are due in the same moment run in the same order each time; trio shuffles them."""
    monkeypatch.setattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", True)
    monkeypatch.setattr("trio._core._run._r", random.Random(1))
