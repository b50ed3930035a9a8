"""What goes wrong once, or for a while: a mishap at one step of a flash, and what ends it.

Faults (`station.sim.faults`) are how a module is; a mishap is what happens to it. The step is
told from the traffic alone, as the module sees it, by the name that the station has for it.
"""

from dataclasses import dataclass
from enum import Enum

from station.sim.port import Face, Leave, Say, Taken

HUNG_S = 1e6
"""Longer than anybody waits."""
DIP_S = 1.5
CONTACT_S = 0.3
CRASH_S = 3.0
GARBAGE = bytes(range(7, 71))

STEPS = (
    "identify",
    "enter_edl",
    "load_programmer",
    "configure",
    "partition_table",
    "erase",
    "program",
    "verify",
    "reset",
    "confirm",
)
"""Of every flash; `backup` and `dump` are some, too, where a recipe asks for them, and `give_back`
where nothing could be written."""


class What(Enum):
    """What happens."""

    HANGS = "hangs"
    """It takes nothing any more."""
    MUTE = "mute"
    """It takes everything, obeys nothing and answers nothing."""
    VANISHES = "vanishes"
    """It leaves the bus and stays away."""
    DIPS = "dips"
    """Its power is gone for a moment: it starts anew, as its flash memory lets it."""
    CONTACT = "contact"
    """Its data lines are: it enumerates anew, and goes on where it was."""
    CRASHES = "crashes"
    """It comes back in memory-dump mode."""
    GARBAGE = "garbage"
    """Its answer is nonsense."""


class Cure(Enum):
    """What ends it, where it does not end by itself. The greater cures what the lesser does."""

    TIME = 0
    """The next transfer finds it well again."""
    RESET = 1
    """A reset of its USB port."""
    POWER = 2
    """Power off and on."""
    NONE = 3


@dataclass(frozen=True, slots=True)
class Mishap:
    """It strikes at `step`, after so many transfers there; `times`: so often in a module's life."""

    what: What
    step: str
    cure: Cure = Cure.TIME
    after: int = 0
    times: int = 1

    @property
    def name(self) -> str:
        """E.g. `hangs at program, until power`, `dips at erase, 3 times, after 2`."""
        until = {Cure.RESET: ", until reset", Cure.POWER: ", until power"}.get(self.cure, "")
        times = ", always" if self.times > 1000 else f", {self.times} times" * (self.times > 1)
        after = f", after {self.after}" * (self.after > 0)
        return f"{self.what.value} at {self.step}{until}{times}{after}"


NONE = Mishap(What.MUTE, "never", times=0)


@dataclass(slots=True)
class Fate:
    """A mishap in a module's life. `struck` counts."""

    mishap: Mishap = NONE
    struck: int = 0
    is_ill: bool = False
    keeps_state: bool = False
    """The enumeration that comes next is the same session."""
    _seen: int = 0

    def is_due(self, step: str) -> bool:
        """Whether it strikes at this transfer."""
        mishap = self.mishap
        if step != mishap.step or self.struck >= mishap.times:
            return False
        self._seen += 1
        if self._seen <= mishap.after:
            return False
        self._seen = 0
        self.struck += 1
        return True

    def strike(self, interface: int, now: Face, boots_as: Face, crashed: Face) -> Taken:
        """What becomes of the transfer at which it strikes."""
        self.is_ill = self.mishap.cure is not Cure.TIME
        match self.mishap.what:
            case What.HANGS:
                return Taken(HUNG_S if self.is_ill else 20.0)
            case What.MUTE:
                return Taken()
            case What.VANISHES:
                return Taken(reactions=(Leave(None),))
            case What.DIPS:
                return Taken(reactions=(Leave(boots_as, absent_s=DIP_S),))
            case What.CONTACT:
                self.keeps_state = True
                return Taken(reactions=(Leave(now, absent_s=CONTACT_S),))
            case What.CRASHES:
                return Taken(reactions=(Leave(crashed, absent_s=CRASH_S),))
            case What.GARBAGE:
                return Taken(reactions=(Say(interface, GARBAGE),))

    def still(self, interface: int) -> Taken | None:
        """What becomes of a transfer while it lasts; None once it is over."""
        if not self.is_ill:
            return None
        match self.mishap.what:
            case What.HANGS:
                return Taken(HUNG_S)
            case What.MUTE:
                return Taken()
            case What.GARBAGE:
                return Taken(reactions=(Say(interface, GARBAGE),))
            case _:
                return None

    def cured_by(self, cure: Cure) -> None:
        """Power off ends everything; what has no cure strikes again."""
        if cure is Cure.POWER:
            self.keeps_state = False
        if cure is Cure.POWER or cure.value >= self.mishap.cure.value:
            self.is_ill = False

    @property
    def stays_dead(self) -> bool:
        """It never comes up again, whatever is done."""
        vanished = self.mishap.what is What.VANISHES and self.struck > 0
        return vanished and self.mishap.cure is Cure.NONE
