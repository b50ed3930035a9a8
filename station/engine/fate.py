"""Shared fate: failures that say more about a hub, a slot or the line than about the units.

    HubWatch    modules of one hub that are lost at once: the hub failed, not the units
    Streak      failures in a row in one slot: the slot is bad
    Breaker     too few good units of the last ones: stop, before more are spoiled

Pure; times are seconds of any one clock.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from station.engine.views import same_unit
from station.errors import HubFailed, IdentityClash, Quarantined, UsageError
from station.model import Outcome, PortPath, Unit

TOGETHER_S = 0.5
"""Losses within this time have one cause; one hand pulls no two modules so fast."""

DARK_S = 2.0
"""A hub whose modules stay away for so long has failed, whatever comes of their attempts."""

FRESH_S = 3.0
"""A module that was lost with its hub and is back: what fails within this time is the hub's."""

LEAST_CUT_OFF = 2
"""One module that is lost has been pulled out."""


# --- hubs -------------------------------------------------------------------------------------


@dataclass(slots=True)
class HubFailure:
    """`slots` were cut off in the middle of an attempt, `missing` of them have shown no device
    since. `absent` are slots that had none at that moment, in a reset maybe, and since."""

    hub: PortPath
    slots: tuple[str, ...]
    at_s: float
    latest_s: float
    missing: frozenset[str]
    absent: frozenset[str]
    is_due: bool = False
    """An attempt failed by it, or its slots stay dark: people are told."""
    is_told: bool = False
    is_lifted: bool = False

    @property
    def cause(self) -> str:
        return f"the hub at {self.hub} failed: {', '.join(self.slots)} were lost at once"


@dataclass(slots=True)
class HubWatch:
    """`places`: the ports of each slot. `losses`: so many at once are needed on a hub, or all of
    its modules where there are fewer.

    Three by default: an operator has two hands. Where a hub has only two modules, both lost in
    the same moment are taken for the hub's failure: to run two units once more costs minutes, to
    scrap two good ones costs two units.
    """

    places: Mapping[str, Collection[PortPath]]
    losses: int = 3
    _slots_of: Mapping[PortPath, frozenset[str]] = field(init=False)
    _lost_s: dict[str, float] = field(default_factory=dict)
    _cut_off: set[str] = field(default_factory=set)
    """The slots whose latest loss was in the middle of an attempt."""
    _failures: list[HubFailure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._slots_of = _hubs(self.places)

    def look(self, present: Collection[str], lost: Mapping[str, bool], now_s: float) -> None:
        """After each scan: the slots that show a device, and those whose device left since the
        last one. `lost` True: in the middle of an attempt; False: nobody's attempt was cut off.
        Those that leave because they were told to are in neither.
        """
        here = frozenset(present)
        for slot, cut_off in lost.items():
            self._lost_s[slot] = now_s
            (self._cut_off.add if cut_off else self._cut_off.discard)(slot)
        if any(lost.values()):
            for hub, slots in self._slots_of.items():
                self._look_at(hub, slots, here, now_s)
        for failure in self._failures:
            failure.missing -= here
            failure.absent -= here
        self._failures = [f for f in self._failures if not _is_history(f, now_s)]

    def _look_at(
        self, hub: PortPath, slots: frozenset[str], here: frozenset[str], now_s: float
    ) -> None:
        recent = {slot for slot in slots if self._is_recent(slot, now_s)}
        cut_off = recent & self._cut_off
        going_on = next((f for f in self._failures if _goes_on(f, hub, now_s)), None)
        if going_on is not None:
            more = cut_off - set(going_on.slots)
            if more:
                going_on.slots = self._in_order({*going_on.slots, *more})
                going_on.missing |= more
                going_on.latest_s = now_s
            return
        occupied = recent | (slots & here)
        if len(cut_off) < LEAST_CUT_OFF or len(recent) < min(self.losses, len(occupied)):
            return
        self._failures.append(
            HubFailure(
                hub=hub,
                slots=self._in_order(cut_off),
                at_s=min(self._lost_s[slot] for slot in cut_off),
                latest_s=now_s,
                missing=frozenset(cut_off),
                absent=slots - here - recent,
            )
        )

    def failure_of(self, slot: str, since_s: float, now_s: float) -> HubFailure | None:
        """The failure of a hub that ended this slot's attempt, which runs since then and fails;
        people will be told of it."""
        failure = self._failure_of(slot, since_s, now_s)
        if failure is not None:
            failure.is_due = True
        return failure

    def has_failed(self, slot: str, since_s: float, now_s: float) -> bool:
        """The same as a question, while the attempt may yet be saved."""
        return self._failure_of(slot, since_s, now_s) is not None

    def _failure_of(self, slot: str, since_s: float, now_s: float) -> HubFailure | None:
        for failure in self._failures:
            if failure.at_s < since_s:
                continue
            is_fresh = now_s - failure.latest_s <= FRESH_S
            if (slot in failure.slots and (is_fresh or slot in failure.missing)) or (
                slot in failure.absent
            ):
                return failure
        return None

    def news(self, now_s: float) -> list[HubFailure]:
        """The failures that people are to be told of now, each once."""
        for failure in self._failures:
            if failure.missing == set(failure.slots) and now_s - failure.at_s >= DARK_S:
                failure.is_due = True
        fresh = [f for f in self._failures if f.is_due and not f.is_told]
        for failure in fresh:
            failure.is_told = True
        return fresh

    @property
    def standing(self) -> list[HubFailure]:
        """Those that people know of and that last: not all modules are back, nobody lifted them."""
        return [f for f in self._failures if f.is_told and f.missing and not f.is_lifted]

    def lift(self) -> None:
        """An engineer has seen to what stands."""
        for failure in self.standing:
            failure.is_lifted = True

    def _is_recent(self, slot: str, now_s: float) -> bool:
        return slot in self._lost_s and now_s - self._lost_s[slot] <= TOGETHER_S

    def _in_order(self, slots: Collection[str]) -> tuple[str, ...]:
        return tuple(slot for slot in self.places if slot in slots)


def _hubs(places: Mapping[str, Collection[PortPath]]) -> dict[PortPath, frozenset[str]]:
    """The slots below each hub. A USB 3 hub is two hubs with the same slots: the lower bus names
    it. The ports of a controller are those of a hub, too."""
    below: dict[PortPath, set[str]] = {}
    for slot, ports in places.items():
        for port in ports:
            below.setdefault(replace(port, chain=port.chain[:-1]), set()).add(slot)
    named: dict[PortPath, frozenset[str]] = {}
    for hub in sorted(below):
        slots = frozenset(below[hub])
        if slots not in named.values():
            named[hub] = slots
    return named


def _goes_on(failure: HubFailure, hub: PortPath, now_s: float) -> bool:
    return failure.hub == hub and now_s - failure.latest_s <= TOGETHER_S


def _is_history(failure: HubFailure, now_s: float) -> bool:
    is_over = not failure.missing and now_s - failure.latest_s > FRESH_S
    return is_over and (failure.is_told or not failure.is_due)


# --- slots and the line -----------------------------------------------------------------------


_NOBODYS = (HubFailed.code, IdentityClash.code, Quarantined.code)


def counts_against(outcome: Outcome, code: str | None) -> bool:
    """A failure that a unit, a slot or the line may have caused. Not a hub that failed, a database
    or disk of the station (S5xx), names that clash, a refusal, a person who stopped it."""
    if outcome not in (Outcome.FAIL, Outcome.ERROR) or code is None:
        return False
    return code not in _NOBODYS and not code.startswith("S")


@dataclass(slots=True)
class Streak:
    """Failures in a row in one slot, of different units: a unit that fails again counts once."""

    limit: int
    _units: list[Unit] = field(default_factory=list)

    def note(self, outcome: Outcome, code: str | None, unit: Unit) -> bool:
        """A verdict; True: the slot is to be taken out. What counts for nothing changes nothing."""
        if outcome.is_good:
            self._units.clear()
        elif counts_against(outcome, code) and not _is_among(unit, self._units):
            self._units.append(unit)
        return len(self._units) >= self.limit

    def lift(self) -> None:
        """Begin anew."""
        self._units.clear()


@dataclass(slots=True)
class Breaker:
    """Stops when of the last `window` units, once there are `minimum`, fewer than `yield_percent`
    are good; a unit counts once, by its latest verdict. Of use to whoever works on many units.

        breaker.note(outcome, code, unit)   after each verdict
        breaker.tripped                     why nothing more may be started; None: go on
        breaker.lift(reason, by)            a person takes it upon themselves; begins anew

    PASS is good; what `counts_against` is not; all else is no verdict on the work.
    """

    window: int
    minimum: int
    yield_percent: int
    in_a_row: int | None = None
    """It stops, too, when so many units fail one after the other."""
    tripped: str | None = None
    _last: list[tuple[Unit, str | None]] = field(default_factory=list)
    """Each unit, and the code it failed with."""

    def note(self, outcome: Outcome, code: str | None, unit: Unit) -> None:
        """Count a verdict."""
        is_bad = counts_against(outcome, code)
        if not is_bad and outcome is not Outcome.PASS:
            return
        others = [entry for entry in self._last if not same_unit(entry[0], unit)]
        self._last = [*others, (unit, code if is_bad else None)][-self.window :]
        if self.tripped is None:
            self.tripped = self._why_stop()

    def lift(self, reason: str, by: str) -> None:
        """Go on, counting from zero. Raises UsageError without a reason or a name."""
        if not reason.strip() or not by.strip():
            raise UsageError("a stop is lifted with a reason and a name")
        self.tripped = None
        self._last.clear()

    def _why_stop(self) -> str | None:
        codes = [code for _, code in self._last if code is not None]
        number = len(self._last)
        good = number - len(codes)
        if self.in_a_row is not None and number >= self.in_a_row:
            last = [code for _, code in self._last[-self.in_a_row :]]
            if None not in last:
                return f"{self.in_a_row} units failed in a row, last {last[-1]}"
        if number < self.minimum or good * 100 >= self.yield_percent * number:
            return None
        most = ", ".join(f"{code} x {count}" for code, count in Counter(codes).most_common())
        return (
            f"{good} of the last {number} units are good, {good * 100 // number} % where "
            f"{self.yield_percent} % are wanted: {most}"
        )


def _is_among(unit: Unit, units: Iterable[Unit]) -> bool:
    """Nobody can tell of a unit without a name: it counts as another one."""
    return any(same_unit(known, unit) for known in units)
