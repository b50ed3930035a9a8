"""The whole story: an evening, then what becomes of it when screen and engine are killed."""

import signal
from collections.abc import Callable
from os import kill

from station.dashboard.face import VERDICTS
from station.errors import NoReturn
from station.model import Outcome
from tests.commands.running import is_written, records, until
from tests.session import evening
from tests.session.line import Line
from tests.session.reading import ARM, PASS, SLOTS, all_show, grounds, header, shows
from tests.session.terminal import SOON_S, expect

ALL_RUN = f"{len(SLOTS)} running"

# --- the screen goes, the line goes on --------------------------------------------------------


def the_screen_is_killed_in_mid_flash(line: Line) -> None:
    """The tray goes on without a screen, another screen attaches to it, all end well."""
    pid = line.engine()
    line.screen.press("t")
    line.screen.see(ALL_RUN)
    until(line.socket, is_written)
    kill(line.screen.pid, signal.SIGKILL)
    expect(line.screen.ended(SOON_S) == 128 + signal.SIGKILL, "the screen killed")
    before = _progress(line)
    after = _progress(line)
    grown = [slot for slot in SLOTS if after[slot] > before[slot]]
    expect(bool(grown) and all(after[s] >= before[s] for s in SLOTS), "the engine goes on")
    line.screen = line.start("dash", "--config", str(line.config))
    line.save("attached", line.screen.see(ALL_RUN))
    expect(line.engine() == pid, "the same engine")
    line.screen.until("eight PASS", lambda pane: all_show(pane, SLOTS, PASS))


def _progress(line: Line) -> dict[str, tuple[int, int]]:
    return {slot: (len(view.steps), view.done_bytes) for slot, view in line.slots().items()}


# --- closer looks -----------------------------------------------------------------------------


def a_scan_opens_the_history(line: Line) -> None:
    """A unit that was plugged twice has two attempts; a lone digit is no scan."""
    (first, *_) = [r for r in records(line.config, "find", "--slot", "A1") if r["outcome"]]
    imei = first["unit"]["imei"]
    screen = line.screen
    screen.press("8")
    screen.press("?")
    help_page = screen.see("WHAT A SLOT SAYS", within_s=SOON_S)
    expect("HISTORY OF A UNIT" not in help_page, "a lone key opens nothing", help_page)
    line.save("help", help_page)
    screen.press("Escape")
    screen.until("the tray again", lambda pane: shows(pane, "A1", PASS), SOON_S)
    screen.scan(imei)
    verdicts = (PASS.word, VERDICTS[Outcome.NO_CHANGE].word)
    line.save(
        "history",
        screen.see("HISTORY OF A UNIT", f"{imei}: 2 attempts", *verdicts, within_s=SOON_S),
    )
    screen.press("Escape")
    screen.until("the tray again", lambda pane: shows(pane, "A1", PASS), SOON_S)


def a_slot_and_the_log(line: Line) -> None:
    """What was done to one module, in its own words; and what happened on the line."""
    screen = line.screen
    screen.press("Enter")
    line.save("slot", screen.see("✔ program", "✔ confirm", "module:", within_s=SOON_S))
    screen.press("Escape")
    screen.until("the tray again", lambda pane: shows(pane, "A1", PASS), SOON_S)
    screen.press("l")
    line.save("log", screen.see("EVENT LOG", "✔", "PASS", "a device appeared", within_s=SOON_S))
    screen.press("b")
    bad = screen.until(
        "bad lines only",
        lambda pane: "✔" not in pane and "✖" in pane and NoReturn.headline in pane,
        SOON_S,
    )
    line.save("log-bad", bad)
    screen.press("Escape")
    screen.until("the tray again", lambda pane: shows(pane, "A1", PASS), SOON_S)


# --- the engine goes --------------------------------------------------------------------------


def the_engine_is_killed_in_mid_flash(line: Line) -> None:
    """NO DATA without a colour that could be believed; then all by itself the line again."""
    line.screen.press("t")
    line.screen.see(ALL_RUN)
    picture = until(line.socket, is_written)
    line.kill_engine()
    dead = line.screen.until(
        "NO DATA", lambda pane: header(pane, "NO DATA") and "since" in pane, SOON_S
    )
    line.save("no-data", dead)
    expect(not grounds(dead), f"no colours, but {grounds(dead)}", dead)
    line.console = line.start(
        *("sim", "serve", "--config", str(line.config)), "--speed", f"{line.speed:g}"
    )
    line.save(
        "back",
        line.screen.until("the line again", lambda pane: all_show(pane, SLOTS, ARM)),
    )
    line.engine()
    cut = {view.attempt_id for view in picture.slots.values() if view.state.is_busy}
    found = records(line.config, "find", "--since", "1h")
    closed = {r["attempt_id"] for r in found if r["outcome"] == Outcome.INTERRUPTED.value}
    expect(len(cut) > 0 and closed == cut, f"{cut} as INTERRUPTED, but {closed}")


def leaving_leaves_the_engine(line: Line) -> None:
    """The screen is left by q and a yes; the engine ends when it is told to."""
    pid = line.engine()
    line.screen.press("q")
    line.save("leave", line.screen.see("Leave the screen?", within_s=SOON_S))
    line.screen.press("y")
    expect(line.screen.ended(SOON_S) == 0, "the screen ends well")
    expect(line.engine() == pid, "the engine goes on")
    line.station("line", "stop", "--wait")
    expect(line.console.ended(SOON_S) == 0, "the engine ends well", line.console.pane())
    expect(not line.socket.exists(), "no socket is left behind")


SCENES: tuple[Callable[[Line], None], ...] = (
    evening.a_demo_opens,
    evening.a_refusal_explains_itself,
    evening.the_line_is_armed_by_keys,
    evening.the_tray_is_flashed_live,
    evening.faults_say_what_to_do,
    evening.out_and_in_again,
    evening.one_never_returns,
    evening.the_screen_in_other_sizes,
    evening.everything_at_once,
    the_screen_is_killed_in_mid_flash,
    a_scan_opens_the_history,
    a_slot_and_the_log,
    the_engine_is_killed_in_mid_flash,
    leaving_leaves_the_engine,
)
