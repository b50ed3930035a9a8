"""Each key of the grid, pressed; the engine by script sees what comes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from station.dashboard.arm_screen import ArmScreen
from station.dashboard.confirm import ConfirmScreen, ReasonScreen
from station.dashboard.grid_screen import GridScreen
from station.dashboard.help_screen import HelpScreen
from station.dashboard.history_screen import HistoryScreen
from station.dashboard.log_screen import LogScreen
from station.dashboard.notice import NoticeScreen
from station.dashboard.slot_screen import SlotScreen
from station.wire import (
    Abort,
    Answer,
    Clear,
    Command,
    Disarm,
    Hands,
    Hold,
    Refusal,
    Release,
    Retry,
)
from tests.dashboard.engine import ScriptedEngine
from tests.dashboard.golden import plain_text
from tests.dashboard.show import Show, connected
from tests.dashboard.tray import ALARMS, LINE, STATES, rows

REFUSAL = Refusal("L602", "NOT NOW", "slot A1 is empty", "Wait until there is a verdict.")


def engine() -> ScriptedEngine:
    return ScriptedEngine(rows(8, STATES), LINE, STATES)


def on(
    tmp_path: Path,
    test: Callable[[Show], Awaitable[None]],
    served: ScriptedEngine,
    *,
    kiosk: bool = False,
) -> None:
    async def play() -> None:
        async with connected(served, tmp_path / "s", kiosk=kiosk) as show:
            await test(show)

    asyncio.run(play())


def grid(show: Show) -> GridScreen:
    screen = show.app.screen
    assert isinstance(screen, GridScreen)
    return screen


async def select(show: Show, slot: str) -> None:
    names = [view.slot for view in STATES]
    await show.press(*["tab"] * (names.index(slot) - names.index(grid(show).selected or "A1")))
    assert grid(show).selected == slot


# --- which slot -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "slot"),
    [
        (["right"], "A2"),
        (["down"], "B1"),
        (["down", "right", "up", "left"], "A1"),
        (["left"], "A1"),
        (["up"], "A1"),
        (["tab", "tab"], "A3"),
        (["shift+tab"], "D8"),
        (["shift+tab", "right", "down"], "D8"),
        (["shift+tab", "tab"], "A1"),
    ],
    ids=" ".join,
)
def test_selecting(tmp_path: Path, keys: list[str], slot: str) -> None:
    async def test(show: Show) -> None:
        await show.press(*keys)
        assert grid(show).selected == slot
        assert f"▶{slot}" in plain_text(show.app)

    on(tmp_path, test, engine())


# --- keys that show something -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "screen"),
    [
        ("enter", SlotScreen),
        ("a", ArmScreen),
        ("l", LogScreen),
        ("h", HistoryScreen),
        ("/", HistoryScreen),
        ("?", HelpScreen),
        ("f1", HelpScreen),
    ],
)
def test_screens_and_back(tmp_path: Path, key: str, screen: type) -> None:
    async def test(show: Show) -> None:
        await show.press(key)
        await show.until(lambda: isinstance(show.app.screen, screen))
        await show.press("escape")
        await show.until(lambda: isinstance(show.app.screen, GridScreen))

    on(tmp_path, test, engine())


def test_detail_is_of_the_selected_slot(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        await show.press("down", "enter")
        screen = show.app.screen
        assert isinstance(screen, SlotScreen)
        assert screen.slot == "B1"

    on(tmp_path, test, engine())


def test_all_alarms(tmp_path: Path) -> None:
    served = engine()
    served.line = type(LINE)(LINE.state, alarms=ALARMS)

    async def test(show: Show) -> None:
        await show.press("!")
        assert isinstance(show.app.screen, NoticeScreen)
        shown = plain_text(show.app)
        assert all(alarm.headline in shown and alarm.remedy in shown for alarm in ALARMS)

    on(tmp_path, test, served)


# --- keys that do something -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot", "keys", "command"),
    [
        ("B6", ["r"], Retry(slot="B6")),
        ("B1", ["x", "y"], Abort(slot="B1")),
        ("A2", ["c"], Clear(slot="A2")),
        ("C7", ["o"], Release(slot="C7")),
        ("A1", ["d", "y"], Disarm()),
        ("B3", ["r", "y"], Retry(slot="B3")),
        ("B3", ["u"], Hands(action="unplug", slot="B3")),
        ("A1", ["u"], Hands(action="plug", slot="A1")),
        ("A1", ["t"], Hands(action="tray")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_commands(tmp_path: Path, slot: str, keys: list[str], command: Command) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await select(show, slot)
        for key in keys:
            await show.press(key)
        await show.until(lambda: bool(served.told()))
        assert served.told() == [command]
        await show.until(lambda: isinstance(show.app.screen, GridScreen))

    on(tmp_path, test, served)


@pytest.mark.parametrize(
    ("slot", "key"), [("B3", "r"), ("B1", "x"), ("A1", "d")], ids=["retry good", "abort", "disarm"]
)
def test_no_is_no(tmp_path: Path, slot: str, key: str) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await select(show, slot)
        await show.press(key)
        assert isinstance(show.app.screen, ConfirmScreen)
        await show.press("n")
        await show.until(lambda: isinstance(show.app.screen, GridScreen))
        assert served.told() == []

    on(tmp_path, test, served)


def test_hold_wants_a_reason(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await show.press("o")
        assert isinstance(show.app.screen, ReasonScreen)
        await show.press(*"bent pin", "enter")
        await show.until(lambda: bool(served.told()))
        assert served.told() == [Hold(slot="A1", reason="bent pin")]

    on(tmp_path, test, served)


def test_a_refusal_is_shown_with_its_remedy(tmp_path: Path) -> None:
    served = engine()
    served.reply = lambda command: Answer(None, REFUSAL) if isinstance(command, Clear) else None

    async def test(show: Show) -> None:
        await show.press("c")
        await show.until(lambda: isinstance(show.app.screen, NoticeScreen))
        await show.pilot.pause()
        shown = plain_text(show.app)
        assert REFUSAL.headline in shown
        assert REFUSAL.cause in shown
        assert REFUSAL.remedy in shown
        await show.press("x")
        await show.until(lambda: isinstance(show.app.screen, GridScreen))
        assert served.told() == [Clear(slot="A1")], "the key that closes a notice does no more"

    on(tmp_path, test, served)


def test_hands_are_for_simulated_modules_only(tmp_path: Path) -> None:
    served = engine()
    served.hello = type(served.hello)(
        served.hello.protocol, "LINE 3", "Graz", "0.4", "e", served.hello.rows, hands=False
    )

    async def test(show: Show) -> None:
        assert "u plug" not in plain_text(show.app)
        await show.press("u", "t", "c")
        await show.until(lambda: bool(served.told()))
        assert served.told() == [Clear(slot="A1")]

    on(tmp_path, test, served)


# --- leaving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
def test_leaving_asks_first(tmp_path: Path, key: str) -> None:
    async def test(show: Show) -> None:
        await show.press(key)
        await show.until(lambda: isinstance(show.app.screen, ConfirmScreen))
        await show.pilot.pause()
        assert "engine goes on" in plain_text(show.app)
        await show.press("n")
        await show.until(lambda: isinstance(show.app.screen, GridScreen))
        await show.press(key)
        await show.until(lambda: isinstance(show.app.screen, ConfirmScreen))
        await show.pilot.press("y")
        await show.until(lambda: not show.app.is_running or show.app._exit)

    on(tmp_path, test, engine())


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
def test_a_kiosk_cannot_be_left(tmp_path: Path, key: str) -> None:
    async def test(show: Show) -> None:
        assert "leave" not in plain_text(show.app)
        await show.press(key, "right")
        assert grid(show).selected == "A2"
        assert not show.app._exit

    on(tmp_path, test, engine(), kiosk=True)


# --- the scanner ------------------------------------------------------------------------------


def scan(show: Show, text: str) -> None:
    """All keys at once, as a scanner sends them."""
    driver = show.app._driver
    assert driver
    for char in text:
        driver.send_message(events.Key(char, char))
    driver.send_message(events.Key("enter", "\r"))


def test_a_scan_opens_the_history_and_is_no_key(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        scan(show, "tculax867698041234235")
        await show.until(lambda: show.history.asked == ["tculax867698041234235"])
        assert isinstance(show.app.screen, HistoryScreen)
        assert served.told() == []
        await show.press("escape")
        await show.until(lambda: isinstance(show.app.screen, GridScreen))
        assert grid(show).selected == "A1"

    on(tmp_path, test, served)


def test_a_scanners_prefix_is_no_key_either(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        driver = show.app._driver
        assert driver
        driver.send_message(events.Key("ctrl+c", "\x03"))
        scan(show, "867698041234235")
        await show.until(lambda: show.history.asked == ["867698041234235"])
        assert isinstance(show.app.screen, HistoryScreen)

    on(tmp_path, test, served)


def test_a_badge_scanned_anywhere_on_the_arming_screen_is_the_operator(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await show.press("a")
        await show.until(lambda: isinstance(show.app.screen, ArmScreen))
        scan(show, "W-00417")
        await show.until(lambda: show.app.screen.query_one("#operator", Input).value == "W-00417")
        assert show.history.asked == []

    on(tmp_path, test, served)


def test_a_scan_does_not_answer_a_question(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await select(show, "B1")
        await show.press("x")
        scan(show, "yyyxyyy123")
        await show.until(lambda: show.app._scanner._scan_ended_s is not None)
        await show.pilot.pause()
        assert isinstance(show.app.screen, ConfirmScreen)
        assert served.told() == []
        assert show.history.asked == []

    on(tmp_path, test, served)
