"""What a station that was started again owes a module with which nothing is the matter.

It comes to a good end, wherever the dead station left it: the chip serial is committed before the
first erase, and one in EDL that is on record is taken up again (`station.engine.resume`). Only one
that was switched to EDL, whose chip serial was not committed yet, is a stranger there: it is left
as it was, BLOCKED, until a person names slot and recipe. It is whole, because without that commit
nothing was erased.
"""

import sqlite3
from dataclasses import dataclass

from station.errors import UnknownInEdl
from station.model import AttemptRecord, Outcome
from station.sim.module import SimModule
from tests.faults.bench import Bench
from tests.holding import Broken, hold

IN_EDL = ("sahara", "firehose")


@dataclass(frozen=True, slots=True)
class Left:
    """How the dead station left a module."""

    committed: bool
    """Its chip serial is on record."""
    in_edl: bool


def left(bench: Bench, module: SimModule) -> Left:
    wanted = "SELECT count(*) FROM unit_identifier WHERE kind = 'chip' AND value = ?"
    with sqlite3.connect(f"file:{bench.database}?mode=ro", uri=True) as connection:
        [found] = connection.execute(wanted, [module.identity.chip_serial]).fetchone()
    return Left(found > 0, module.mode in IN_EDL)


def check(where: str, module: SimModule, left: Left, last: AttemptRecord, flash: str) -> bool:
    """Whether a person must name it, which only a stranger in EDL may ask for. Raises Broken."""
    closed = last.closed
    if closed is None:
        raise Broken(f"{where}: no outcome")
    if not left.committed and (left.in_edl or not closed.outcome.is_good):
        code = closed.failure and closed.failure.code
        hold((closed.outcome, code) == (Outcome.BLOCKED, UnknownInEdl.code),
              f"{where}: a stranger in EDL got {closed}")  # fmt: skip
        hold(flash == "old", f"{where}: a stranger in EDL, and its flash is {flash}")
        hold(module.mode in IN_EDL, f"{where}: a stranger in EDL, which is in {module.mode}")
        return True
    hold(closed.outcome.is_good, f"{where}: nothing is the matter with it, and it got {closed}")
    return False
