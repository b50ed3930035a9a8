"""What the detail of a slot says, from what the engine says of it. Pure."""

from rich.style import Style
from rich.text import Text

from station.dashboard.face import face, is_from_before, is_pulled_out
from station.dashboard.palette import Kind, Palette
from station.dashboard.paper import (
    StepRow,
    banner,
    day_and_clock,
    fields,
    ink,
    joined,
    paragraph,
    step_rows,
    trouble,
)
from station.dashboard.words import (
    clock,
    doing,
    duration,
    outcome_word,
    percent,
    rate,
    time_left,
)
from station.live import SlotState, SlotView

_STATES = {
    SlotState.EMPTY: "no module here",
    SlotState.NO_USB: "a module is expected here and does not show itself on USB",
    SlotState.SETTLING: "a module just came; it must stay for a moment",
    SlotState.WAITING: "a module is here and waits",
    SlotState.PROBING: "was here when the engine started; being asked who it is",
    SlotState.STANDING: "was here before the line; not flashed by itself",
    SlotState.IDENTIFYING: "being asked who it is",
    SlotState.PLANNED: "attempt recorded, about to start",
    SlotState.FLASHING: "being flashed",
    SlotState.VERIFYING: "being checked",
    SlotState.DONE: "done, the module is in the slot",
    SlotState.AWAY: "did not come back from its reset",
    SlotState.RETURNING: "something came back; being asked who it is",
    SlotState.PULLED: "pulled out in the middle",
    SlotState.HELD: "kept out of the line",
    SlotState.DISABLED: "disabled: its place in the USB tree is in doubt",
}

_CALM = (Kind.RUN, Kind.WAIT, Kind.OFF)


def title(
    palette: Palette,
    slot: str,
    view: SlotView | None,
    columns: int,
    rows: int,
    *,
    margin: bool = False,
) -> Text:
    """Slot and verdict, in letters to be read from a few steps away. None: nothing is known.

    `margin`: with a row of the ground above and below.
    """
    if view is None:
        return banner(palette, f"{slot} ?", palette.dead, columns, rows, margin=margin)
    shown = face(view)
    style = palette.body[shown.kind] + Style(bold=True)
    told = f"{shown.shape} {shown.word}"
    if shown.kind is Kind.RUN:  # its shape moves, the number does too
        done = percent(view.done_bytes, view.total_bytes)
        told = f"{shown.word} {done}%" if view.total_bytes > 0 else shown.word
    return banner(palette, f"{slot} {told}", style, columns, rows, margin=margin)


def facts(palette: Palette, view: SlotView, now_utc_us: int, columns: int) -> Text:
    """State, unit, firmware, recipe, failure. `now_utc_us` is the engine's clock."""
    pairs = [
        ("IMEI", view.imei or "-"),
        ("serial", view.serial),
        ("chip", view.chip_serial),
        ("model", view.model),
        ("SKU", view.sku),
        ("firmware", _firmware(view)),
        ("recipe", view.recipe),
        ("makes", view.version),
        ("attempt", view.attempt_id),
        ("USB", " ".join(filter(None, (view.port_path, view.usb_id)))),
    ]
    return joined(
        _doing(palette, view, now_utc_us, columns),
        fields(palette, pairs, columns),
        _earlier(palette, view, columns),
        _failure(palette, view, columns),
    )


def steps(palette: Palette, view: SlotView, columns: int, rows: int) -> Text:
    """The steps so far, the newest when not all have room."""
    if not view.steps:
        return Text(palette.text(" no steps yet"), palette.dim)
    newest = view.steps[-rows:] if rows > 0 else view.steps
    shown = [StepRow(s.name, s.outcome, s.duration_us, s.detail) for s in newest]
    return step_rows(palette, shown, columns)


def _doing(palette: Palette, view: SlotView, now_utc_us: int, columns: int) -> Text:
    parts = [_STATES[view.state]]
    if is_pulled_out(view):
        left = time_left(view.put_back_until_utc_us, now_utc_us)
        parts = [f"left slot {view.slot}", "put it back if it was pulled out", left]
    elif view.state.is_busy:
        if view.attempt > 1:
            parts.append(f"trying again, attempt {view.attempt} of {view.attempts}")
        if view.step:
            parts.append(_doing_in(view.step))
        if view.total_bytes > 0:
            done = percent(view.done_bytes, view.total_bytes)
            parts.append(f"{done} %  {rate(view.bytes_per_s)}".rstrip())
        parts.append(duration(now_utc_us - (view.began_utc_us or view.since_utc_us)))
    elif view.ended_utc_us:
        parts.append(f"ended {clock(view.ended_utc_us)}")
        if view.began_utc_us:
            parts.append(f"took {duration(view.ended_utc_us - view.began_utc_us)}")
    else:
        parts.append(f"since {clock(view.since_utc_us)}")
    return paragraph(palette, "  ·  ".join(parts), columns, palette.screen + Style(bold=True))


def _doing_in(step: str) -> str:
    """writing (program): the words of the tile, and the name of the record."""
    words = doing(step)
    return words if words == step else f"{words} ({step})"


def _firmware(view: SlotView) -> str | None:
    """What it runs now and ran before; while it is flashed, what it will run."""
    if view.outcome is None:
        now, then = view.firmware, view.version
    else:
        now, then = view.firmware_before, view.firmware
    if now and then and now != then:
        return f"{now} → {then}"
    return then or now if view.outcome is not None else now


def _earlier(palette: Palette, view: SlotView, columns: int) -> Text:
    earlier = view.earlier
    if earlier is None:
        return Text()
    told = "given before this engine started:" if is_from_before(view) else "this unit had"
    text = f"{told} {outcome_word(earlier.outcome)} {day_and_clock(earlier.ended_utc_us)}"
    text += f" in slot {earlier.slot}" + (f" with {earlier.firmware}" if earlier.firmware else "")
    return paragraph(palette, text, columns, ink(palette, Kind.WARN))


def _failure(palette: Palette, view: SlotView, columns: int) -> Text:
    failure = view.failure
    if failure is None:
        return Text()
    kind = face(view).kind
    return trouble(palette, failure, Kind.WARN if kind in _CALM else kind, columns)
