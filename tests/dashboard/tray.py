"""A tray that shows every state and every outcome there is."""

from station.errors import (
    Aborted,
    FactoryTestMode,
    Interrupted,
    NoDownloadMode,
    NoReturn,
    NotFlashed,
    NoUsb,
    PulledOut,
    ResumesWhenArmed,
    SlotHeld,
    StationError,
    UsbBusy,
    WrongVariant,
)
from station.live import (
    Alarm,
    Counts,
    Earlier,
    LineState,
    LineView,
    RecipeView,
    SlotState,
    SlotView,
    StepView,
)
from station.model import Failure, Outcome

NOW_UTC_US = 1_795_000_000_000_000
"""2026-11-18 11:06:40 UTC"""
S = 1_000_000
_STEPS = (StepView("identify"),)


def view(
    slot: str,
    state: SlotState,
    *,
    known: bool = True,
    outcome: Outcome | None = None,
    why: StationError | None = None,
    began_s: int | None = None,
    step: str | None = None,
    done: int = 0,
    earlier: Earlier | None = None,
    steps: tuple[StepView, ...] = _STEPS,
    back_in_s: int | None = None,
) -> SlotView:
    """A slot; `done` in MB of a hundred, `began_s` seconds ago; pulled out of the work, it is
    waited for `back_in_s`."""
    ends = 10 + sum(map(ord, slot)) % 90
    return SlotView(
        slot,
        state,
        NOW_UTC_US - 42 * S,
        port_path="1-1.4",
        usb_id="2c7c:0125" if state is not SlotState.EMPTY else None,
        imei=f"8676980412342{ends}" if known else None,
        model="EG25-G" if known else None,
        sku="EG25GGB-256-SGNS" if known else None,
        recipe="eg25-g" if known else None,
        version="EG25GGBR07A08M2G_30.007" if known else None,
        began_utc_us=NOW_UTC_US - began_s * S if began_s is not None else None,
        ended_utc_us=NOW_UTC_US - 95 * S if outcome else None,
        step=step,
        done_bytes=done * 1_000_000,
        total_bytes=100_000_000 if done else 0,
        bytes_per_s=4_120_000 if done else 0,
        steps=steps,
        put_back_until_utc_us=None if back_in_s is None else NOW_UTC_US + back_in_s * S,
        outcome=outcome,
        failure=Failure.of(why) if why else None,
        earlier=earlier,
    )


_PASSED = Earlier(Outcome.PASS, "A3", NOW_UTC_US - 24 * 60 * S)
_DONE = SlotState.DONE

STATES = (
    view("A1", SlotState.EMPTY, known=False),
    view("A2", SlotState.NO_USB, known=False, why=NoUsb("no module on port 1-1.4")),
    view("A3", SlotState.SETTLING, known=False),
    view("A4", SlotState.WAITING),
    view("A5", SlotState.PROBING, known=False),
    view("A6", SlotState.STANDING, why=NotFlashed("it was there when the engine started")),
    view("A7", SlotState.IDENTIFYING, known=False, began_s=3, step="identify"),
    view("A8", SlotState.PLANNED, began_s=9),
    view("B1", SlotState.FLASHING, began_s=43, step="write system", done=63),
    view("B2", SlotState.VERIFYING, began_s=83, step="verify", done=21),
    view("B3", _DONE, outcome=Outcome.PASS),
    view("B4", _DONE, outcome=Outcome.NO_CHANGE, earlier=_PASSED),
    view("B5", _DONE, outcome=Outcome.NO_CHANGE),
    view("B6", _DONE, outcome=Outcome.FAIL, why=FactoryTestMode("AT+CFUN? says 5")),
    view("B7", _DONE, outcome=Outcome.ERROR, why=UsbBusy("another program has it")),
    view("B8", _DONE, outcome=Outcome.BLOCKED, why=WrongVariant("this is an EC25-EU")),
    view("C1", _DONE, outcome=Outcome.ABORTED, why=Aborted("somebody stopped it")),
    view("C2", _DONE, outcome=Outcome.INTERRUPTED, why=Interrupted("the engine ended")),
    view("C3", _DONE, earlier=_PASSED, steps=()),
    view("C4", SlotState.AWAY, outcome=Outcome.FAIL, why=NoReturn("not back after 60 s")),
    view("C5", SlotState.RETURNING, outcome=Outcome.FAIL, why=NoReturn("not back after 60 s")),
    view("C6", SlotState.PULLED, outcome=Outcome.FAIL, why=PulledOut("while writing system")),
    view("C7", SlotState.HELD, known=False, why=SlotHeld("bent pin")),
    view("C8", _DONE),
    view("D1", _DONE, outcome=Outcome.FAIL, why=NoDownloadMode("still at runtime after 10 s")),
    view("D2", SlotState.FLASHING, began_s=61, step="recover", done=63, back_in_s=23),
    view("D3", SlotState.WAITING, why=ResumesWhenArmed("the flash begun in slot D3 was cut off")),
    *(view(f"D{number}", _DONE, outcome=Outcome.PASS) for number in range(4, 9)),
)
"""Thirty-two slots."""

RECIPE = RecipeView(
    name="eg25-g",
    revision=3,
    sha256="1a2b3c4d" + "0" * 56,
    sku=("EG25-G*",),
    version="EG25GGBR07A08M2G_30.007",
    package="EG25GGBR07A08M2G_30.007.zip",
)
LINE = LineView(
    LineState.ARMED,
    operator="maria",
    recipes=(RECIPE,),
    label="lot 4711",
    target=100,
    counts=Counts(good=37, first=40, first_pass=38),
    expected=32,
)
DISARMED = LineView(LineState.DISARMED)
ALARMS = (
    Alarm("S507", "DISK", "only 1.2 GB are free.", "Make room on the disk.", NOW_UTC_US),
    Alarm("L609", "MODULE MISSING", "2 of 32 are not on USB.", "Reseat them.", NOW_UTC_US),
)


def rows(columns: int, slots: tuple[SlotView, ...]) -> tuple[tuple[str, ...], ...]:
    """The slots' names, so many in a row."""
    names = [slot.slot for slot in slots]
    return tuple(tuple(names[i : i + columns]) for i in range(0, len(names), columns))
