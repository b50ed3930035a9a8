"""The event log: follows what comes, stays where a person reads."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from station.dashboard.lines import LogLines
from station.dashboard.log_screen import LogScreen
from station.live import LogLine
from station.wire import Logged
from tests.dashboard.golden import check_golden
from tests.dashboard.stage import SECOND_US, Stage, staged
from tests.dashboard.tray import NOW_UTC_US

Script = Callable[[Stage], Awaitable[None]]
SIZES = ((80, 24), (120, 40), (160, 48))


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Script], None]:
    """Run a script before the log of a line at work."""

    def run(script: Script) -> None:
        async def main() -> None:
            async with staged(LogScreen(), tmp_path) as stage:
                await script(stage)

        asyncio.run(main())

    return run


Play = Callable[[Script], None]


async def log(stage: Stage, *texts: str, good: bool | None = None) -> None:
    lines = tuple(LogLine(NOW_UTC_US, text, "A1", good) for text in texts)
    before = len(stage.show.app.picture.log)
    await stage.engine.say(Logged(0, lines))
    full = stage.show.app.picture.log.maxlen or 0
    await stage.show.until(
        lambda: (
            len(stage.show.app.picture.log) == min(before + len(lines), full)
            and stage.show.app.picture.log[-1].text == texts[-1]
        )
    )
    await stage.show.drawn()


def events(count: int) -> list[str]:
    return [f"event {number}." for number in range(count)]


def shown_lines(stage: Stage) -> list[str]:
    """The rows of the log, without the last one, which may say how much is below."""
    region = stage.screen.query_one(LogLines).region
    return stage.text.splitlines()[region.y : region.bottom - 1]


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_lines_have_time_slot_and_mark(tmp_path: Path, size: tuple[int, int], plain: bool) -> None:
    async def look() -> None:
        async with staged(LogScreen(), tmp_path, size, plain=plain) as stage:
            assert ("A1   + PASS" if plain else "A1   ✔ PASS") in stage.text
            assert ("A3   X FAIL P112" if plain else "A3   ✖ FAIL P112") in stage.text
            assert stage.text.isascii() or not plain
            check_golden(stage.show.app, f"{size[0]}x{size[1]}-log{'-plain' * plain}")

    asyncio.run(look())


def test_b_shows_the_bad_only_and_all_again(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("b")
        assert "FAIL P112" in stage.text
        assert "line armed" not in stage.text
        await stage.press("b")
        assert "line armed" in stage.text

    play(script)


def test_it_follows_the_newest(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await log(stage, *events(50))
        assert "event 49." in stage.text
        assert "event 0." not in stage.text

    play(script)


def test_it_stays_where_a_person_reads_and_goes_on_with_end(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await log(stage, *events(50))
        await stage.press("pageup", "up")
        before = shown_lines(stage)
        await log(stage, "later 1.", "later 2.")
        assert shown_lines(stage) == before
        assert "newer rows below" in stage.text
        await stage.press("end")
        assert "later 2." in stage.text

    play(script)


def test_a_log_that_is_full_stays_where_a_person_reads(play: Play) -> None:
    """The oldest lines fall out in front; what is read does not move."""

    async def script(stage: Stage) -> None:
        await log(stage, *events(1000))
        await stage.press("pageup")
        before = shown_lines(stage)
        await log(stage, *(f"later {number}." for number in range(30)))
        assert shown_lines(stage) == before

    play(script)


def test_home_is_the_oldest_and_pages_come_back(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await log(stage, *events(50))
        await stage.press("home")
        assert "line armed" in stage.text
        await stage.press("pagedown", "pagedown", "pagedown", "down")
        assert "event 49." in stage.text
        assert "newer rows below" not in stage.text

    play(script)


def test_a_long_line_is_wrapped_and_controls_do_nothing(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await log(stage, "word " * 40 + "the end\x1b[31m\r\n", good=False)
        assert stage.text.count("word") == 40
        assert "the end" in stage.text
        assert "\x1b" not in stage.text

    play(script)


def test_without_an_engine_it_looks_dead(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.say_nothing_for(7 * SECOND_US)
        assert "the engine says nothing" in stage.text
        row = stage.screen.query_one(LogLines).render_line(2)
        dead = stage.show.app.palette.dead.color
        assert {segment.style.color for segment in row if segment.style} == {dead}

    play(script)


def test_nothing_bad_says_so(play: Play) -> None:
    async def script(stage: Stage) -> None:
        stage.show.app.picture.log.clear()
        await stage.press("b")
        assert "nothing bad so far" in stage.text

    play(script)


def test_help_and_back(play: Play) -> None:
    async def script(stage: Stage) -> None:
        await stage.press("question_mark")
        assert "WHAT A SLOT SAYS" in stage.text
        await stage.press("escape", "escape")
        assert stage.is_left

    play(script)


def test_a_time_out_of_this_world_is_no_crash(play: Play) -> None:
    async def script(stage: Stage) -> None:
        far = (LogLine(10**18, "from the far future"), LogLine(-(10**18), "from before"))
        await stage.engine.say(Logged(0, far))
        await stage.until("from the far future", "from before")

    play(script)
