"""Results that could not be recorded when they were made: recorded as soon as that works."""

from dataclasses import dataclass, field
from pathlib import Path

import trio

from station.config import Settings
from station.engine.world import World
from station.errors import ResultsLost, ResultsWaiting
from station.model import AttemptRecord, StationEvent
from station.store.database import sqlite_path
from station.store.pending import Result

LAST_S = 15.0
"""An engine that ends tries so long to save what is not on record."""

AGAIN_S = 1.0


def results_folder(settings: Settings) -> Path | None:
    """Where results wait if the database is a server's; beside the file if it is one."""
    if sqlite_path(settings.database) is not None:
        return None
    return settings.store.with_name(f"{settings.store.name}.pending")


@dataclass(slots=True)
class Backlog:
    """What waits in the store of this world. `due`: events to be recorded by whoever asks."""

    world: World
    due: list[StationEvent] = field(default_factory=list)

    async def catch_up(self) -> tuple[AttemptRecord, ...]:
        """Record what waits, as far as that works now, and return it. Files that cannot be
        trusted are set aside, with an event that names them."""
        if self.world.store.waiting.is_idle:
            return ()
        settled = await self.world.store.settle()
        for place, why in settled.aside:
            detail = {"file": str(place), "why": why}
            self.due.append(self.world.event("result_set_aside", detail))
        return settled.recorded

    async def start(self) -> None:
        """Before anything else: what an earlier engine left. Raises StoreError. It ends: each turn
        records what none before it did."""
        while await self.catch_up():
            pass
        while self.due:
            await self.world.store.add_event(self.due[0])
            del self.due[0]

    @property
    def trouble(self) -> str | None:
        """Why no module should be started: its result would have to wait, too."""
        waiting = self.world.store.waiting
        if not waiting.count:
            return None
        unsafe = len(waiting.unsafe)
        only = f", {unsafe} of them in memory only" if unsafe else ""
        why = f": {waiting.why}" if waiting.why else ""
        return f"{waiting.count} not recorded yet{only}{why}"

    @property
    def aside(self) -> str | None:
        """Files that a person must look at."""
        return ", ".join(map(str, self.world.store.waiting.aside)) or None

    @property
    def left_over(self) -> str | None:
        """Files that a person must remove."""
        return ", ".join(map(str, self.world.store.waiting.left_over)) or None

    async def last_try(self) -> tuple[AttemptRecord, ...]:
        """Before the end: record what waits, and be patient about it; what is on record now."""
        recorded: tuple[AttemptRecord, ...] = ()
        with trio.move_on_after(LAST_S, shield=True):
            while True:
                recorded += await self.catch_up()
                if not self.world.store.waiting.count:
                    break
                await trio.sleep(AGAIN_S)
        return recorded

    def require_empty(self) -> None:
        """Raises ResultsWaiting for results that stay in files until the next start, ResultsLost
        naming those that end with this process."""
        waiting = self.world.store.waiting
        if waiting.unsafe:
            told = "; ".join(map(_told, waiting.unsafe))
            raise ResultsLost(
                f"{len(waiting.unsafe)} could be saved nowhere ({waiting.why}): {told}"
            )
        if (trouble := self.trouble) is not None:
            raise ResultsWaiting(f"{trouble}; the next start records them")


def _told(result: Result) -> str:
    opened, closed = result.record.opened, result.record.closed
    unit = opened.unit if closed is None else closed.unit
    name = unit.imei or unit.serial or unit.chip_serial or "unknown unit"
    outcome = "-" if closed is None else closed.outcome.value
    return f"slot {opened.slot} {name} {outcome}"
