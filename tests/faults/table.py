"""The promise: each mishap at each step, and what comes of it; and what comes of those that take a
cycle of the power where nobody can switch it.

`python -m tests.faults --table` writes both as they are; `table.txt` and `table_no_power.txt` are
what they shall be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from station.flash.ladder import Rung
from station.model import AttemptRecord, Mode, StepOutcome, StepRecord
from station.sim.backend import SimBackend
from station.sim.faults import FAULTS, Traits
from station.sim.mishap import Cure, Mishap, What
from station.sim.module import SimModule
from tests.faults.bench import STEPS_STRUCK, Bench, in_mock_time, is_calibrated

TABLE = Path(__file__).with_name("table.txt")
NO_POWER = Path(__file__).with_name("table_no_power.txt")
FOR_EVER = 1_000_000

STEPS_IN_TABLE = (
    *STEPS_STRUCK[: STEPS_STRUCK.index("erase")],
    "dump",
    *STEPS_STRUCK[STEPS_STRUCK.index("erase") :],
    "give_back",
)
"""Each that an attempt can have. A dump takes too long for a campaign, and nothing is given back
unless something else was the matter before."""

NOT_WRITTEN = FAULTS["wrong-geometry"].traits
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
    """What came of one mishap: `flash` is old, new or partly, `rungs` those that were taken, in
    brackets if they did not help."""

    mishap: Mishap
    outcome: str
    code: str
    flash: str
    mode: str
    rungs: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.mishap.name

    def cells(self) -> tuple[str, ...]:
        by = ", ".join(self.rungs) or "-"
        return (self.key, self.outcome, self.code, self.flash, self.mode, by)


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
    assert record.closed is not None
    failure = record.closed.failure
    return Row(
        mishap,
        record.closed.outcome.value,
        failure.code if failure else "-",
        flash,
        _mode(mishap, record.closed.final_mode),
        tuple(_rungs(mishap, record)),
    )


def _rungs(mishap: Mishap, record: AttemptRecord) -> Iterator[str]:
    """One that comes and goes for ever has its port reset if it is there by chance."""
    for step in record.steps:
        by_chance = _flaps(mishap) and step.detail.get("rung") == Rung.USB_RESET.value
        if step.name == "recover" and not by_chance:
            yield _rung(step)


def _rung(step: StepRecord) -> str:
    rung = str(step.detail["rung"])
    return rung if step.outcome is StepOutcome.OK else f"[{rung}]"


def _mode(mishap: Mishap, mode: Mode) -> str:
    """One that comes and goes for ever is seen by chance."""
    return "flaps" if _flaps(mishap) else mode.value


def _flaps(mishap: Mishap) -> bool:
    return mishap.times == FOR_EVER and mishap.what in (What.DIPS, What.CONTACT)


def backup_for(step: str) -> tuple[str, ...]:
    """What the recipe asks for where this step is struck."""
    return ("dump",) if step == "dump" else ("module",)


def run_table(bench: Bench, chosen: list[Mishap]) -> list[Row]:
    """One tray after another; every module of a tray has a mishap of its own."""
    rows: list[Row] = []
    names = [slot.name for slot in bench.settings.slots]
    for start in range(0, len(chosen), len(names)):
        some = dict(zip(names, chosen[start : start + len(names)], strict=False))
        modules = {name: _module(bench, mishap) for name, mishap in some.items()}
        records = _flash(bench, modules)
        assert all(map(is_calibrated, modules.values())), some
        rows += [row_of(some[n], records[n], bench.flash_of(modules[n])) for n in some]
    return rows


def _module(bench: Bench, mishap: Mishap) -> SimModule:
    return bench.module(mishap, NOT_WRITTEN if mishap.step == "give_back" else Traits())


def _flash(bench: Bench, modules: dict[str, SimModule]) -> dict[str, AttemptRecord]:
    async def work() -> dict[str, AttemptRecord]:
        ports = bench.plug(modules)
        tally = await bench.flash(SimBackend(tuple(ports.values())), *modules)
        return {record.opened.slot: record for record in tally.records}

    return in_mock_time(work)


def text_of(rows: list[Row]) -> str:
    """As columns."""
    lines = [_HEAD, *(row.cells() for row in rows)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, _WIDTHS, strict=True)).rstrip()
        + "\n"
        for line in lines
    )
