"""The whole dashboard against a scripted engine, on a terminal of a given size."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textual.pilot import Pilot

from station.dashboard.app import StationApp
from station.dashboard.history_questions import Ask, Sheet
from station.model import AttemptRecord
from tests.dashboard.engine import ScriptedEngine, serving
from tests.dashboard.tray import NOW_UTC_US

PATIENCE_S = 20.0
WHOLE_TEST_S = 120.0
"""A screen that hangs is a failure, not a build that never ends."""


@dataclass
class NoHistory:
    """Nothing was ever done to any unit; keeps the questions."""

    asked: list[str] = field(default_factory=list)

    def find(self, text: str, limit: int) -> list[AttemptRecord]:
        self.asked.append(text)
        return []

    def ask(self, asked: Ask, text: str, now_utc_us: int, limit: int) -> Sheet:
        self.asked.append(f"{asked.name} {text}".rstrip())
        return Sheet((), ())


@dataclass
class Clock:
    """Stands still until it is moved."""

    utc_us: int = NOW_UTC_US

    def __call__(self) -> int:
        return self.utc_us

    def ticks_ns(self) -> int:
        return self.utc_us * 1000


@dataclass
class Show:
    app: StationApp
    pilot: Pilot[None]
    clock: Clock
    history: NoHistory

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the app work until this holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        """Keys as a person presses them: one after the other, each when the last was taken."""
        for key in keys:
            await self.pilot.press(key)
            await self.until(lambda: self.app._scanner.due_s is None)
            await self.pilot.pause()

    async def drawn(self) -> None:
        """All that was heard is on the screen."""
        self.app.show_news()
        await self.pilot.pause()


@asynccontextmanager
async def showing(
    socket: Path, size: tuple[int, int] = (80, 24), *, plain: bool = False, kiosk: bool = False
) -> AsyncIterator[Show]:
    """The dashboard, connected or not."""
    clock, history = Clock(), NoHistory()
    app = StationApp(
        socket, history, plain=plain, kiosk=kiosk, clock=clock, ticks_ns=clock.ticks_ns
    )
    async with asyncio.timeout(WHOLE_TEST_S), app.run_test(size=size) as pilot:
        yield Show(app, pilot, clock, history)


@asynccontextmanager
async def connected(
    engine: ScriptedEngine,
    socket: Path,
    size: tuple[int, int] = (80, 24),
    *,
    plain: bool = False,
    kiosk: bool = False,
) -> AsyncIterator[Show]:
    """The dashboard with the engine's snapshot on it."""
    engine.utc_us = NOW_UTC_US
    async with serving(engine, socket), showing(socket, size, plain=plain, kiosk=kiosk) as show:
        await show.until(lambda: not show.app.picture.trouble)
        await show.drawn()
        yield show
