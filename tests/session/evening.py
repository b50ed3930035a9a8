"""The scenes of an evening: a tray is armed and flashed, modules go out and in again."""

import re
from functools import partial

from station.dashboard.header import STATES as LINE_FACES
from station.dashboard.palette import Kind
from station.dashboard.words import doing
from station.engine.spared import POWER_OFF_S
from station.errors import Nak, NoReturn, NotArmed, PulledOut
from station.live import LineState
from station.transport.base import RETURN_S
from station.wire import Hands
from tests.session.line import Line
from tests.session.picture import svg
from tests.session.reading import (
    ALREADY_PASS,
    ARM,
    EMPTY,
    FAIL,
    PASS,
    PUT_BACK,
    SLOTS,
    all_show,
    grounds,
    header,
    region,
    shows,
    told,
)
from tests.session.terminal import SOON_S, Pane, expect

FAULTS = {"A3": "nak", "A5": "no-return", "A7": "unplug"}
GOOD = tuple(slot for slot in SLOTS if slot not in FAULTS)
OPERATOR = "maria"
SEED = "7"
NO_RETURN_S = 100.0 + POWER_OFF_S + RETURN_S
"""Of the line's own time: how long a module that reset itself is waited for, and the tray; and the
cycle of its power, after which it is waited for once more."""

_PACE = re.compile(r"(\d+) %\s+(\d+\.\d) MB/s")
_STEPS = ("enter_edl", "load_programmer", "erase", "program", "verify", "reset", "confirm")


def a_demo_opens(line: Line) -> None:
    """Engine and screen by one command: eight modules wait, the line is not armed."""
    faults = [f"--fault={slot}={fault}" for slot, fault in FAULTS.items()]
    options = ("--data", str(line.folder), "--speed", f"{line.speed:g}", "--seed", SEED)
    line.screen = line.start("demo", *options, *faults)
    waiting = LINE_FACES[LineState.DISARMED][1]
    line.screen.until(
        "eight slots that wait",
        lambda pane: header(pane, waiting) and all_show(pane, SLOTS, ARM),
    )
    line.save("not-armed")
    line.engine()


def a_refusal_explains_itself(line: Line) -> None:
    """What cannot be done now is said over the tray, for a while and not for ever."""
    screen = line.screen
    screen.press("r")
    line.save("refused", screen.see(NotArmed.headline, "Enter or Esc goes on", within_s=SOON_S))
    screen.until(
        "the tray again",
        lambda pane: NotArmed.headline not in pane and all_show(pane, SLOTS, ARM),
    )
    for key in ("Right", "Left"):
        screen.step(key)


def the_line_is_armed_by_keys(line: Line) -> None:
    """Recipe, name, Enter; then the firmware stands in large letters."""
    screen = line.screen
    screen.press("a")
    screen.see("ARM THE LINE", "ec25-demo", within_s=SOON_S)
    screen.press("Space")
    chosen = screen.see("[x] ec25-demo", within_s=SOON_S)
    version = re.search(r"makes (\S+)", chosen.text)
    expect(version is not None, "the version of the recipe", chosen)
    screen.step("Enter")
    screen.type(OPERATOR)
    line.save("arm", screen.see(OPERATOR, within_s=SOON_S))
    for _ in ("label", "lot", "target", "modules", "the button", "armed"):
        screen.step("Enter")
    armed = LINE_FACES[LineState.ARMED][1]
    firmware = version[1] if version else ""
    line.save(
        "armed",
        screen.until(
            "ARMED and the firmware in large letters",
            lambda pane: header(pane, armed) and OPERATOR in pane and header(pane, firmware),
        ),
    )


def the_tray_is_flashed_live(line: Line) -> None:
    """Percent, pace and steps are seen to change; on which of the good ones does not matter, since
    a busy machine draws less often."""
    percents: dict[str, set[int]] = {slot: set() for slot in GOOD}
    steps: set[str] = set()
    paces: set[str] = set()

    def moves(pane: Pane) -> bool:
        for slot in GOOD:
            tile = "\n".join(region(pane, slot))
            steps.update(step for step in _STEPS if doing(step) in tile)
            for percent, pace in _PACE.findall(tile):
                percents[slot].add(int(percent))
                paces.add(pace)
        changes = sum(max(len(seen) - 1, 0) for seen in percents.values())
        return changes >= len(GOOD) and len(steps) >= 3 and bool(paces - {"0.0"})

    line.save("flashing", line.screen.until("percent, MB/s and steps that change", moves))


def faults_say_what_to_do(line: Line) -> None:
    """What was refused and what was pulled out, by its headline; the good ones PASS."""
    seen = line.screen.until(
        "REFUSED, PULLED OUT, and PASS on the good ones",
        lambda pane: (
            told(pane, "A3", FAIL, Nak)
            and told(pane, "A7", PUT_BACK, PulledOut)
            and all_show(pane, GOOD, PASS)
        ),
    )
    expect(grounds(seen) == {Kind.GOOD, Kind.BAD, Kind.ACT}, "each in its colour", seen)
    line.save("faults", seen)


def out_and_in_again(line: Line) -> None:
    """A good module that comes back is not flashed again; by key and by command."""
    screen = line.screen
    screen.press("u")
    screen.until("A1 empty", lambda pane: shows(pane, "A1", EMPTY), SOON_S)
    screen.press("u")
    screen.until("A1 ALREADY PASS", lambda pane: shows(pane, "A1", ALREADY_PASS))
    line.station("sim", "unplug", "A2")
    screen.until("A2 empty", lambda pane: shows(pane, "A2", EMPTY), SOON_S)
    line.station("sim", "plug", "A2")
    screen.until("A2 ALREADY PASS", lambda pane: shows(pane, "A2", ALREADY_PASS))
    line.save("already-pass")


def one_never_returns(line: Line) -> None:
    """A module that did not come back from its reset is waited for, then it is a fault."""
    line.save(
        "no-return",
        line.screen.until(
            "NO RETURN",
            lambda pane: told(pane, "A5", FAIL, NoReturn),
            NO_RETURN_S / line.speed + 30,
        ),
    )


def the_screen_in_other_sizes(line: Line) -> None:
    """The smallest and a large one, with every verdict on them."""
    for columns, rows in ((80, 24), (160, 48)):
        with line.resized(columns, rows):
            seen = line.screen.until(
                f"every verdict at {columns} x {rows}",
                partial(_all_verdicts, columns=columns, rows=rows),
                SOON_S,
            )
            line.save(f"{columns}x{rows}", seen)


def _all_verdicts(pane: Pane, columns: int, rows: int) -> bool:
    wanted = {"A1": ALREADY_PASS, "A3": FAIL, "A4": PASS, "A5": FAIL, "A7": PUT_BACK}
    return all(shows(pane, slot, wanted[slot], columns, rows) for slot in wanted)


def everything_at_once(line: Line) -> None:
    """Two fresh modules are flashed among verdicts: the picture of a line at work."""
    fresh = ("A6", "A8")
    for slot in fresh:
        line.hands(Hands(action="unplug", slot=slot))
    for slot in fresh:
        line.hands(Hands(action="plug", slot=slot, fault="sahara-v3"))
    pane = line.screen.until(
        "two that run among verdicts",
        lambda pane: all(_is_written(region(pane, slot)) for slot in fresh),
    )
    line.save("all", pane)
    if line.keep is not None:
        (line.keep / "screen.svg").write_text(svg(pane), encoding="utf-8")
    line.screen.until("both PASS", lambda pane: all_show(pane, fresh, PASS))


def _is_written(tile: list[str]) -> bool:
    """Some of the module's flash is new, and how fast that goes is known."""
    found = _PACE.findall("\n".join(tile))
    return any(int(percent) > 0 and pace != "0.0" for percent, pace in found)
