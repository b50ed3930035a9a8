"""The promise: each mishap at each step, and what comes of it; what comes of those that take a
cycle of the power where nobody can switch it; and what comes of a module with a fault of its own,
where the power can be switched and where it cannot.

`python -m tests.faults --table` writes them as they are; `table.txt`, `table_no_power.txt` and
`table_faults.txt` are what they shall be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from station.engine.world import Order
from station.flash.ladder import Rung
from station.model import AttemptRecord, StepOutcome, StepRecord
from station.sim.backend import SimBackend
from station.sim.mishap import Cure, Mishap, What
from station.sim.module import SimModule
from tests.faults.bench import (
    ANYBODY,
    NAMED,
    STEPS_STRUCK,
    Bench,
    in_mock_time,
    is_calibrated,
)
from tests.faults.odd import HEALTHY, ODD, Odd

TABLE = Path(__file__).with_name("table.txt")
NO_POWER = Path(__file__).with_name("table_no_power.txt")
OF_FAULTS = Path(__file__).with_name("table_faults.txt")
FOR_EVER = 1_000_000
BY_ORDER = ", by order"
WITHOUT = ", no power"
"""Where nobody can switch it."""

STEPS_IN_TABLE = (
    *STEPS_STRUCK[: STEPS_STRUCK.index("erase")],
    "dump",
    *STEPS_STRUCK[STEPS_STRUCK.index("erase") :],
    "give_back",
)
"""Each that an attempt can have. A dump takes too long for a campaign, and nothing is given back
unless something else was the matter before."""

NOT_WRITTEN = ODD["wrong-geometry"]
"""Of a module that is given back as it came."""

LONG_STEPS = ("dump", "erase", "program", "verify")
"""Of many transfers: a mishap strikes amid them, too."""

AMID = 6
"""In `program` it is a piece of an image whose last piece is shorter: the module sees that one is
missing."""

_LASTING = (What.HANGS, What.MUTE, What.GARBAGE)
_WIDTHS = (38, 7, 4, 6, 7, 0)
_HEAD = ("mishap", "outcome", "code", "flash", "mode", "what was tried; in brackets: in vain")


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one mishap, or of one fault: `flash` is old, new or partly, `rungs` those that
    were taken, in brackets if they did not help."""

    name: str
    outcome: str
    code: str
    flash: str
    mode: str
    rungs: tuple[str, ...]

    def cells(self) -> tuple[str, ...]:
        by = ", ".join(self.rungs) or "-"
        return (self.name, self.outcome, self.code, self.flash, self.mode, by)


def mishaps(step: str) -> Iterator[Mishap]:
    """Every combination that makes sense: once, until cured, for ever; in a long step once amid it,
    too."""
    for what in What:
        yield Mishap(what, step)
        if what in _LASTING:
            for cure in (Cure.RESET, Cure.POWER):
                yield Mishap(what, step, cure)
        yield Mishap(what, step, Cure.NONE, times=FOR_EVER)
        if step in LONG_STEPS:
            yield Mishap(what, step, after=AMID)


def all_mishaps() -> list[Mishap]:
    return [mishap for step in STEPS_IN_TABLE for mishap in mishaps(step)]


def promised(table: Path = TABLE) -> list[str]:
    """Its lines without the head."""
    return table.read_text().splitlines()[1:]


def need_power(step: str) -> list[Mishap]:
    """Those for which the power is cycled, as the table has it."""
    named = {line.partition("  ")[0] for line in promised() if Rung.POWER.value in line}
    return [mishap for mishap in mishaps(step) if mishap.name in named]


def row_of(mishap: Mishap, record: AttemptRecord, flash: str) -> Row:
    """Of an attempt at whose end the flash is old, new or partly."""
    row = plain_row(mishap.name, record, flash)
    if not _flaps(mishap):
        return row
    rungs = tuple(rung for rung in row.rungs if Rung.USB_RESET.value not in rung)
    return replace(row, mode="flaps", rungs=rungs)


def plain_row(name: str, record: AttemptRecord, flash: str) -> Row:
    """Of one with a fault of its own."""
    assert record.closed is not None
    failure = record.closed.failure
    return Row(
        name,
        record.closed.outcome.value,
        failure.code if failure else "-",
        flash,
        record.closed.final_mode.value,
        tuple(_rung(step) for step in record.steps if step.name == "recover"),
    )


def _rung(step: StepRecord) -> str:
    rung = str(step.detail["rung"])
    return rung if step.outcome is StepOutcome.OK else f"[{rung}]"


def _flaps(mishap: Mishap) -> bool:
    """It comes and goes for ever: it is seen by chance, and has its port reset if it is there."""
    return mishap.times == FOR_EVER and mishap.what in (What.DIPS, What.CONTACT)


def backup_for(step: str) -> tuple[str, ...]:
    """What the recipe asks for where this step is struck."""
    return ("dump",) if step == "dump" else ("module",)


def run_table(bench: Bench, chosen: list[Mishap]) -> list[Row]:
    """Every module of a tray has a mishap of its own."""
    made = [bench.module(mishap, _odd(mishap)) for mishap in chosen]
    return [row_of(mishap, *end) for mishap, end in zip(chosen, _ends(bench, made), strict=True)]


def run_faults(bench: Bench) -> list[Row]:
    """Every module of a tray has a fault of its own. Those in EDL once more, as a person asks who
    knows them."""
    in_edl = [name for name, odd in ODD.items() if odd.starts_in_edl]
    rows = _run_faults(bench, list(ODD), ANYBODY) + _run_faults(bench, in_edl, NAMED, BY_ORDER)
    return rows if bench.has_power else [replace(row, name=row.name + WITHOUT) for row in rows]


def _run_faults(bench: Bench, names: list[str], order: Order, asked: str = "") -> list[Row]:
    made = [bench.module(odd=ODD[name]) for name in names]
    ends = _ends(bench, made, order)
    return [plain_row(name + asked, *end) for name, end in zip(names, ends, strict=True)]


def _odd(mishap: Mishap) -> Odd:
    return NOT_WRITTEN if mishap.step == "give_back" else HEALTHY


def _ends(
    bench: Bench, modules: Sequence[SimModule], order: Order = ANYBODY
) -> Iterator[tuple[AttemptRecord, str]]:
    """The attempt of each, and what its flash is then; one tray after the other."""
    names = [slot.name for slot in bench.settings.slots]
    for start in range(0, len(modules), len(names)):
        tray = dict(zip(names, modules[start : start + len(names)], strict=False))
        records = _flash(bench, tray, order)
        for name, module in tray.items():
            assert is_calibrated(module), records[name]
            yield records[name], bench.flash_of(module)


def _flash(bench: Bench, modules: dict[str, SimModule], order: Order) -> dict[str, AttemptRecord]:
    async def work() -> dict[str, AttemptRecord]:
        ports = bench.plug(modules)
        tally = await bench.flash(SimBackend(tuple(ports.values())), *modules, order=order)
        return {record.opened.slot: record for record in tally.records}

    return in_mock_time(work)


def by_name(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.name)


def text_of(rows: list[Row]) -> str:
    """As columns."""
    lines = [_HEAD, *(row.cells() for row in rows)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, _WIDTHS, strict=True)).rstrip()
        + "\n"
        for line in lines
    )
