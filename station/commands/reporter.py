"""How a running tray is told: JSON lines or a table on stdout, progress and words on stderr."""

import io
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Column, Table
from rich.text import Text

from station.commands.exits import put, say, show
from station.model import (
    AttemptEnded,
    AttemptRecord,
    Event,
    Failure,
    Notice,
    PutBack,
    Slot,
    SlotFailed,
    StepStarted,
)
from station.model import Progress as Moved
from station.wire import attempt_line

STYLES = {"PASS": "bold green", "NO_CHANGE": "green", "BLOCKED": "bold yellow"}
BAD = "bold red"


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
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=24),
            TransferSpeedColumn(table_column=Column(min_width=10, justify="right")),
            TextColumn("{task.fields[say]}", markup=False, table_column=Column(no_wrap=True)),
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
                self._step_line(slot, step)
            case Moved(slot, step, done, total):
                self._move(slot, step, done, total)
            case Notice():
                pass  # the module's own log lines: in the failure's cause when they matter
            case PutBack(slot, until_s):
                if until_s is not None:
                    self._step_line(
                        slot,
                        f"PUT BACK: it left; put it back into slot {slot} if it was pulled out",
                    )
            case SlotFailed(slot, failure):
                words = f"{failure.code}: {failure.cause} -> {failure.remedy}"
                self._end_line(slot, "NOT SAVED", words)
            case AttemptEnded(slot, record, again):
                if self.json:
                    self.heard &= put(attempt_line(record) + "\n")
                self._end_line(slot, *verdict(record))
                if again is not None:
                    self._step_line(slot, f"TRYING AGAIN, attempt {again}")

    def _move(self, slot: str, step: str, done: int, total: int) -> None:
        if self._bars is not None:
            self._bars.update(self._bar_of[slot], completed=done, total=total, say=step)

    def _step_line(self, slot: str, step: str) -> None:
        if self._bars is None:
            say(f"{slot}: {step}")
        else:
            self._bars.reset(self._bar_of[slot], total=None, say=step)

    def _end_line(self, slot: str, headline: str, words: str) -> None:
        """The headline beside the bar; cause and remedy need a line of their own."""
        if self._bars is None:
            say(f"{slot}: {headline} {words}".rstrip())
            return
        if words:
            self._bars.console.print(Text(f"{slot}: {headline} {words}"))
        self._bars.update(self._bar_of[slot], say=headline, completed=1, total=1)


def verdict(record: AttemptRecord) -> tuple[str, str]:
    """`FAIL NO RETURN`, and `(D206): cause -> remedy` if there is something to say."""
    if record.closed is None:
        return "OPEN", ""
    failure, outcome = record.closed.failure, record.closed.outcome.value
    if failure is None:
        return outcome, ""
    headline = outcome if failure.headline == outcome else f"{outcome} {failure.headline}"
    return headline, f"({failure.code}): {failure.cause} -> {failure.remedy}"


# --- tables -----------------------------------------------------------------------------------


def print_results(
    slots: tuple[Slot, ...], records: list[AttemptRecord], lost: dict[str, Failure]
) -> None:
    """The tray as a person reads it, slot by slot: what came of each module in the end."""
    last = {record.opened.slot: record for record in records}
    table = _table("slot")
    for slot in slots:
        if slot.name in last:
            table.add_row(Text(slot.name), *_cells(last[slot.name]))
    for name, failure in lost.items():
        table.add_row(Text(name), Text(f"NOT SAVED\n{failure.code}", BAD))
    print_table(table)


def print_history(records: list[AttemptRecord], *, with_station: bool = False) -> None:
    """Attempts as an auditor reads them: when and by which recipe, too; slots of many stations as
    `station/slot`."""
    table = _table("started (UTC)", "slot", "recipe")
    for record in records:
        opened = record.opened
        recipe = "-" if opened.recipe is None else f"{opened.recipe.name} {opened.recipe.revision}"
        slot = f"{opened.station}/{opened.slot}" if with_station else opened.slot
        table.add_row(
            Text(moment(opened.started_utc_us)), Text(slot), Text(recipe), *_cells(record)
        )
    print_table(table)


def moment(utc_us: int) -> str:
    """2026-11-20 09:42:31, UTC."""
    return f"{datetime.fromtimestamp(utc_us / 1e6, UTC):%Y-%m-%d %H:%M:%S}"


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
        return Text("OPEN", BAD), *names, Text("-"), Text("-")
    word = closed.outcome.value
    if closed.failure is not None:
        word += f"\n{closed.failure.headline} {closed.failure.code}"
    if record.again is not None:
        word += f"\nattempt {record.again.detail['attempt']}"
    return (
        Text(word, STYLES.get(closed.outcome.value, BAD)),
        *names,
        Text(closed.firmware_after or "-"),
        Text(f"{closed.duration_us / 1e6:.1f}"),
    )


def print_table(table: Table) -> None:
    """Coloured on a terminal; wide where nobody's window is in the way."""
    is_terminal = sys.stdout.isatty()
    console = Console(
        file=io.StringIO(), force_terminal=is_terminal, width=None if is_terminal else 200
    )
    console.print(table)
    show(console.file.getvalue() if isinstance(console.file, io.StringIO) else "")
