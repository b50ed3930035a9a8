"""The running line: all slots, and whether and what they flash."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import trio

from station.config import LoadedRecipe
from station.engine.feed import Feed
from station.engine.health import Health
from station.engine.life import Input
from station.engine.place import Floor, Place
from station.engine.ports import PortBoard
from station.engine.rollcall import RollCall
from station.engine.stop import Stop
from station.engine.views import recipe_view
from station.engine.world import World
from station.errors import StationError, TrayShort, UnmappedPort
from station.live import BUSY, Alarm, LineState, LineView, SlotState
from station.model import Event, Mode

_NOT_IN = frozenset({SlotState.EMPTY, SlotState.NO_USB, SlotState.HELD})
_OURS = frozenset({Mode.RUNTIME, Mode.EDL, Mode.DLOAD, Mode.CRASHED})


@dataclass(frozen=True, slots=True)
class Armed:
    """What a person confirmed. `since_utc_us`: units are counted from here."""

    recipes: tuple[LoadedRecipe, ...]
    operator: str
    since_utc_us: int
    label: str | None = None
    target: int | None = None
    expect: frozenset[str] | int = 0


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
    places: Mapping[str, Place] = field(init=False)
    state: LineState = LineState.DISARMED
    armed: Armed | None = None
    _roll: RollCall = field(init=False)
    _alarms: dict[str, Alarm] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = self.world.settings
        self.world = replace(self.world, tell=self._hear)
        self.floor = Floor(self.world, self.feed)
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
        self.armed = armed
        self.floor.world = replace(self.world, recipes=armed.recipes, operator=armed.operator)
        self.floor.label = armed.label
        self._roll.expect = armed.expect
        self.go(LineState.ARMED)

    def go(self, state: LineState) -> None:
        """To this state; what follows from it for the slots follows."""
        self.state = state
        self._admit()
        self.show()
        self.floor.stir()

    def _admit(self) -> None:
        """Modules that wait are started as soon as nothing is in their way."""
        may = self.state is LineState.ARMED and not self.health.troubles
        was, self.floor.may_start = self.floor.may_start, may
        if may and not was:
            for place in self.places.values():
                place.give(Input.ARMED)

    @property
    def is_idle(self) -> bool:
        return not any(place.state in BUSY for place in self.places.values())

    def show(self) -> None:
        """Tell the screens about the line; slots tell of themselves."""
        expect = self._roll.expect
        view = LineView(
            state=self.state,
            counts=self.feed.line.counts,
            expected=expect if isinstance(expect, int) else len(expect),
            alarms=tuple(sorted(self._alarms.values(), key=lambda alarm: alarm.since_utc_us)),
        )
        if self.armed is not None:
            view = replace(
                view,
                operator=self.armed.operator,
                recipes=tuple(map(recipe_view, self.armed.recipes)),
                label=self.armed.label,
                target=self.armed.target,
            )
        self.feed.show_line(view)

    # --- tasks -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. The board must have been refreshed once."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.board.watch)
            nursery.start_soon(self.health.watch, self._on_health)
            nursery.start_soon(self._call_roll)
            nursery.start_soon(self._count)
            for place in self.places.values():
                nursery.start_soon(place.run)

    async def drain(self) -> None:
        """Start nothing more, end what does not write yet, wait for the rest."""
        self.go(LineState.STOPPING)
        for place in self.places.values():
            if place.state in BUSY and not place.is_writing:
                place.abort(now=False)
        while not self.is_idle:
            await self.floor.stirred.wait()

    async def _call_roll(self) -> None:
        """NO USB for who should be there; look again when slots change or patience ends."""
        while True:
            now_s = trio.current_time()
            occupied = {n for n, place in self.places.items() if place.state not in _NOT_IN}
            self._roll.note(occupied, now_s)
            empty = {
                n
                for n, place in self.places.items()
                if place.state in (SlotState.EMPTY, SlotState.NO_USB)
            }
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

    def _on_health(self) -> None:
        """Something about the station's own house changed, or a look at the ports is due."""
        for kind, cause in self.health.report.items():
            self.alarm(kind, cause)
        families = self.world.families
        strange = [d for d in self.board.strangers if families.mode_of(d) in _OURS]
        named = ", ".join(f"{d.path} ({d.usb_id})" for d in strange[:4])
        self.alarm(UnmappedPort, f"a module on {named}" if strange else None)
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
        counted: tuple[int, Armed] | None = None
        while True:
            if self.armed is not None and counted != (self.floor.verdicts, self.armed):
                counted = (self.floor.verdicts, self.armed)
                await self._count_once(self.armed)
            else:
                await self.floor.stirred.wait()

    async def _count_once(self, armed: Armed) -> None:
        station = self.world.settings.station.name
        try:
            counts = await self.world.store.counts_since(station, armed.since_utc_us)
        except StationError as error:
            self.feed.log(f"not counted: {error.cause}", good=False)
        else:
            self.feed.show_line(replace(self.feed.line, counts=counts))

    def _hear(self, event: Event) -> None:
        """What attempts tell; called in the flashing path, so it only shows."""
        self.places[event.slot].see(event)
