"""What the slots of a running line share."""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from station.engine.feed import Feed
from station.engine.world import World
from station.errors import StationError
from station.live import SlotState
from station.model import AttemptRecord
from station.store.writer import Store


@dataclass(slots=True)
class Floor:
    """What the slots of a line share. `world` is another one after each arming."""

    world: World
    feed: Feed
    obstacle: StationError | None = None
    """Why no module is started now: the line is not armed, or the station cannot record."""
    ended: Callable[[str, AttemptRecord], None] = lambda _, __: None
    """Told of what came of each unit in the end, and its slot."""
    states: Callable[[str, SlotState], None] = lambda _, __: None
    """Told of each state of a slot, for the record."""
    campaign: str | None = None
    """A campaign of this name chooses what is started; nothing starts by itself meanwhile."""
    label: str | None = None
    verdicts: int = 0
    """How many attempts have ended."""
    stirred: trio.Event = field(default_factory=trio.Event)
    """Set and replaced whenever a slot's state changes."""

    @property
    def may_start(self) -> bool:
        return self.obstacle is None

    @property
    def starts_by_itself(self) -> bool:
        """What arrives, or waits, is begun at once."""
        return self.may_start and self.campaign is None

    @property
    def store(self) -> Store:
        return self.world.store

    def stir(self) -> None:
        self.stirred.set()
        self.stirred = trio.Event()
