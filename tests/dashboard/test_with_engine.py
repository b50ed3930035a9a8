"""The real dashboard on the real engine, which is killed in mid-flash and started again."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from station.config import load_recipes, load_settings
from station.dashboard.app import StationApp
from station.dashboard.grid_screen import GridScreen
from station.dashboard.history import DatabaseHistory
from station.live import SlotState
from station.wire import Arm, RecipeChoice
from tests.commands.running import Engine, engine, files, records
from tests.dashboard.golden import plain_text

DEADLINE_S = 60.0
TICK_S = 0.05


async def _until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await pilot.pause(TICK_S)


def _arming(config: Path) -> Arm:
    recipe = next(
        r for r in load_recipes(load_settings(config).recipes) if r.recipe.name == "ec25-demo"
    )
    choice = RecipeChoice(name=recipe.recipe.name, sha256=recipe.ref.sha256)
    return Arm(recipes=(choice,), operator="maria")


def test_an_engine_killed_in_mid_flash_leaves_no_old_colours_and_is_found_again(
    tmp_path: Path,
) -> None:
    config = files(tmp_path / "line", slots=2)
    settings = load_settings(config)
    app = StationApp(settings.socket, DatabaseHistory(settings.database, settings.station.name))

    async def first(pilot: Pilot[None], line: Engine) -> None:
        await _until(pilot, lambda: len(app.picture.slots) == 2)
        assert await app.command(_arming(config))
        await _until(
            pilot,
            lambda: all(
                view.state is SlotState.FLASHING and view.step == "program"
                for view in app.picture.slots.values()
            ),
        )
        await _until(pilot, lambda: "writing" in plain_text(app))
        line.process.kill()
        await _until(pilot, lambda: app.picture.is_stale())
        await _until(pilot, lambda: "Trying again" in plain_text(app))
        shown = plain_text(app)
        assert "writing" not in shown, "an old state is shown as if it were so"
        assert "since" in shown

    async def second(pilot: Pilot[None]) -> None:
        await _until(pilot, lambda: not app.picture.is_stale())
        await _until(pilot, lambda: "Trying again" not in plain_text(app))
        # Fresh modules were plugged by the new engine; nothing is flashed until it is armed.
        await _until(
            pilot,
            lambda: all(v.state is SlotState.WAITING for v in app.picture.slots.values()),
        )

    async def story() -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            assert isinstance(app.screen, GridScreen)
            with engine(config) as line:
                await first(pilot, line)
            with engine(config):
                await second(pilot)

    asyncio.run(story())
    ended = records(config)
    assert [attempt["outcome"] for attempt in ended] == ["INTERRUPTED"] * 2, json.dumps(ended)
