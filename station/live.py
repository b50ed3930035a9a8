"""The nouns of the running line: what a screen is told. Frozen values, no I/O.

Everything here is for eyes. A screen draws a `SlotView` as it is and keeps nothing of its own;
records are made elsewhere and never from these.
"""

from dataclasses import dataclass
from enum import Enum

from station.model import Failure, Outcome, StepOutcome


class SlotState(Enum):
    """Where a slot is in its life; `station.engine.life` says what leads from one to another."""

    EMPTY = "empty"
    NO_USB = "no_usb"
    """A module is expected here and does not show itself on USB."""
    SETTLING = "settling"
    """A module just appeared; it must stay for a moment."""
    WAITING = "waiting"
    """A module is here and the line is not armed."""
    PROBING = "probing"
    """It was here when the engine started and is asked who it is, reading only."""
    STANDING = "standing"
    """It was here before the line and is not flashed by itself."""
    IDENTIFYING = "identifying"
    PLANNED = "planned"
    """Its attempt is committed; the next thing sent changes its mode."""
    FLASHING = "flashing"
    VERIFYING = "verifying"
    DONE = "done"
    """A verdict stands and the module is in the slot."""
    AWAY = "away"
    """A verdict stands; the module did not come back from a reset."""
    RETURNING = "returning"
    """Something came back after AWAY and is asked who it is, reading only."""
    PULLED = "pulled"
    """A verdict stands; the module was pulled out in the middle."""
    HELD = "held"
    """An engineer keeps this slot out of the line."""
    DISABLED = "disabled"
    """The engine does not trust that it knows where this slot is; its failure says why."""

    @property
    def is_busy(self) -> bool:
        """An attempt is running."""
        return self in BUSY


BUSY = frozenset(
    {SlotState.IDENTIFYING, SlotState.PLANNED, SlotState.FLASHING, SlotState.VERIFYING}
)


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of the attempt that is shown; `outcome` and `duration_us` are None while it runs."""

    name: str
    outcome: StepOutcome | None = None
    duration_us: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A verdict that a unit got before."""

    outcome: Outcome
    slot: str
    ended_utc_us: int
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class SlotView:
    """All that a tile and the detail of a slot show."""

    slot: str
    state: SlotState
    since_utc_us: int
    """When this state began."""
    port_path: str | None = None
    usb_id: str | None = None
    imei: str | None = None
    serial: str | None = None
    chip_serial: str | None = None
    model: str | None = None
    sku: str | None = None
    firmware_before: str | None = None
    """The build the module reported when the attempt began."""
    firmware: str | None = None
    """The build the module reports: before, until the verdict; after, from then on."""
    recipe: str | None = None
    version: str | None = None
    """The version that the recipe makes."""
    attempt_id: str | None = None
    attempt: int = 1
    """More than 1: what is in the slot failed before and is tried again."""
    attempts: int = 1
    """So many at most."""
    began_utc_us: int | None = None
    ended_utc_us: int | None = None
    step: str | None = None
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: int = 0
    put_back_until_utc_us: int | None = None
    """The module left the work, by a hand maybe; put back until then, it goes on."""
    steps: tuple[StepView, ...] = ()
    outcome: Outcome | None = None
    failure: Failure | None = None
    """Why the outcome is not good, or what to do about a state such as NO USB."""
    earlier: Earlier | None = None
    """The unit had this verdict before: ALREADY PASS, or the one that still stands."""


@dataclass(frozen=True, slots=True)
class RecipeView:
    """A recipe as the operator confirms it."""

    name: str
    revision: int
    sha256: str
    sku: tuple[str, ...]
    version: str
    package: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about the line that a person must know; slots have their own failures."""

    code: str
    headline: str
    cause: str
    remedy: str
    since_utc_us: int


class LineState(Enum):
    DISARMED = "disarmed"
    ARMING = "arming"
    """The packages of the chosen recipes are being checked."""
    ARMED = "armed"
    STOPPING = "stopping"
    """Running modules are finished, then the engine ends."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Units since the line was armed, as the record has them.

    `good`: latest verdict PASS or NO_CHANGE. `first`: judged (PASS or FAIL) at a package for the
    first time ever; `first_pass`: of these, PASS. First-pass yield is `first_pass / first`, as
    `station.store.yields` defines it: refusals, aborts, interruptions, the station's own errors
    and golden units are not in it.
    """

    good: int = 0
    first: int = 0
    first_pass: int = 0


@dataclass(frozen=True, slots=True)
class ShiftView:
    """Whose shift it is; `role` where the station knows the person. `waits_for_golden`: nothing
    else is flashed until a golden unit has passed."""

    operator: str
    since_utc_us: int
    role: str | None = None
    waits_for_golden: bool = False


@dataclass(frozen=True, slots=True)
class LineView:
    """All that the header shows. `operator` is who armed the line last, or works at it since; None
    once their shift has ended."""

    state: LineState
    operator: str | None = None
    recipes: tuple[RecipeView, ...] = ()
    label: str | None = None
    target: int | None = None
    counts: Counts = Counts()
    expected: int = 0
    """How many modules a full tray has; 0 when nobody said."""
    alarms: tuple[Alarm, ...] = ()
    lot: str | None = None
    shift: ShiftView | None = None
    campaign: str | None = None
    """Of this name: it alone chooses what is started; a person arms and disarms nothing."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the event log; `good` is None for what is neither good nor bad."""

    utc_us: int
    text: str
    slot: str | None = None
    good: bool | None = None
