"""Each key of the grid, pressed; the engine by script sees what comes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
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
from station.errors import HeldByEngineer, LineStopped, NoEngine, SlotOut
from station.live import Alarm, ShiftView
from station.model import Failure
from station.wire import (
    Abort,
    Answer,
    Clear,
    Command,
    Disarm,
    Hands,
    Hold,
    Lift,
    Refusal,
    Release,
    Retry,
)
from tests.dashboard.engine import ScriptedEngine
from tests.dashboard.golden import plain_text
from tests.dashboard.show import Show, connected
from tests.dashboard.tray import ALARMS, DISARMED, LINE, STATES, S, rows

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


NO_ENGINE = "L605  NO ENGINE"


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
    ("slot", "keys", "command"),
    [
        ("B6", ["r"], Retry(by="maria", slot="B6")),
        ("B3", ["r", "y"], Retry(by="maria", slot="B3")),
        ("C7", ["o"], Release(by="maria", slot="C7")),
        ("A1", ["o", *"dirt", "enter"], Hold(slot="A1", reason="dirt")),
        ("B1", ["x", "y"], Abort(slot="B1")),
        ("A1", ["d", "y"], Disarm()),
    ],
    ids=["retry", "retry good", "release", "hold", "abort", "disarm"],
)
def test_what_not_everybody_may_is_asked_in_the_name_of_whose_shift_it_is(
    tmp_path: Path, slot: str, keys: list[str], command: Command
) -> None:
    served = ScriptedEngine(rows(8, STATES), replace(LINE, shift=ShiftView("maria", 1)), STATES)

    async def test(show: Show) -> None:
        await select(show, slot)
        for key in keys:
            await show.press(key)
        await show.until(lambda: bool(served.told()))
        assert served.told() == [command]

    on(tmp_path, test, served)


def test_a_stop_of_the_line_is_lifted_by_a_key_that_shows_itself(tmp_path: Path) -> None:
    stop = Alarm(LineStopped.code, LineStopped.headline, "6 of the last 10", LineStopped.remedy, 0)
    served = ScriptedEngine(rows(8, STATES), replace(LINE, alarms=(stop,)), STATES)

    async def test(show: Show) -> None:
        assert "e lift the stop" in plain_text(show.app)
        await show.press("e", *"eva", "enter", *"new hub", "enter")
        await show.until(lambda: bool(served.told()))
        assert served.told() == [Lift(by="eva", reason="new hub")]

    on(tmp_path, test, served)


def test_without_a_stop_no_key_is_offered_for_it(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        assert "lift the stop" not in plain_text(show.app)

    on(tmp_path, test, engine())


def test_a_slot_that_the_station_took_out_is_lifted_not_released(tmp_path: Path) -> None:
    out = Failure.of(SlotOut("3 failures in a row"))
    views = [replace(v, failure=out) if v.slot == "C7" else v for v in STATES]
    served = ScriptedEngine(rows(8, STATES), LINE, tuple(views))

    async def test(show: Show) -> None:
        await select(show, "C7")
        assert "L631" in plain_text(show.app)
        await show.press("o", *"eva", "tab", *"new pins", "enter")
        await show.until(lambda: bool(served.told()))
        assert served.told() == [Lift(by="eva", reason="new pins", slot="C7")]

    on(tmp_path, test, served)


def test_what_an_engineer_holds_is_released_with_a_name_and_a_reason(tmp_path: Path) -> None:
    held = Failure.of(HeldByEngineer("bent pin"))
    views = [replace(v, failure=held) if v.slot == "C7" else v for v in STATES]
    served = ScriptedEngine(rows(8, STATES), LINE, tuple(views))

    async def test(show: Show) -> None:
        await select(show, "C7")
        await show.press("o", *"eva", "tab", *"new pins", "enter")
        await show.until(lambda: bool(served.told()))
        assert served.told() == [Release(by="eva", reason="new pins", slot="C7")]

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


@pytest.mark.parametrize("key", ["enter", "escape"])
def test_a_refusal_is_shown_with_its_remedy(tmp_path: Path, key: str) -> None:
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
        await show.press("x", "d", "e", "right")
        assert isinstance(show.app.screen, NoticeScreen), "what is typed on reaches nothing"
        await show.press(key)
        await show.until(lambda: isinstance(show.app.screen, GridScreen))
        assert grid(show).selected == "A1"
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


@pytest.mark.parametrize(
    ("key", "screen"), [("A", ArmScreen), ("L", LogScreen), ("H", HistoryScreen)]
)
def test_caps_lock_does_not_matter(tmp_path: Path, key: str, screen: type) -> None:
    async def test(show: Show) -> None:
        await show.press(key)
        await show.until(lambda: isinstance(show.app.screen, screen))

    on(tmp_path, test, engine())


def test_yes_and_no_in_capitals(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await show.press("D", "N", "D", "Y")
        await show.until(lambda: bool(served.told()))
        assert served.told() == [Disarm()]

    on(tmp_path, test, served)


def test_a_line_that_is_not_armed_is_not_disarmed(tmp_path: Path) -> None:
    served = engine()
    served.line = DISARMED

    async def test(show: Show) -> None:
        await show.press("d")
        assert isinstance(show.app.screen, NoticeScreen)
        assert "L601  NOT ARMED" in plain_text(show.app)
        assert served.told() == []

    on(tmp_path, test, served)


@pytest.mark.parametrize("key", ["r", "x", "o", "c", "a", "d", "u", "t"])
def test_without_an_engine_no_command_is_asked_for(tmp_path: Path, key: str) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await select(show, "B3")
        show.clock.utc_us += 7 * S
        await show.drawn()
        await show.press(key)
        assert isinstance(show.app.screen, NoticeScreen)
        assert NO_ENGINE in plain_text(show.app)
        assert NoEngine.remedy.split(",")[0] in plain_text(show.app)
        assert served.told() == []

    on(tmp_path, test, served)


def test_without_an_engine_the_keys_that_show_remain(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        last = plain_text(show.app).splitlines()[-1]
        assert all(key in last for key in ("a arm", "r retry", "/ history", "? help", "q leave"))
        show.clock.utc_us += 7 * S
        await show.drawn()
        last = plain_text(show.app).splitlines()[-1]
        assert last.split() == [
            "/",
            "history",
            "?",
            "help",
            "q",
            "leave",
            "Enter",
            "detail",
            "l",
            "log",
        ]

    on(tmp_path, test, engine())


# --- notices ----------------------------------------------------------------------------------


def test_a_notice_left_alone_goes_away_and_the_screen_stays(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        await show.app.push_screen(NoticeScreen("NOT NOW", ("because",), shown_s=0.01))
        await show.until(lambda: isinstance(show.app.screen, GridScreen))
        await show.press("right")
        assert grid(show).selected == "A2"

    on(tmp_path, test, engine())


def test_a_notice_below_a_question_does_not_close_the_question(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        below = NoticeScreen("NOT NOW", ("because",), shown_s=0.01)
        question = ConfirmScreen("Sure?", "Really.")
        show.app.push_screen(below)
        await show.app.push_screen(question)
        below._go_away()
        await show.pilot.pause()
        assert show.app.screen is question
        await show.press("n")
        await show.until(lambda: isinstance(show.app.screen, GridScreen))

    on(tmp_path, test, engine())


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


def send(show: Show, keys: list[events.Key]) -> None:
    """At once; a key is as old as its event."""
    driver = show.app._driver
    assert driver
    for key in keys:
        driver.send_message(key)


def scan(show: Show, text: str, prefix: tuple[str, str] | None = None) -> None:
    """All keys at once, as a scanner sends them."""
    first = [events.Key(*prefix)] if prefix else []
    send(show, [*first, *(events.Key(char, char) for char in text), events.Key("enter", "\r")])


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
        scan(show, "867698041234235", prefix=("ctrl+c", "\x03"))
        await show.until(lambda: show.history.asked == ["867698041234235"])
        assert isinstance(show.app.screen, HistoryScreen)

    on(tmp_path, test, served)


@pytest.mark.parametrize("field", ["operator", "label", "target", "modules", None])
def test_a_badge_scanned_anywhere_on_the_arming_screen_is_the_operator(
    tmp_path: Path, field: str | None
) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await show.press("a")
        await show.until(lambda: isinstance(show.app.screen, ArmScreen))
        if field is not None:
            show.app.screen.query_one(f"#{field}", Input).focus()
            await show.pilot.pause()
        scan(show, "W-00417")
        await show.until(lambda: show.app.screen.query_one("#operator", Input).value == "W-00417")
        others = [i.value for i in show.app.screen.query(Input) if i.id != "operator"]
        assert others == [""] * 4
        assert show.history.asked == []
        assert served.told() == []

    on(tmp_path, test, served)


def test_one_scan_after_another_asks_for_one_unit_after_another(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        for imei in ("867698041234235", "867698041234243"):
            scan(show, imei)
            await show.until(lambda: imei in show.history.asked)  # noqa: B023 - awaited in here
        assert show.history.asked == ["867698041234235", "867698041234243"]
        assert show.app.screen.query_one(Input).value == "867698041234243"

    on(tmp_path, test, engine())


def test_a_scan_is_no_reason(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await show.press("o")
        await show.until(lambda: isinstance(show.app.screen, ReasonScreen))
        scan(show, "867698041234235")
        await show.until(lambda: "scan again" in plain_text(show.app).lower())
        assert isinstance(show.app.screen, ReasonScreen)
        assert show.app.screen.query_one(Input).value == ""
        assert served.told() == []

    on(tmp_path, test, served)


def test_text_pasted_into_a_field_is_text(tmp_path: Path) -> None:
    async def test(show: Show) -> None:
        await show.press("a")
        await show.until(lambda: isinstance(show.app.screen, ArmScreen))
        operator = show.app.screen.query_one("#operator", Input)
        operator.value = ""
        operator.focus()
        send(show, [events.Key(char, char) for char in "Maria K."])
        await show.until(lambda: operator.value == "Maria K.")

    on(tmp_path, test, engine())


def test_a_scan_does_not_answer_a_question(tmp_path: Path) -> None:
    served = engine()

    async def test(show: Show) -> None:
        await select(show, "B1")
        await show.press("x")
        scan(show, "yyyxyyy123")
        await show.until(lambda: "scan again" in plain_text(show.app))
        assert isinstance(show.app.screen, ConfirmScreen)
        assert served.told() == []
        assert show.history.asked == []

    on(tmp_path, test, served)


def test_a_scan_takes_a_notice_away_and_opens_the_history(tmp_path: Path) -> None:
    served = engine()
    served.reply = lambda command: Answer(None, REFUSAL) if isinstance(command, Clear) else None

    async def test(show: Show) -> None:
        await show.press("c")
        await show.until(lambda: isinstance(show.app.screen, NoticeScreen))
        scan(show, "417")
        await show.until(lambda: show.history.asked == ["417"])
        assert isinstance(show.app.screen, HistoryScreen)
        await show.press("escape")
        await show.until(lambda: isinstance(show.app.screen, GridScreen))

    on(tmp_path, test, served)
