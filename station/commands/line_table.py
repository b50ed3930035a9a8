"""The running line as a person reads it on stdout."""

from rich.table import Table
from rich.text import Text

from station.commands.exits import show
from station.commands.reporter import BAD, STYLES, print_table
from station.engine.feed import plain
from station.live import LineState, LineView, SlotView


def print_status(line: LineView, slots: tuple[SlotView, ...]) -> None:
    """What the line does, what is wrong with it, and each slot in the order of the settings."""
    show(plain(line_words(line)))
    if line.shift is not None and line.state is not LineState.ARMED:
        show(plain(f"on shift: {line.shift.operator}"))
    for alarm in line.alarms:
        show(plain(f"{alarm.code} {alarm.headline}: {alarm.cause} -> {alarm.remedy}"))
    table = Table("slot", "state", "verdict", "code", "unit", "step")
    table.add_column("%", justify="right", no_wrap=True)
    for view in slots:
        verdict = "" if view.outcome is None else view.outcome.value
        table.add_row(
            Text(plain(view.slot)),
            Text(_state(view)),
            Text(verdict, STYLES.get(verdict, BAD)),
            Text("" if view.failure is None else plain(view.failure.code)),
            Text(plain(view.imei or view.serial or view.chip_serial or "")),
            Text(plain(view.step or "")),
            Text(_percent(view)),
        )
    print_table(table)


def _state(view: SlotView) -> str:
    words = view.state.name.replace("_", " ")
    if not view.state.is_busy:
        return words
    if view.put_back_until_utc_us is not None:
        return "PUT BACK"
    again = f", TRYING AGAIN {view.attempt}/{view.attempts}" if view.attempt > 1 else ""
    return f"{words}{again}"


def line_words(line: LineView) -> str:
    """`ARMED by maria: ec25-demo 3 (EC25EFAR06A06M4G); 12/500 good, first pass 11/12`"""
    words = line.state.value.upper()
    if line.operator is None:
        return words
    words += " by" if line.state is LineState.ARMED else ", last armed by"
    recipes = ", ".join(f"{r.name} {r.revision} ({r.version})" for r in line.recipes)
    label = "" if line.label is None else f", SKU {line.label}"
    label += "" if line.lot is None else f", lot {line.lot}"
    target = "" if line.target is None else f"/{line.target}"
    counts = line.counts
    return (
        f"{words} {line.operator}: {recipes}{label}; {counts.good}{target} good, "
        f"first pass {counts.first_pass}/{counts.first}"
    )


def _percent(view: SlotView) -> str:
    return f"{100 * view.done_bytes // view.total_bytes}" if view.total_bytes else ""
