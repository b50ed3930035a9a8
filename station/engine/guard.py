"""The line's own watch: takes slots out in which all fails, stops when too much fails, and has both
on record, so that a restart lifts neither."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from station.engine.again import last_of_each
from station.engine.fate import Breaker, HubFailure, Streak
from station.engine.golden import has_passed
from station.engine.world import World
from station.errors import LineStopped
from station.model import GOLDEN, AttemptRecord, Fact, StationEvent
from station.store.events import last_of_each_slot
from station.store.queries import latest_in_slots

_LOOKED_BACK = 8
"""Attempts for each failure in a row: a unit may have several, and a database in trouble some."""


@dataclass(slots=True)
class Guard:
    """`due`: what is not yet on record; it waits while the database is in trouble."""

    world: World
    breaker: Breaker | None = field(init=False)
    due: deque[StationEvent] = field(default_factory=deque)
    held: str | None = None
    """Why the line was stopped by what is not its breaker now: a golden unit, the limits of a
    campaign, an earlier engine."""
    bad_slots: dict[str, str] = field(default_factory=dict)
    """Slots to be taken out, and why; each by `take_out` as soon as it can be, unless a good
    verdict comes before."""
    _streaks: dict[str, Streak] = field(init=False)

    def __post_init__(self) -> None:
        settings = self.world.settings
        limit, breaker = settings.line.slot_failures, settings.line.breaker
        slots = settings.slots if limit is not None else ()
        self._streaks = {slot.name: Streak(limit or 0) for slot in slots}
        self.breaker = None
        if breaker is not None:
            self.breaker = Breaker(breaker.window, breaker.minimum, breaker.yield_percent)

    @property
    def stopped(self) -> LineStopped | None:
        """Why the line starts nothing."""
        tripped = None if self.breaker is None else self.breaker.tripped
        why = self.held or tripped
        return None if why is None else LineStopped(why)

    def lift(self, reason: str, by: str) -> None:
        """Begin anew. Raises UsageError without a reason or a name."""
        if self.breaker is not None:
            self.breaker.lift(reason, by)
        self.held = None

    # --- verdicts ----------------------------------------------------------------------------

    def note(self, slot: str, record: AttemptRecord) -> None:
        """The verdict on a unit is committed."""
        if record.opened.purpose == GOLDEN:
            self._try_line(slot, record)
        else:
            self._judge_line(record)
            self._judge_slot(slot, record)

    def _judge_slot(self, slot: str, record: AttemptRecord) -> None:
        streak, closed = self._streaks.get(slot), record.closed
        if streak is None or closed is None:
            return
        failure = closed.failure
        code = None if failure is None else failure.code
        if not streak.note(closed.outcome, code, closed.unit):
            self.bad_slots.pop(slot, None)
        elif slot not in self.bad_slots and failure is not None:
            words = f"{closed.outcome.value} {failure.code} {failure.headline}"
            self.bad_slots[slot] = f"{streak.limit} failures in a row, last {words}"

    def _judge_line(self, record: AttemptRecord) -> None:
        closed = record.closed
        if self.breaker is None or closed is None or record.opened.purpose is not None:
            return
        before = self.breaker.tripped
        code = None if closed.failure is None else closed.failure.code
        self.breaker.note(closed.outcome, code, closed.unit)
        if before is None and self.breaker.tripped is not None:
            self._record_later("breaker_tripped", {"cause": self.breaker.tripped})

    def _try_line(self, slot: str, record: AttemptRecord) -> None:
        """A golden unit that does not pass stops the line; one that does lets it begin."""
        closed = record.closed
        code = None if closed is None or closed.failure is None else closed.failure.code
        passed = None if closed is None else has_passed(closed.outcome, code)
        if passed is None:
            return
        wanted = self.world.settings.golden.at_shift_start
        self.world.golden.judge(record.opened.shift_id, passed=passed, is_wanted=wanted)
        if closed is None or closed.failure is None or self.held is not None:
            return
        failure = closed.failure
        words = f"{failure.outcome.value} {failure.code} {failure.headline}"
        self.held = f"a golden unit did not pass in slot {slot}: {words}"
        self._record_later("breaker_tripped", {"cause": self.held, "golden": 1})

    def note_hub(self, failure: HubFailure) -> None:
        """A hub failed; the line says so, the record too."""
        slots = ", ".join(failure.slots)
        self._record_later("hub_failure", {"hub": str(failure.hub), "slots": slots})

    def take_out(self, slot: str, reason: str) -> None:
        """The slot is out: the line has seen enough of it, or a campaign has."""
        self.begin_anew(slot)
        self._record_later("taken_out", {"reason": reason}, slot)

    def begin_anew(self, slot: str) -> None:
        """What failed in the slot so far counts no more."""
        self.bad_slots.pop(slot, None)
        if (streak := self._streaks.get(slot)) is not None:
            streak.lift()

    @contextmanager
    def judging_by(self, limits: Breaker, so_far: Iterable[AttemptRecord]) -> Iterator[None]:
        """For the time of a campaign its limits are the breaker's, over its units alone. A stop
        stays until it is lifted."""
        own, self.breaker = self.breaker, limits
        limits.tripped = self.held or (own.tripped if own is not None else None)
        for record in so_far:
            self._judge_line(record)
        try:
            yield
        finally:
            self.breaker = own
            if own is not None:
                own.tripped = own.tripped or limits.tripped
            else:
                self.held = self.held or limits.tripped

    # --- the record --------------------------------------------------------------------------

    def _record_later(self, kind: str, detail: dict[str, Fact], slot: str | None = None) -> None:
        self.due.append(self.world.event(kind, detail, slot))

    async def record(self) -> None:
        """What is due, in its order. Raises StoreError: the rest is still due."""
        while self.due:
            await self.world.store.add_event(self.due[0])
            self.due.popleft()

    async def recall(self) -> None:
        """What an earlier engine knew of the line and its slots. Raises StationError."""
        await self._recall_slots()
        await self._recall_line()

    async def _recall_slots(self) -> None:
        """The failures in a row, from where each slot was taken out or let in again."""
        store, station = self.world.store, self.world.settings.station.name
        kinds = ("taken_out", "slot_lifted")
        since = await store.ask(lambda url: last_of_each_slot(url, station, kinds))
        most = _LOOKED_BACK * (self.world.settings.line.slot_failures or 0)
        told = await store.ask(lambda url: latest_in_slots(url, station, self._streaks, most))
        for slot, records in told.items():
            for record in last_of_each(records):
                if record.opened.purpose != GOLDEN and _is_after(record, since.get(slot)):
                    self._judge_slot(slot, record)

    async def _recall_line(self) -> None:
        """Stopped and not lifted, or the verdicts on what was begun since."""
        store, station = self.world.store, self.world.settings.station.name
        tripped = await store.last_event(station, "breaker_tripped")
        lifted = await store.last_event(station, "breaker_lifted")
        if tripped is not None and (lifted is None or tripped.event_id > lifted.event_id):
            self.held = str(tripped.detail.get("cause", "the line was stopped"))
            return
        if self.breaker is None:
            return
        since = None if lifted is None else lifted.event_id
        most = self.breaker.window * self.world.settings.line.attempts
        for record in last_of_each(await store.latest_verdicts(station, most)):
            if _is_after(record, since):
                self._judge_line(record)


def _is_after(record: AttemptRecord, event_id: str | None) -> bool:
    """By their keys: the clock may have been set back in between."""
    return event_id is None or record.opened.attempt_id > event_id
