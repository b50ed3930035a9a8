"""The grid at the sizes that are promised: every state and outcome, alarms, and no data."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from station.errors import NoEngine
from station.live import SlotView
from station.wire import SlotChanged
from tests.dashboard.engine import ScriptedEngine, serving
from tests.dashboard.golden import check_golden, plain_text, screen_text
from tests.dashboard.show import Show, connected, showing
from tests.dashboard.tray import ALARMS, DISARMED, LINE, STATES, S, rows

SIZES = ((80, 24), (120, 40), (160, 48))
TRAYS = {4: 2, 8: 4, 16: 4, 32: 8}
"""Slots of a tray and its columns."""


def engine(slots: tuple[SlotView, ...] = STATES, columns: int = 8) -> ScriptedEngine:
    return ScriptedEngine(rows(columns, slots), LINE, slots)


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_state(tmp_path: Path, size: tuple[int, int], plain: bool) -> None:
    async def look() -> None:
        async with connected(engine(), tmp_path / "s", size, plain=plain) as show:
            name = "plain" if plain else "states"
            check_golden(show.app, f"{size[0]}x{size[1]}-{name}")

    asyncio.run(look())


@pytest.mark.parametrize("slots", [4, 8, 16])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_smaller_trays(tmp_path: Path, size: tuple[int, int], slots: int) -> None:
    tray = STATES[8 : 8 + slots]

    async def look() -> None:
        async with connected(engine(tray, TRAYS[slots]), tmp_path / "s", size) as show:
            check_golden(show.app, f"{size[0]}x{size[1]}-tray-of-{slots}")

    asyncio.run(look())


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_no_data(tmp_path: Path, size: tuple[int, int], plain: bool) -> None:
    async def look() -> None:
        async with connected(engine(), tmp_path / "s", size, plain=plain) as show:
            show.clock.utc_us += 7 * S
            await show.drawn()
            check_golden(show.app, f"{size[0]}x{size[1]}-no-data{'-plain' * plain}")
            assert "PASS" not in plain_text(show.app)
            assert "Start the engine: `systemctl start" in plain_text(show.app)
            assert set(NoEngine.remedy.split()) <= set(plain_text(show.app).split())

    asyncio.run(look())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_alarms_and_not_armed(tmp_path: Path, size: tuple[int, int]) -> None:
    async def look() -> None:
        shown = engine(STATES[:8], 4)
        shown.line = replace(DISARMED, alarms=ALARMS)
        async with connected(shown, tmp_path / "s", size) as show:
            check_golden(show.app, f"{size[0]}x{size[1]}-alarms")

    asyncio.run(look())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "linux")])
def test_a_terminal_without_many_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    async def look() -> None:
        async with connected(engine(), tmp_path / "s") as show:
            assert plain_text(show.app).isascii()
            assert "\x1b[38;2" not in screen_text(show.app)
            assert ("\x1b[37;41m" in screen_text(show.app)) == (name != "NO_COLOR")

    asyncio.run(look())


def test_a_screen_that_is_too_small_says_so(tmp_path: Path) -> None:
    async def look() -> None:
        async with connected(engine(), tmp_path / "s", (40, 10)) as show:
            assert "TOO SMALL" in plain_text(show.app)
            await show.pilot.resize_terminal(80, 24)
            await show.drawn()
            assert "TOO SMALL" not in plain_text(show.app)

    asyncio.run(look())


def test_another_tray_after_a_new_start(tmp_path: Path) -> None:
    """Slots were added to the settings and the engine was started again."""

    async def look() -> None:
        first = engine(STATES[:4], 4)
        async with connected(first, tmp_path / "s") as show:
            first.hello = replace(first.hello, engine="engine-2", rows=rows(8, STATES))
            first.slots = STATES
            first.hang_up()
            await show.until(lambda: len(show.app.picture.slots) == len(STATES))
            await show.drawn()
            assert " D8 " in plain_text(show.app)

    asyncio.run(look())


def test_what_the_engine_says_is_on_the_screen(tmp_path: Path) -> None:
    async def look() -> None:
        served = engine(STATES[8:] + STATES[:8])
        async with connected(served, tmp_path / "s") as show:
            assert "63% 4.1M" in plain_text(show.app)
            await show.press("q")  # a question lies over the tray, which goes on
            await served.say(SlotChanged(0, replace(STATES[8], done_bytes=88_000_000)))
            await show.until(lambda: show.app.picture.slots["B1"].done_bytes == 88_000_000)
            await show.drawn()
            assert "88% 4.1M" in plain_text(show.app)
            assert "63% 4.1M" not in plain_text(show.app)

    asyncio.run(look())


def test_the_engine_goes_and_comes(tmp_path: Path) -> None:
    async def look() -> None:
        served = engine(STATES[10:11], 1)
        async with showing(tmp_path / "s") as show:
            show.app.client.first_pause_s = show.app.client.longest_pause_s = 0.01
            await show.until(lambda: "no engine listens" in plain_text(show.app))
            async with serving(served, tmp_path / "s"):
                await show.until(lambda: not show.app.picture.trouble)
                await show.drawn()
                assert "EG25GGBR07A08M2G" in plain_text(show.app)
            await show.until(lambda: bool(show.app.picture.trouble))
            await show.drawn()
            assert "since 11:06:40" in plain_text(show.app)
            assert "░░░" in plain_text(show.app)
            async with serving(served, tmp_path / "s"):
                await show.until(lambda: not show.app.picture.trouble)
                await show.drawn()
                assert "░░░" not in plain_text(show.app)

    asyncio.run(look())


def test_news_while_the_screen_is_left_end_nothing(tmp_path: Path) -> None:
    async def hear(show: Show) -> None:
        while show.app.screen_stack:
            show.clock.utc_us += S
            show.app.show_news()
            await asyncio.sleep(0)

    async def look() -> None:
        async with connected(engine(), tmp_path / "s") as show:
            news = asyncio.create_task(hear(show))
        await news

    asyncio.run(look())


def test_other_screens_say_that_there_is_no_data(tmp_path: Path) -> None:
    async def look() -> None:
        async with connected(engine(), tmp_path / "s") as show:
            await show.press("l")
            assert "since 11:06:40" not in plain_text(show.app)
            show.clock.utc_us += 7 * S
            await show.drawn()
            assert "since 11:06:40 (0:07)" in plain_text(show.app)

    asyncio.run(look())
