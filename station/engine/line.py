"""The running line: all slots, and whether and what they flash."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import trio

from station.config import LoadedRecipe
from station.config.settings import LineSection
from station.engine.feed import Feed
from station.engine.floor import Floor
from station.engine.guard import Guard
from station.engine.health import LOOK_S, Health
from station.engine.life import Input
from station.engine.people import People
from station.engine.place import Place
from station.engine.ports import PortBoard
from station.engine.rollcall import RollCall
from station.engine.shift import Shifts
from station.engine.slot_log import SlotLog
from station.engine.stop import Stop
from station.engine.views import recipe_view
from station.engine.ward import for_ever
from station.engine.world import Order, World
from station.errors import (
    GoldenFirst,
    HubFailed,
    LineStopped,
    NotArmed,
    NotNow,
    StationError,
    Stopping,
    StoreError,
    TrayShort,
    UnmappedPort,
)
from station.live import BUSY, Alarm, Counts, LineState, LineView, ShiftView, SlotState
from station.model import GOLDEN, AttemptRecord, Event, Under

_EMPTY = frozenset({SlotState.EMPTY, SlotState.NO_USB})


@dataclass(frozen=True, slots=True)
class Armed:
    """What a person confirmed. `since_utc_us`: units are counted from here."""

    recipes: tuple[LoadedRecipe, ...]
    operator: str
    since_utc_us: int
    label: str | None = None
    lot: str | None = None
    target: int | None = None
    expect: frozenset[str] | int = 0
    campaign: str | None = None
    """Of this name: modules are started by its order only, under `rules`."""
    rules: LineSection | None = None


@dataclass(slots=True)
class Line:
    """Made before the nursery, run in it. Everything a person asks comes by `station.engine.desk`.

    `world` has no recipes; each arming gives the slots one that has.
    """

    world: World
    board: PortBoard
    feed: Feed
    health: Health
    stop: Stop
    floor: Floor = field(init=False)
    guard: Guard = field(init=False)
    slot_log: SlotLog = field(init=False)
    people: People = field(init=False)
    shifts: Shifts = field(init=False)
    places: Mapping[str, Place] = field(init=False)
    state: LineState = LineState.DISARMED
    armed: Armed | None = None
    _roll: RollCall = field(init=False)
    _alarms: dict[str, Alarm] = field(default_factory=dict)
    _counted: tuple[int, Armed | None] = (0, None)

    def __post_init__(self) -> None:
        settings = self.world.settings
        self.world = replace(self.world, tell=self._hear)
        self.guard = Guard(self.world)
        self.slot_log = SlotLog(self.world.store, settings.station.name, self.world.clock)
        self.people = People(settings.station.name)
        self.shifts = Shifts(self.world)
        self.floor = Floor(self.world, self.feed, self._obstacle(), self._ended, self.slot_log.note)
        self.places = {
            slot.name: Place(self.floor, self.board[slot.name]) for slot in settings.slots
        }
        self._roll = RollCall(self.expected(None))

    # --- state -------------------------------------------------------------------------------

    def expected(self, wish: tuple[str, ...] | int | str | None) -> frozenset[str] | int:
        """Who must be on a full tray; `wish` None: what the settings say."""
        expect = self.world.settings.tray.expect if wish is None else wish
        if expect == "none":
            return 0
        if expect == "all":
            return frozenset(slot.name for slot in self.world.settings.slots)
        return frozenset(expect) if isinstance(expect, tuple) else int(expect)

    def arm(self, armed: Armed) -> None:
        """From now on modules are flashed by these recipes."""
        if self.armed is None or self.armed.since_utc_us != armed.since_utc_us:
            self.feed.show_line(replace(self.feed.line, counts=Counts()))
        self.armed = armed
        self.floor.world = self.world_for(armed)
        self.floor.campaign = armed.campaign
        self.floor.label = armed.label
        self._roll.expect = armed.expect
        self.go(LineState.ARMED)

    def world_for(self, armed: Armed) -> World:
        """What slots are given while the line is armed so."""
        settings = self.world.settings
        if armed.rules is not None:
            settings = replace(settings, line=armed.rules)
        return replace(
            self.world,
            settings=settings,
            recipes=armed.recipes,
            operator=armed.operator,
            under=Under() if armed.campaign else self.shifts.under(armed.lot),
        )

    def shift_changed(self) -> None:
        """What begins from now on is begun in this shift, by whose it is; a campaign stays whose
        it was."""
        shift = self.shifts.now
        if self.armed is not None and shift is not None and self.armed.campaign is None:
            self.armed = replace(self.armed, operator=shift.operator)
            self.floor.world = self.world_for(self.armed)
        self.show()
        self.floor.stir()

    def go(self, state: LineState) -> None:
        """To this state; what follows from it for the slots follows."""
        self.state = state
        self._admit()
        self.show()
        self.floor.stir()

    def _admit(self) -> None:
        """Modules that wait are started as soon as nothing is in their way, and say what is."""
        was, self.floor.obstacle = self.floor.obstacle, self._obstacle()
        if self.floor.starts_by_itself and was is not None:
            for place in self.places.values():
                place.admit()
        elif str(was) != str(self.floor.obstacle):
            for place in self.places.values():
                place.explain()

    def _obstacle(self) -> StationError | None:
        match self.state:
            case LineState.ARMED:
                return self.guard.stopped or self.health.obstacle
            case LineState.ARMING:
                return NotArmed("the line is being armed: the packages are checked")
            case LineState.STOPPING:
                return Stopping("the engine is being stopped")
            case _:
                return NotArmed("the line is not armed")

    @property
    def is_idle(self) -> bool:
        return not any(place.state in BUSY for place in self.places.values())

    @property
    def is_alive(self) -> bool:
        """For the watchdog. A module that is being written is finished without the database."""
        is_writing = any(place.is_writing for place in self.places.values())
        return self.health.is_alive or (is_writing and self.health.is_awake)

    def show(self) -> None:
        """Tell the screens about the line; slots tell of themselves."""
        expect = self._roll.expect
        view = LineView(
            state=self.state,
            counts=self.feed.line.counts,
            expected=expect if isinstance(expect, int) else len(expect),
            shift=self._shift_view(),
            alarms=tuple(sorted(self._alarms.values(), key=lambda alarm: alarm.since_utc_us)),
        )
        if self.armed is not None:
            view = replace(
                view,
                operator=None if self.shifts.now is None else self.armed.operator,
                recipes=tuple(map(recipe_view, self.armed.recipes)),
                label=self.armed.label,
                lot=self.armed.lot,
                target=self.armed.target,
                campaign=self.armed.campaign if self.state is LineState.ARMED else None,
            )
        self.feed.show_line(view)

    def _shift_view(self) -> ShiftView | None:
        shift = self.shifts.now
        if shift is None:
            return None
        role = None if shift.role is None else shift.role.value
        return ShiftView(shift.operator, shift.utc_us, role, self.world.golden.is_due)

    # --- tasks -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. The board must have been refreshed once."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.board.watch)
            nursery.start_soon(self.slot_log.run)
            nursery.start_soon(for_ever, self._look_after, self._complain)
            nursery.start_soon(for_ever, self._call_roll, self._complain)
            nursery.start_soon(for_ever, self._count, self._complain)
            nursery.start_soon(for_ever, self._share_fate, self._complain)
            for place in self.places.values():
                nursery.start_soon(place.run)

    def _complain(self, error: Exception) -> None:
        self.feed.log(f"X901 STATION BUG: {type(error).__name__}: {error}", good=False)

    async def drain(self) -> None:
        """Start nothing more, end what does not write yet, wait for the rest."""
        self.go(LineState.STOPPING)
        while not self.is_idle:
            for place in self.places.values():
                if place.state in BUSY and not place.is_writing:
                    place.abort(now=False, reason="the station stops")
            await self.floor.stirred.wait()

    async def _look_after(self) -> None:
        for record in await self.health.look():
            try:
                self._recorded(record)
            except Exception as error:  # noqa: BLE001 - the others are on record, too
                self._complain(error)
        self.guard.due.extend(self.health.news())
        self._on_health()
        await trio.sleep(LOOK_S)

    async def _call_roll(self) -> None:
        """NO USB for who should be there; again when slots change or patience ends."""
        now_s = trio.current_time()
        self._roll.note({n for n, place in self.places.items() if place.is_occupied}, now_s)
        empty = {n for n, place in self.places.items() if place.state in _EMPTY}
        missing = self._roll.missing(empty, now_s)
        for name in empty:
            self.places[name].give(Input.DARK if name in missing else Input.SPARED)
        self._alarm_about_tray(missing)
        again_s = self._roll.look_again_s(now_s)
        with trio.move_on_at(math.inf if again_s is None else again_s):
            await self.floor.stirred.wait()

    def _alarm_about_tray(self, missing: frozenset[str]) -> None:
        ordered = [name for name in self.places if name in missing]
        if not ordered:
            self.alarm(TrayShort, None)
        elif isinstance(self._roll.expect, int):
            self.alarm(
                TrayShort,
                f"{self._roll.expect} modules are expected; look at {', '.join(ordered)}",
            )
        else:
            self.alarm(TrayShort, f"nothing on USB in {', '.join(ordered)}")

    # --- shared fate --------------------------------------------------------------------------

    def _ended(self, slot: str, record: AttemptRecord) -> None:
        """A verdict may take its slot out, or stop the line, before anything else is started."""
        self.guard.note(slot, record)
        self.on_fate()
        if record.opened.purpose == GOLDEN and not self.world.golden.is_due:
            self._go_on_after_golden()

    def _go_on_after_golden(self) -> None:
        """Modules that were refused for want of a golden unit are flashed now."""
        if not self.floor.may_start:
            return
        for place in self.places.values():
            failure = place.view.failure
            if place.state is SlotState.DONE and failure and failure.code == GoldenFirst.code:
                place.retry(Order("arrival", self.floor.label))

    def _recorded(self, record: AttemptRecord) -> None:
        """A result that had to wait is on record: from now on it counts like any other."""
        place = self.places.get(record.opened.slot)
        if place is not None:
            place.recorded(record)
            self._ended(record.opened.slot, record)

    def on_fate(self) -> None:
        """The line was stopped, or lifted; a slot is bad; a hub failed, or is back; a golden unit
        is due, or has passed."""
        self._take_out()
        stopped, hubs = self.guard.stopped, self.board.hubs.standing
        self.alarm(LineStopped, None if stopped is None else stopped.cause)
        self.alarm(HubFailed, "; ".join(hub.cause for hub in hubs) or None)
        waits = self.world.golden.is_due and self.state is LineState.ARMED
        self.alarm(GoldenFirst, "nothing else is flashed in this shift" if waits else None)
        self._admit()

    def _take_out(self) -> None:
        """Slots in which all fails. One that a person holds stays theirs, and one at work goes on;
        its turn comes with the next change."""
        for slot, reason in list(self.guard.bad_slots.items()):
            place = self.places[slot]
            if place.is_taken_out:
                self.guard.begin_anew(slot)
                continue
            with suppress(NotNow):
                place.take_out(reason)
                self.guard.take_out(slot, reason)
                self.feed.log(f"taken out of the line: {reason}", slot=slot, good=False)

    async def _share_fate(self) -> None:
        """Look at the hubs; record what the line did by itself, as soon as that can be."""
        for failure in self.board.hubs.news(trio.current_time()):
            self.guard.note_hub(failure)
        self.on_fate()
        with suppress(StoreError):  # an alarm of its own; it is tried again
            await self.guard.record()
        with trio.move_on_after(LOOK_S):
            await self.floor.stirred.wait()

    def tell_disabled(self) -> None:
        """An alarm for each way in which the place of slots is in doubt."""
        causes: dict[type[StationError], dict[str, list[str]]] = {}
        for slot in self.world.settings.slots:
            if (why := slot.barred) is not None:
                causes.setdefault(type(why), {}).setdefault(why.cause, []).append(slot.name)
        for kind, slots in causes.items():
            told = "; ".join(f"{', '.join(names)}: {cause}" for cause, names in slots.items())
            self.alarm(kind, f"disabled are {told}")

    def _on_health(self) -> None:
        """Something about the station's own house changed, or a look at the ports is due."""
        for kind, cause in self.health.report.items():
            self.alarm(kind, cause)
        self.alarm(UnmappedPort, self.board.on_unknown_ports(self.world.families))
        self._admit()

    def alarm(self, kind: type[StationError], cause: str | None) -> None:
        """Raise an alarm, or end it with None."""
        known = self._alarms.get(kind.code)
        if cause is None:
            if known is None:
                return
            del self._alarms[kind.code]
            self.feed.log(f"over: {known.headline}", good=True)
        else:
            if known is not None and known.cause == cause:
                return
            since = known.since_utc_us if known else self.world.clock()
            self._alarms[kind.code] = Alarm(kind.code, kind.headline, cause, kind.remedy, since)
            self.feed.log(f"{kind.code} {kind.headline}: {cause}", good=False)
        self.show()

    async def _count(self) -> None:
        """Units since the line was armed, from the record, after each verdict."""
        due = (self.floor.verdicts, self.armed)
        if self.armed is None or due == self._counted:
            await self.floor.stirred.wait()
            return
        station = self.world.settings.station.name
        try:
            counts = await self.world.store.counts_since(station, self.armed.since_utc_us)
        except StationError as error:
            self.feed.log(f"not counted: {error.cause}", good=False)
            await trio.sleep(LOOK_S)
            return
        self._counted = due
        self.feed.show_line(replace(self.feed.line, counts=counts))

    def _hear(self, event: Event) -> None:
        """What attempts tell; called in the flashing path, so it only shows."""
        self.places[event.slot].see(event)
