"""Whose shift it is, on record before it counts; and whether it has seen a golden unit pass.

A shift is begun by a person or by arming, and ends when it is ended or another one begins. An
engine that starts anew finds it as it was.
"""

from dataclasses import dataclass, field, replace

import trio

from station.engine.golden import is_proven
from station.engine.server import Peer
from station.engine.world import World
from station.errors import NoShift
from station.model import Person, Shift, StationEvent, Under
from station.store.ids import new_id

FORGOTTEN_US = 16 * 3600 * 1_000_000
"""Whoever arms the line so long after their shift began has begun another one."""

ENDED = "ended"
"""Why a shift ended: a person said so."""


@dataclass(slots=True)
class Shifts:
    """`now`: the shift that is open. `changing`: held while another one is put on record."""

    world: World
    now: Shift | None = None
    changing: trio.Lock = field(default_factory=trio.Lock)

    async def recall(self) -> None:
        """As an engine before this one left it. Raises StoreError."""
        store = self.world.store
        now = await store.open_shift(self.world.settings.station.name)
        if now is not None:
            passed = is_proven(await store.golden_outcomes(now.shift_id))
            self._begin(now, has_passed=passed)

    def under(self, lot: str | None) -> Under:
        """What attempts are begun under."""
        return Under(shift_id=None if self.now is None else self.now.shift_id, lot=lot)

    def due(self, person: Person, peer: Peer) -> Shift | None:
        """The shift that begins when this person arms the line; None: theirs goes on."""
        now = self.now
        if now is not None and now.operator == person.name and not _is_forgotten(self.world, now):
            return None
        return self._begun_by(person, peer)

    async def start(self, person: Person, peer: Peer) -> None:
        """Raises StoreError: then it has not begun."""
        async with self.changing:
            shift = self._begun_by(person, peer)
            await self.world.store.start_shift(shift)
            self.begun(shift)

    async def end(self, asked: StationEvent) -> None:
        """`asked`: by whom. Raises NoShift; StoreError: then it goes on."""
        async with self.changing:
            if (now := self.now) is None:
                raise NoShift("no shift is open")
            detail = {"operator": now.operator, "shift_id": now.shift_id}
            ended = replace(asked, utc_us=self.world.clock(), detail=detail)
            await self.world.store.end_shift(now.shift_id, ENDED, ended)
            self.now = None
            self.world.golden.begin(None, is_due=False)

    def begun(self, shift: Shift) -> None:
        """It is on record."""
        self._begin(shift, has_passed=False)

    def _begin(self, shift: Shift, *, has_passed: bool) -> None:
        self.now = shift
        wanted = self.world.settings.golden.at_shift_start
        self.world.golden.begin(shift.shift_id, is_due=wanted and not has_passed)

    def _begun_by(self, person: Person, peer: Peer) -> Shift:
        return Shift(
            shift_id=new_id(),
            station=self.world.settings.station.name,
            utc_us=self.world.clock(),
            operator=person.name,
            role=person.role,
            peer_uid=peer.uid,
            peer_user=peer.user,
        )


def _is_forgotten(world: World, shift: Shift) -> bool:
    return world.clock() - shift.utc_us >= FORGOTTEN_US


async def in_open_shift(world: World) -> World:
    """What works without the line: its attempts are of the shift that is open, and wait for that
    one's golden unit. Raises StoreError."""
    shifts = Shifts(world)
    await shifts.recall()
    if shifts.now is None or _is_forgotten(world, shifts.now):
        world.golden.begin(None, is_due=False)
        return world
    return replace(world, under=shifts.under(None))
