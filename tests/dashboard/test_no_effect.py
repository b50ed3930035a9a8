"""Keys that can do nothing now: said at once, calmly, and nothing is promised."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from station.dashboard.confirm import ConfirmScreen
from station.dashboard.notice import NoticeScreen
from tests.dashboard.golden import plain_text
from tests.dashboard.show import Show, showing
from tests.dashboard.test_keys import NO_ENGINE, engine, on
from tests.dashboard.tray import LINE, S


@pytest.mark.parametrize("key", ["a", "d", "r"])
def test_during_a_campaign_the_line_is_its_own(tmp_path: Path, key: str) -> None:
    served = engine()
    served.line = replace(LINE, campaign="nightly")

    async def test(show: Show) -> None:
        offered = plain_text(show.app).splitlines()[-1].split()
        assert "abort" in offered
        assert not {"arm", "disarm", "retry"} & set(offered)
        await show.press(key)
        assert isinstance(show.app.screen, NoticeScreen)
        shown = " ".join(plain_text(show.app).split())
        assert "L660 CAMPAIGN RUNS" in shown
        assert "nightly" in shown
        assert "`station campaign abort`" in shown
        assert served.told() == []

    on(tmp_path, test, served)


def test_where_nothing_is_stopped_nobody_is_asked_to_lift_it(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await show.press("e")
        assert isinstance(show.app.screen, NoticeScreen)
        assert "the line is not stopped" in plain_text(show.app)
        assert served.told() == []

    on(tmp_path, test, served)


def test_who_has_only_begun_to_connect_is_not_told_of_a_dead_engine(tmp_path: Path) -> None:
    async def look() -> None:
        async with showing(tmp_path / "s") as show:
            await show.press("a")
            assert isinstance(show.app.screen, NoticeScreen)
            assert "CONNECTING" in plain_text(show.app)
            assert NO_ENGINE not in plain_text(show.app)
            await show.press("enter")
            show.clock.utc_us += 2 * S
            await show.press("a")
            assert NO_ENGINE in plain_text(show.app)

    asyncio.run(look())


def test_of_an_engine_that_is_not_heard_nothing_is_promised(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        show.clock.utc_us += 7 * S
        await show.drawn()
        await show.press("q")
        assert isinstance(show.app.screen, ConfirmScreen)
        assert "engine goes on" not in plain_text(show.app)
        assert "No engine is heard" in plain_text(show.app)

    on(tmp_path, test, engine())
