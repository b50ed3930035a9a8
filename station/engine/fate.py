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
    since. `absent` are slots that had none at that moment, in a reset maybe, and since; they may
    be below a hub above this one. `known` slots were lost just before, in a failure that people
    had been told of when this one showed that it goes further."""

    hub: PortPath
    slots: tuple[str, ...]
    at_s: float
    latest_s: float
    missing: frozenset[str]
    absent: frozenset[str]
    known: tuple[str, ...] = ()
    is_due: bool = False
    """An attempt failed by it, or its slots stay dark: people are told."""
    is_told: bool = False
    is_lifted: bool = False

    @property
    def cause(self) -> str:
        how = f"followed {', '.join(self.known)}" if self.known else "were lost at once"
        return f"the hub at {self.hub} failed: {', '.join(self.slots)} {how}"


@dataclass(frozen=True, slots=True)
class _Hub:
    """A hub by its own place: the slots on ports of its own, and all that are `below` it."""

    path: PortPath
    own: frozenset[str]
    below: frozenset[str]


@dataclass(slots=True)
class HubWatch:
    """`places`: the ports of each slot. `losses`: so many at once are needed on a hub's own ports;
    or all modules below the hub are lost, on its ports and behind further hubs, two at the least.

    Three by default: an operator has two hands. Where a hub has only two modules, both lost in
    the same moment are taken for the hub's failure: to run two units once more costs minutes, to
    scrap two good ones costs two units.

    A hub takes along all that is below it, so one module that stays, behind whichever hub, is proof
    that those above it stand: as many losses as you like on different hubs are none of the
    controller's. The failure is that of the lowest hub that explains all the losses.
    """

    places: Mapping[str, Collection[PortPath]]
    losses: int = 3
    _hubs: tuple[_Hub, ...] = field(init=False)
    _below: Mapping[PortPath, frozenset[str]] = field(init=False)
    _lost_s: dict[str, float] = field(default_factory=dict)
    _cut_off: set[str] = field(default_factory=set)
    """The slots whose latest loss was in the middle of an attempt."""
    _failures: list[HubFailure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._hubs = _hubs(self.places)
        self._below = {hub.path: hub.below for hub in self._hubs}

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
            self._judge(here, now_s)
        for failure in self._failures:
            failure.missing -= here
            failure.absent -= here
        self._failures = [f for f in self._failures if not _is_history(f, now_s)]

    def _judge(self, here: frozenset[str], now_s: float) -> None:
        """Name the hub of each loss: the one that explains most, of equal ones the lowest."""
        recent = frozenset(slot for slot in self.places if self._is_recent(slot, now_s))
        reaches = {hub: self._reach(hub, here, recent, now_s) for hub in self._hubs}
        explained: set[str] = set()
        for hub in sorted(reaches, key=lambda hub: (-len(reaches[hub] & recent), len(hub.below))):
            lost = reaches[hub] & recent
            if lost <= explained or len(lost & self._cut_off) < LEAST_CUT_OFF:
                continue
            explained |= lost
            # who is in its reset cannot be lost: a hub above may have failed and taken it along
            alike = [reach for reach in reaches.values() if reach & recent == lost]
            absent = frozenset().union(*alike) - here - recent
            self._name(hub, lost & self._cut_off, absent, now_s)

    def _reach(
        self, hub: _Hub, here: frozenset[str], recent: frozenset[str], now_s: float
    ) -> frozenset[str]:
        """The slots whose losses may be this hub's."""
        if hub.below & here <= recent:
            return hub.below
        goes_on = any(_goes_on(f, now_s) and f.hub == hub.path for f in self._failures)
        return hub.own if goes_on or len(hub.own & recent) >= self.losses else frozenset()

    def _name(
        self, hub: _Hub, cut_off: frozenset[str], absent: frozenset[str], now_s: float
    ) -> None:
        """A new failure, or one that goes on, at a hub above maybe. What people know of stays as
        they were told: those who follow are a failure of their own."""
        before = [f for f in self._failures if _goes_on(f, now_s) and hub.below & {*f.slots}]
        more = cut_off.difference(*(f.slots for f in before))
        if not more:
            return
        grown = [f for f in before if not f.is_told]
        told = [f.slots for f in before if f.is_told]
        slots = more.union(*(f.slots for f in grown))
        failure = HubFailure(
            hub=self._widest(hub.path, *(f.hub for f in before)),
            slots=self._in_order(slots),
            at_s=min([self._lost_s[slot] for slot in more] + [f.at_s for f in grown]),
            latest_s=now_s,
            missing=more.union(*(f.missing for f in grown)),
            absent=absent.union(*(f.absent for f in grown)) - slots,
            known=self._in_order(frozenset().union(*told, *(f.known for f in before))),
            is_due=any(f.is_due for f in grown),
        )
        self._failures = [f for f in self._failures if f not in grown] + [failure]

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

    def _widest(self, *hubs: PortPath) -> PortPath:
        return max(hubs, key=lambda hub: len(self._below[hub]))

    def _is_recent(self, slot: str, now_s: float) -> bool:
        return slot in self._lost_s and now_s - self._lost_s[slot] <= TOGETHER_S

    def _in_order(self, slots: Collection[str]) -> tuple[str, ...]:
        return tuple(slot for slot in self.places if slot in slots)


def _hubs(places: Mapping[str, Collection[PortPath]]) -> tuple[_Hub, ...]:
    """Every hub above a slot; the ports of a controller are those of a hub, too. A USB 3 hub is two
    hubs: the lower bus names it, and knows the slots that have a USB 2 port only. Of hubs in a row
    with the same slots the lowest is named."""
    own: dict[PortPath, set[str]] = {}
    below: dict[PortPath, set[str]] = {}
    for slot, ports in places.items():
        for port in ports:
            own.setdefault(_above(port, len(port.chain) - 1), set()).add(slot)
            for depth in range(len(port.chain)):
                below.setdefault(_above(port, depth), set()).add(slot)
    named: list[_Hub] = []
    for path in sorted(below, key=lambda path: (path.bus, -len(path.chain), path.chain)):
        hub = _Hub(path, frozenset(own.get(path, ())), frozenset(below[path]))
        if not any(_is_named_by(hub, other) for other in named):
            named.append(hub)
    return tuple(named)


def _is_named_by(hub: _Hub, other: _Hub) -> bool:
    return hub.below == other.below or (hub.path.bus > other.path.bus and hub.below <= other.below)


def _above(port: PortPath, depth: int) -> PortPath:
    """The hub above a port that is itself so many ports below its controller."""
    return replace(port, chain=port.chain[:depth])


def _goes_on(failure: HubFailure, now_s: float) -> bool:
    return now_s - failure.latest_s <= TOGETHER_S


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
