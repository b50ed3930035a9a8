"""How a running tray is told: JSON lines or a table on stdout, progress and words on stderr."""

import io
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from station.commands.exits import put, say, show
from station.model import (
    AttemptEnded,
    AttemptRecord,
    Event,
    Failure,
    Notice,
    Slot,
    SlotFailed,
    StepStarted,
)
from station.model import Progress as Moved
from station.wire import attempt_line

_STYLE = {"PASS": "bold green", "NO_CHANGE": "green", "BLOCKED": "bold yellow"}
_BAD = "bold red"


@dataclass(slots=True)
class Reporter:
    """Takes the engine's events. Live bars where a person looks, plain lines elsewhere."""

    json: bool
    heard: bool = True
    """Every JSON line so far was taken by whoever reads stdout."""
    _bars: Progress | None = None
    _bar_of: dict[str, TaskID] = field(default_factory=dict)

    def start(self, slots: tuple[Slot, ...]) -> None:
        console = Console(stderr=True)
        if not console.is_terminal:
            return
        self._bars = Progress(
            TextColumn("{task.description:>6}", markup=False),
            BarColumn(bar_width=24),
            TransferSpeedColumn(),
            TextColumn("{task.fields[say]}", markup=False),
            console=console,
        )
        self._bars.start()
        for slot in slots:
            self._bar_of[slot.name] = self._bars.add_task(slot.name, total=None, say="waiting")

    def stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def tell(self, event: Event) -> None:
        match event:
            case StepStarted(slot, step):
                self._line(slot, step, done=0)
            case Moved(slot, step, done, total):
                self._move(slot, step, done, total)
            case Notice():
                pass  # the module's own log lines: in the failure's cause when they matter
            case SlotFailed(slot, failure):
                self._line(slot, f"NOT SAVED {failure.code}: {failure.cause} -> {failure.remedy}")
            case AttemptEnded(slot, record):
                if self.json:
                    self.heard &= put(attempt_line(record) + "\n")
                self._line(slot, verdict(record), done=1)

    def _move(self, slot: str, step: str, done: int, total: int) -> None:
        if self._bars is not None:
            self._bars.update(self._bar_of[slot], completed=done, total=total, say=step)

    def _line(self, slot: str, text: str, *, done: int | None = None) -> None:
        """A new line for this slot; `done` of 0 restarts its bar, 1 fills it."""
        if self._bars is not None:
            total = None if done is None else 1
            self._bars.update(self._bar_of[slot], say=text, completed=done, total=total)
        else:
            say(f"{slot}: {text}")


def verdict(record: AttemptRecord) -> str:
    """`PASS` or `FAIL NO RETURN (D206): cause -> remedy`, in one line."""
    if record.closed is None:
        return "OPEN"
    failure, outcome = record.closed.failure, record.closed.outcome.value
    if failure is None:
        return outcome
    words = f"({failure.code}): {failure.cause} -> {failure.remedy}"
    return (
        f"{outcome} {words}"
        if failure.headline == outcome
        else (f"{outcome} {failure.headline} {words}")
    )


# --- tables -----------------------------------------------------------------------------------


def print_results(records: list[AttemptRecord], lost: dict[str, Failure]) -> None:
    """The tray as a person reads it."""
    table = _table("slot")
    for record in sorted(records, key=lambda record: record.opened.started_utc_us):
        table.add_row(Text(record.opened.slot), *_cells(record))
    for slot, failure in lost.items():
        table.add_row(Text(slot), Text(f"NOT SAVED\n{failure.code}", _BAD))
    _print(table)


def print_history(records: list[AttemptRecord]) -> None:
    """Attempts as an auditor reads them: when and by which recipe, too."""
    table = _table("started (UTC)", "slot", "recipe")
    for record in records:
        opened = record.opened
        started = datetime.fromtimestamp(opened.started_utc_us / 1e6, UTC)
        recipe = "-" if opened.recipe is None else f"{opened.recipe.name} {opened.recipe.revision}"
        table.add_row(
            Text(f"{started:%Y-%m-%d %H:%M:%S}"), Text(opened.slot), Text(recipe), *_cells(record)
        )
    _print(table)


def _table(*first: str) -> Table:
    table = Table(*first, "verdict")
    for name in ("IMEI", "serial"):
        table.add_column(name, no_wrap=True)
    for name in ("before", "after"):
        table.add_column(name, overflow="fold")
    table.add_column("s", justify="right", no_wrap=True)
    return table


def _cells(record: AttemptRecord) -> tuple[Text, ...]:
    """Text, not markup: what a module says of itself is only ever shown."""
    opened, closed = record.opened, record.closed
    unit = opened.unit if closed is None else closed.unit
    before = Text(opened.unit.firmware or "-")
    names = (Text(unit.imei or "-"), Text(unit.serial or "-"), before)
    if closed is None:
        return Text("OPEN", _BAD), *names, Text("-"), Text("-")
    word = closed.outcome.value
    if closed.failure is not None:
        word += f"\n{closed.failure.headline} {closed.failure.code}"
    return (
        Text(word, _STYLE.get(closed.outcome.value, _BAD)),
        *names,
        Text(closed.firmware_after or "-"),
        Text(f"{closed.duration_us / 1e6:.1f}"),
    )


def _print(table: Table) -> None:
    """Coloured on a terminal; wide where nobody's window is in the way."""
    is_terminal = sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=is_terminal, width=None if is_terminal else 160
    )
    console.print(table)
    show(console.file.getvalue() if isinstance(console.file, io.StringIO) else "")
