"""Golden units: known to be good, they try the line. What they get is on record and in no count.

Where the settings ask for it nothing else is flashed in a shift until one of them has passed. One
that does not pass stops the line: what is wrong is the line.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from station.engine.fate import counts_against
from station.errors import GoldenFirst
from station.model import GOLDEN, Outcome, Unit


@dataclass(slots=True)
class Golden:
    """`is_due`: in this shift production waits for a golden unit to pass."""

    is_due: bool = False
    shift_id: str | None = None

    def begin(self, shift_id: str | None, *, is_due: bool) -> None:
        """Another shift, or none; or the same as an engine before left it."""
        self.shift_id, self.is_due = shift_id, is_due

    def judge(self, shift_id: str | None, *, passed: bool, is_wanted: bool) -> None:
        """A golden unit has its verdict, by an attempt that began in this shift: it says nothing
        good of another one."""
        if not passed or shift_id == self.shift_id:
            self.is_due = is_wanted and not passed

    def check(self, unit: Unit, units: Collection[str]) -> None:
        """Raises GoldenFirst for a unit that has to wait. `units`: as `purpose` has them."""
        if self.is_due and purpose(unit, units) is None:
            raise GoldenFirst("in this shift no golden unit has passed yet")

    def is_tried_by(self, unit: Unit, units: Collection[str]) -> bool:
        """Whether this unit has to prove the line: it is written though it has the version."""
        return self.is_due and purpose(unit, units) is not None


def purpose(unit: Unit, units: Collection[str]) -> str | None:
    """Why an attempt on this unit does not count; None: it does. `units`: the IMEIs and serial
    numbers of those that are golden."""
    return GOLDEN if unit.imei in units or unit.serial in units else None


def has_passed(outcome: Outcome, code: str | None) -> bool | None:
    """What a golden unit's verdict says of the line; None: nothing, as where nothing was written.
    A refusal says as much as a failure: it would meet good units, too."""
    if outcome is Outcome.PASS:
        return True
    if outcome is Outcome.BLOCKED or counts_against(outcome, code):
        return False
    return None


def is_proven(outcomes: Iterable[tuple[Outcome, str | None]]) -> bool:
    """The newest verdict that says something is good. `outcomes` with their codes, newest first."""
    said = (has_passed(outcome, code) for outcome, code in outcomes)
    return next((passed for passed in said if passed is not None), False)
