"""How a running tray is told: JSON lines or a table on stdout, progress and notices on stderr."""

import sys
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from station.commands.exits import say
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


@dataclass(slots=True)
class Reporter:
    """Takes the engine's events. Live bars where a person looks, plain lines elsewhere."""

    json: bool
    quiet_steps: bool = False
    _bars: Progress | None = None
    _bar_of: dict[str, TaskID] = field(default_factory=dict)

    def start(self, slots: tuple[Slot, ...]) -> None:
        console = Console(stderr=True)
        if not console.is_terminal:
            return
        self._bars = Progress(
            TextColumn("{task.description:>6}"),
            BarColumn(bar_width=24),
            TransferSpeedColumn(),
            TextColumn("{task.fields[say]}"),
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
                pass  # the module's own log lines: in the step's detail when they matter
            case SlotFailed(slot, failure):
                self._line(slot, f"NOT SAVED {failure.code}: {failure.cause}")
            case AttemptEnded(slot, record):
                self._ended(slot, record)

    def _move(self, slot: str, step: str, done: int, total: int) -> None:
        if self._bars is not None:
            self._bars.update(self._bar_of[slot], completed=done, total=total, say=step)

    def _line(self, slot: str, text: str, *, done: int | None = None) -> None:
        """A new line for this slot; `done` of 1 restarts its bar."""
        if self._bars is not None:
            total = None if done is None else 1
            self._bars.update(self._bar_of[slot], say=text, completed=done, total=total)
        else:
            say(f"{slot}: {text}")

    def _ended(self, slot: str, record: AttemptRecord) -> None:
        if self.json:
            sys.stdout.write(attempt_line(record) + "\n")
            sys.stdout.flush()
        self._line(slot, verdict(record), done=1)


def verdict(record: AttemptRecord) -> str:
    """`PASS` or `FAIL NO RETURN (D206): cause -> remedy`, in one line."""
    if record.closed is None:
        return "open"
    failure = record.closed.failure
    outcome = record.closed.outcome.value
    if failure is None:
        return outcome
    return f"{outcome} {failure.headline} ({failure.code}): {failure.cause} -> {failure.remedy}"


def print_results(records: list[AttemptRecord], lost: dict[str, Failure]) -> None:
    """The tray as a person reads it; wide where nobody's window is in the way."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(_results(records, lost))


def _results(records: list[AttemptRecord], lost: dict[str, Failure]) -> Table:
    table = Table("slot", "verdict")
    for name in ("IMEI", "serial"):
        table.add_column(name, no_wrap=True)
    for name in ("before", "after"):
        table.add_column(name, overflow="fold")
    table.add_column("s", justify="right", no_wrap=True)
    for record in sorted(records, key=lambda record: record.opened.started_utc_us):
        closed, unit = record.closed, record.opened.unit
        if closed is None:
            continue
        style = _STYLE.get(closed.outcome.value, "bold red")
        word = closed.outcome.value + (
            "" if closed.failure is None else f"\n{closed.failure.headline} {closed.failure.code}"
        )
        table.add_row(
            record.opened.slot,
            f"[{style}]{word}[/]",
            unit.imei or "-",
            unit.serial or "-",
            unit.firmware or "-",
            closed.firmware_after or "-",
            f"{closed.duration_us / 1e6:.1f}",
        )
    for slot, failure in sorted(lost.items()):
        table.add_row(slot, f"[bold red]NOT SAVED\n{failure.code}[/]", "-", "-", "-", "-", "-")
    return table
