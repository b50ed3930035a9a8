"""A campaign at work: group after group through the rack, until it is done or stopped.

Its state is rows, not memory. What was decided is on record before a module is touched, what came
of it are attempts; an engine that starts anew reads both and goes on.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from station.config import Policy, stops_utc_us
from station.engine.again import last_of_each
from station.engine.campaign_judge import at_rest
from station.engine.campaign_log import CampaignLog
from station.engine.fate import Breaker, counts_against
from station.engine.line import Armed, Line
from station.engine.place import Place
from station.engine.world import Chosen, Order
from station.errors import NotNow, NotResumed, StationError, StoppedByHand, StoreError
from station.live import BUSY, LineState
from station.model import AttemptRecord, Mode, Outcome
from station.store.campaigns import CampaignSlot

LOOK_S = 30.0
"""Without a change of any slot, whether to go on is asked again so often."""

_CUT_OFF = frozenset({Outcome.INTERRUPTED, Outcome.ABORTED})
"""What ends with the engine, not with the unit; or by a person's hand, who has it then."""


class Suspended(Exception):
    """The engine is being stopped: the next one goes on."""


@dataclass(slots=True)
class Night:
    """`slots`: every decision. `stops_s`: trio's time after which nothing is started."""

    log: CampaignLog
    policy: Policy
    armed: Armed
    slots: Sequence[CampaignSlot]
    stops_s: float
    aborted: str | None = None
    """Who ended it, and why."""
    is_over: bool = False
    """Nothing runs any more, and its end is being recorded."""
    _running: set[str] = field(default_factory=set)

    @property
    def line(self) -> Line:
        return self.log.line

    async def run(self) -> str | None:
        """Until all is done: None; or stopped: why. Raises Suspended; StoreError: it can be run
        again, and goes on."""
        limits = self.policy.breaker
        breaker = Breaker(limits.window, limits.minimum, limits.yield_percent, limits.in_a_row)
        so_far = [record for _, some in (await self._attempts()).items() for record in some]
        so_far.sort(key=lambda record: record.opened.attempt_id)
        line = self.line
        with line.guard.judging_by(breaker, last_of_each(so_far)):
            line.on_fate()
            return await self._work()

    def let_go(self) -> None:
        """Nothing of it is left on the line."""
        if self.line.armed is self.armed and self.line.state is LineState.ARMED:
            self.line.go(LineState.DISARMED)
        self.line.floor.campaign = None

    async def _work(self) -> str | None:
        await at_rest(self.line.places.values(), lambda: self.line.floor.stirred)
        groups = self._groups()
        for number, group in enumerate(groups, start=1):
            if (why := self._why_stop()) is not None:
                return why
            due = await self._unfinished(group)
            if due:
                names = " ".join(slot.slot for slot in due)
                await self.log.note("group", {"number": number, "of": len(groups), "slots": names})
            await self._work_on(due)
            if (why := self._why_stop()) is not None:
                return why
            if number < len(groups) and (why := await self._too_bad(number, group)) is not None:
                return why
        return None

    def _groups(self) -> list[list[CampaignSlot]]:
        """Those to be worked on, in their order: a few, then more at a time."""
        work = sorted((s for s in self.slots if s.decided.is_work), key=lambda slot: slot.ordinal)
        sizes = self.policy.groups
        groups = [work[: sizes.first]]
        rest = work[sizes.first :]
        groups += [rest[at : at + sizes.next] for at in range(0, len(rest), sizes.next)]
        return [group for group in groups if group]

    async def _unfinished(self, group: list[CampaignSlot]) -> list[CampaignSlot]:
        """Those without a verdict that are not at work; an attempt that was cut off is none, if it
        may be repeated."""
        attempts = await self._attempts()
        due = [slot for slot in group if self._is_due(attempts.get(slot.slot, ()))]
        return [slot for slot in due if slot.slot not in self._running]

    def _is_due(self, attempts: Sequence[AttemptRecord]) -> bool:
        if not attempts:
            return True
        closed = attempts[-1].closed
        if closed is None or closed.outcome not in _CUT_OFF or self.policy.resume == "never":
            return False
        return closed.failure is None or closed.failure.code != StoppedByHand.code

    # --- a group -----------------------------------------------------------------------------

    async def _work_on(self, group: list[CampaignSlot]) -> None:
        """Return when nothing of it runs any more and nothing more may be started."""
        due = deque(group)
        while True:
            stirred = self.line.floor.stirred
            for name in sorted(self._running):
                if self.line.places[name].state not in BUSY:
                    await self._look_back(name)
                    self._running.discard(name)
            while due and self._has_room() and self._why_stop() is None:
                await self._start(due.popleft())
            if not self._running and (not due or self._why_stop() is not None):
                return
            with trio.move_on_at(self._wake_s()):
                await stirred.wait()

    def _has_room(self) -> bool:
        return self.line.floor.may_start and len(self._running) < self.policy.limits.at_once

    def _wake_s(self) -> float:
        """The stop time wakes nobody once it has passed."""
        now_s = trio.current_time()
        return min(now_s + LOOK_S, self.stops_s) if now_s < self.stops_s else now_s + LOOK_S

    async def _start(self, slot: CampaignSlot) -> None:
        """Begin the attempt; a slot that does not let it begin is left as it is."""
        place = self.line.places.get(slot.slot)
        try:
            if place is None:
                raise NotNow("the settings have no such slot any more")
            place.retry(await self._order(slot, place))
        except StoreError:
            raise
        except StationError as error:
            why = f"{error.code} {error.headline}: {error.cause}"
            await self.log.note("not_started", {"slot": slot.slot, "why": why})
        else:
            self._running.add(slot.slot)

    async def _order(self, slot: CampaignSlot, place: Place) -> Order:
        chosen = Chosen(self.log.begun.campaign_id, slot.unit)
        device, world = place.port.device, self.line.floor.world
        if device is None or world.families.mode_of(device) is not Mode.EDL:
            return Order("campaign", chosen=chosen)
        _, left = await place.ask(world)
        if left is None and slot.unit.chip_serial is None:
            raise NotResumed("it waits in EDL, and nothing proves which attempt left it there")
        resumes = None if left is None else left.opened.attempt_id
        return Order("campaign", resumes=resumes, chosen=chosen)

    async def _look_back(self, name: str) -> None:
        """A slot in which attempt after attempt fails is taken out of the line."""
        place, limit = self.line.places[name], self.policy.breaker.on_a_slot
        attempts = (await self._attempts()).get(name, ())
        if not place.is_taken_out:
            if limit is None or _failed_in_a_row(attempts) < limit:
                return
            reason = f"{limit} attempts of a campaign failed in a row"
            try:
                place.take_out(reason)
            except NotNow:  # a person was quicker
                return
            self.line.guard.take_out(name, reason)
        failure = place.view.failure
        await self.log.note("slot_out", {"slot": name, "why": failure.cause if failure else ""})

    # --- going on ----------------------------------------------------------------------------

    def _why_stop(self) -> str | None:
        """None: go on, maybe later. Raises Suspended."""
        line = self.line
        if self.aborted is not None:
            return self.aborted
        if line.state is LineState.STOPPING:
            if self._running:
                return "the engine is being stopped"  # what runs is finished first
            raise Suspended
        if (stopped := line.guard.stopped) is not None:
            return stopped.cause
        if line.armed is not self.armed or line.state is not LineState.ARMED:
            return "the line was disarmed"
        if self._is_late():
            return f"it is {self.policy.stop_at}, the time to stop"
        return None

    def _is_late(self) -> bool:
        """By trio's clock, which nobody can set, or by the wall's, which may have been wrong when
        the night was begun or taken up."""
        stops_us = stops_utc_us(self.policy, self.log.begun.utc_us)
        return trio.current_time() >= self.stops_s or self.line.world.clock() >= stops_us

    async def _too_bad(self, number: int, group: list[CampaignSlot]) -> str | None:
        """Why the next group is not begun. Who was not started, or refused, is no bad unit."""
        attempts = await self._attempts()
        last = [some[-1].closed for slot in group if (some := attempts.get(slot.slot))]
        judged = [c.outcome for c in last if c and (c.outcome.is_good or _is_bad(c.outcome))]
        good = sum(outcome.is_good for outcome in judged)
        wanted = self.policy.groups.good_percent
        if not judged or good * 100 >= wanted * len(judged):
            return None
        return f"of group {number} {good} of {len(judged)} units are good, {wanted} % are wanted"

    async def _attempts(self) -> dict[str, tuple[AttemptRecord, ...]]:
        """All of it by now, by slot. Raises StoreError."""
        return dict((await self.log.story()).attempts)


def _is_bad(outcome: Outcome) -> bool:
    return outcome in (Outcome.FAIL, Outcome.ERROR)


def _failed_in_a_row(attempts: Sequence[AttemptRecord]) -> int:
    count = 0
    for record in reversed(attempts):
        closed = record.closed
        code = None if closed is None or closed.failure is None else closed.failure.code
        if closed is None or not counts_against(closed.outcome, code):
            break
        count += 1
    return count
