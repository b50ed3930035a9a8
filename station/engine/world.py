"""What every attempt of an engine shares."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from station.config import Families, LoadedRecipe, Settings
from station.engine.claims import Claims
from station.engine.shelf import Shelf
from station.model import Event
from station.store.writer import Store
from station.transport.base import Backend


def now_utc_us() -> int:
    """The wall clock, read in this one place: microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


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
    claims: Claims = field(default_factory=Claims)
    clock: Callable[[], int] = now_utc_us


@dataclass(frozen=True, slots=True)
class Order:
    """What the caller asks of an attempt: a label scanned or typed, a recipe by name.

    `names_slot`: the caller named this very slot; together with a recipe that is what it takes
    to flash an unknown module found in EDL.
    """

    trigger: str
    label: str | None = None
    recipe: str | None = None
    names_slot: bool = False
