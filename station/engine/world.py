"""What every attempt of an engine shares."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from station.config import Families, LoadedRecipe, Settings
from station.disk import Disk
from station.engine.claims import Claims
from station.engine.evidence import THREADS
from station.engine.golden import Golden, purpose
from station.engine.shelf import Shelf
from station.engine.spared import SparedHubs
from station.model import AttemptRecord, DeviceInfo, Event, Fact, StationEvent, Under, Unit
from station.store.ids import new_id
from station.store.writer import Store, now_utc_us
from station.transport.base import Backend, Power

Hands = Callable[[str, str | None, str | None], Awaitable[None]]
"""What an operator's hands do with simulated modules: `plug`, `unplug` or `tray`, slot, fault.
Raises StationError."""


@dataclass(frozen=True, slots=True)
class World:
    settings: Settings
    families: Families
    recipes: tuple[LoadedRecipe, ...]
    backend: Backend
    store: Store
    shelf: Shelf
    operator: str
    tell: Callable[[Event], None]
    power: Power | None = None
    """Switches the power of slots; None where nothing can."""
    spared: SparedHubs = field(default_factory=SparedHubs)
    claims: Claims = field(default_factory=Claims)
    golden: Golden = field(default_factory=Golden)
    under: Under = field(default_factory=Under)
    clock: Callable[[], int] = now_utc_us
    evidence_disk: Disk = field(default_factory=lambda: Disk(THREADS))
    boot_id: str | None = None
    """This start of the engine, once it is on record."""

    def event(
        self, kind: str, detail: Mapping[str, Fact] | None = None, slot: str | None = None
    ) -> StationEvent:
        """What the engine itself did, now."""
        return StationEvent(
            event_id=new_id(),
            station=self.settings.station.name,
            utc_us=self.clock(),
            kind=kind,
            slot=slot,
            detail=detail or {},
        )

    def purpose(self, unit: Unit) -> str | None:
        """Why an attempt on this unit does not count; None: it does."""
        return purpose(unit, self.settings.golden.units)

    def show(self, event: Event) -> None:
        """Tell whoever watches. Eyes that are shut must not cost a module."""
        with suppress(Exception):
            self.tell(event)


@dataclass(frozen=True, slots=True)
class Before:
    """An attempt that failed and is followed by another on the same module: the enumeration that it
    ended with, the how-manieth it was, and whether it or one before may have changed the flash."""

    record: AttemptRecord
    device: DeviceInfo
    number: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """By which campaign an attempt was chosen, and the unit that it was chosen for."""

    campaign_id: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Order:
    """What the caller asks of an attempt: a label scanned or typed, a recipe by name.

    `names_slot`: the caller named this very slot; together with a recipe that is what it takes
    to flash an unknown module found in EDL. `resumes`: the attempt that was interrupted, which this
    one repeats. `after`: the failed attempt that this one follows. `chosen`: a campaign's order,
    for no other unit.
    """

    trigger: str
    label: str | None = None
    recipe: str | None = None
    names_slot: bool = False
    resumes: str | None = None
    after: Before | None = None
    chosen: Chosen | None = None

    @property
    def number(self) -> int:
        """1 for the first attempt on a module."""
        return 1 if self.after is None else self.after.number + 1
