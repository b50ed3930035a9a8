"""A campaign's engine as tests drive it, and what its record says afterwards."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import trio

from station.engine.sheet import Sheet, sheet_of
from station.store.campaigns import CampaignStory, newest_story
from station.store.writer import now_utc_us
from station.wire import CampaignRun
from tests.engine import tray
from tests.engine.line import Running, running

RUN = CampaignRun(name="nightly", by="timer")
NIGHT_S = 4000.0
STOP_AT = "05:30"


@dataclass(slots=True)
class Wall:
    """A clock that goes with the mock clock and can be set: so long before STOP_AT."""

    left_s: float
    _set_s: float = field(default_factory=trio.current_time)

    def put(self, left_s: float) -> None:
        self.left_s, self._set_s = left_s, trio.current_time()

    def __call__(self) -> int:
        stop_s = datetime.fromisoformat(f"2026-11-28T{STOP_AT}").astimezone().timestamp()
        left_s = self.left_s - (trio.current_time() - self._set_s)
        return round((stop_s - left_s) * 1_000_000)


@asynccontextmanager
async def engine(
    bench: tray.Line, *, clock: Callable[[], int] = now_utc_us
) -> AsyncIterator[Running]:
    """With the task in which campaigns run."""
    async with running(bench, clock=clock) as run, trio.open_nursery() as nursery:
        nursery.start_soon(run.desk.campaigns.run)
        yield run
        nursery.cancel_scope.cancel()


def story_of_last(bench: tray.Line) -> CampaignStory:
    settings = bench.settings()
    story = newest_story(settings.database, settings.station.name)
    assert story is not None
    return story


async def until_over(run: Running, bench: tray.Line) -> Sheet:
    """The night ends by itself."""
    campaigns = run.desk.campaigns
    with trio.fail_after(NIGHT_S):
        while campaigns.night is not None:
            with trio.move_on_after(1.0):
                await run.line.floor.stirred.wait()
    return sheet_of(story_of_last(bench), bench.settings().rows)


def words(sheet: Sheet) -> dict[str, str]:
    return {cell.slot: cell.word for cell in sheet.cells}


def kinds(story: CampaignStory) -> list[str]:
    return [event.kind for event in story.events]


def why_stopped(story: CampaignStory) -> str:
    assert story.over is not None
    assert story.over.kind == "stopped"
    return str(story.over.detail["why"])
