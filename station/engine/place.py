"""One slot while the engine runs: it follows the table and does what its state asks for."""

import math
from contextlib import suppress
from dataclasses import replace

import trio

from station.engine import again, resume, views
from station.engine.attempt import Attempt
from station.engine.floor import Floor
from station.engine.life import TABLE, Input, activity, follow
from station.engine.ports import SlotPort
from station.engine.probe import probe
from station.engine.tale import Tale
from station.engine.ward import for_ever
from station.engine.world import Order, World
from station.errors import (
    Bug,
    CampaignRuns,
    DuplicateUnit,
    HeldByEngineer,
    NotArmed,
    NotFlashed,
    NotNow,
    NoUsb,
    PulledOut,
    SlotHeld,
    SlotOut,
    StationError,
    UnknownInEdl,
)
from station.live import BUSY, SlotState, SlotView
from station.model import (
    AttemptRecord,
    Event,
    Failure,
    Mode,
    Notice,
    Outcome,
    Progress,
    PutBack,
    StepStarted,
    Unit,
)

MOST_ASKED = 5
"""A module that left so often while it was asked who it is, is not asked by itself any more."""

SETTLE_S = 2.0
"""A device that stays for so long has been plugged in, not brushed against."""


class Place:
    """A slot of the running line. `run` once; `give` and `retry` at any time."""

    def __init__(self, floor: Floor, port: SlotPort) -> None:
        self.port = port
        self._floor = floor
        self._name = port.slot.name
        self._seen: int | None = None  # generation of the device that the table knows of
        self._doing = trio.CancelScope()
        self._order: Order | None = None
        self._attempt: Attempt | None = None
        self._verdict: Unit | None = None  # the unit that the standing verdict is about
        self._first: int | None = None  # generation of the device that was there at the start
        self._left: AttemptRecord | None = None  # a dead engine's attempt, to be repeated
        self._asked = 0  # how often in a row who is here, without an end
        self._held: StationError = SlotHeld("")
        self._why_standing: StationError | None = None
        self._abort_wanted: str | None = None
        self._tale = Tale(floor.feed, self._fresh(SlotState.EMPTY))
        if port.slot.barred is not None:
            disabled = self._fresh(SlotState.DISABLED)
            self._tale.show(replace(disabled, failure=Failure.of(port.slot.barred)))
        floor.states(self._name, self.state)

    @property
    def name(self) -> str:
        return self._name

    @property
    def view(self) -> SlotView:
        return self._tale.view

    @property
    def state(self) -> SlotState:
        return self.view.state

    @property
    def is_occupied(self) -> bool:
        """A module is here, on USB or on its way through an attempt."""
        if self.state is SlotState.HELD:
            return False
        return self.port.device is not None or self.state in BUSY

    @property
    def is_writing(self) -> bool:
        return self._attempt is not None and self._attempt.is_writing

    # --- inputs ----------------------------------------------------------------------------

    def give(self, given: Input) -> None:
        """Let this happen to the slot; what it was doing ends if the new state asks for something
        else. Raises NotNow for a command that cannot be."""
        before = activity(self.state)
        moved = self._move(given)
        after = activity(self.state)
        if moved and (before != after or after in ("settle", "probe")):
            self._doing.cancel(reason=given.value)

    def _move(self, given: Input) -> bool:
        """Follow the table; False if nothing came of it."""
        after = follow(self.state, given)
        if given not in TABLE[self.state]:
            return False
        self._enter(after)
        self._floor.stir()
        return True

    def retry(self, order: Order) -> None:
        """Another attempt on the module that is here. Raises NotNow."""
        follow(self.state, Input.START)
        self._order = order
        self.give(Input.START)

    def abort(self, *, now: bool, reason: str) -> None:
        """End the attempt; the verdict tells `BY_HAND` from other reasons. Raises NotNow if none
        runs, or if it writes and `now` is False."""
        follow(self.state, Input.ABORT)
        if self.is_writing and not now:
            raise NotNow("the module is being written; it is better finished than stopped")
        self._abort_wanted = reason if self._attempt is None else None  # it begins just now
        self._doing.cancel(reason=reason)

    def hold(self, reason: str, *, by_engineer: bool = False) -> None:
        """Keep the slot out of the line. Raises NotNow while an attempt runs."""
        self._keep_out(HeldByEngineer(reason) if by_engineer else SlotHeld(reason))

    def take_out(self, reason: str) -> None:
        """The same by the station itself: it is lifted, not released."""
        self._keep_out(SlotOut(reason))

    def _keep_out(self, why: StationError) -> None:
        follow(self.state, Input.HOLD)
        self._held, self._first = why, None
        self.give(Input.HOLD)

    @property
    def is_taken_out(self) -> bool:
        return self.state is SlotState.HELD and isinstance(self._held, SlotOut)

    @property
    def is_held_by_engineer(self) -> bool:
        return self.state is SlotState.HELD and isinstance(self._held, HeldByEngineer)

    def release(self) -> None:
        """End a person's hold. Raises SlotOut for a slot that the station took out, NotNow."""
        if self.is_taken_out:
            raise self._held
        self.let_in()

    def let_in(self) -> None:
        """Back into the line; a module that is in the slot is not flashed by itself."""
        full = self.port.device is not None
        self.give(Input.RELEASED_FULL if full else Input.RELEASED_EMPTY)

    def admit(self) -> None:
        """Modules are started now; one that was cut off goes on with its own recipe or not."""
        left = self._left if self.state is SlotState.WAITING else None
        if left is None:
            self.give(Input.ARMED)
        elif resume.recipe_of(left, self._floor.world.recipes) is None:
            self._why_standing = resume.not_armed(left)
            self.give(Input.UNFIT)
            self._tale.show(views.with_unit(self.view, left.opened.unit))
        else:
            self._order = Order("resume", resumes=left.opened.attempt_id)
            self.give(Input.ARMED)

    def explain(self) -> None:
        """Say anew why the module waits."""
        why = self._why_waiting()
        if self.state is SlotState.WAITING and why is not None:
            self._tale.show(replace(self.view, failure=Failure.of(why)))

    def _why_waiting(self) -> StationError | None:
        why = self._floor.obstacle
        if why is None and self._floor.campaign is not None:
            return CampaignRuns(f"the campaign {self._floor.campaign} has not started it")
        return resume.waits(self._left) if self._left and isinstance(why, NotArmed) else why

    def see(self, event: Event) -> None:
        """Show what the running attempt tells."""
        match event:
            case StepStarted(_, step):
                self._step_started(step)
            case Progress(_, _, done_bytes, total_bytes):
                self._tale.progressed(done_bytes, total_bytes)
            case Notice(_, text):
                self._tale.quote(text)
            case PutBack(_, until_s):
                self._tale.put_back(until_s, self._floor.world.clock())
            case _:
                pass

    # --- the table's states ------------------------------------------------------------------

    def _fresh(self, state: SlotState) -> SlotView:
        return views.fresh(self._name, state, self.port.device, self._floor.world.clock())

    def _enter(self, state: SlotState) -> None:
        """Show the new state with what is known in it."""
        view = replace(self.view, state=state, since_utc_us=self._floor.world.clock())
        if state is not SlotState.WAITING:
            self._left = None
        match state:
            case SlotState.EMPTY | SlotState.SETTLING | SlotState.PROBING:
                view = self._fresh(state)
                self._floor.world.claims.release(self._name)
            case SlotState.HELD:
                view = replace(self._fresh(state), failure=Failure.of(self._held))
                self._floor.world.claims.release(self._name)
            case SlotState.IDENTIFYING:
                number = 1 if self._order is None else self._order.number
                attempts = self._floor.world.settings.line.attempts
                view = replace(self._fresh(state), attempt=number, attempts=attempts)
            case SlotState.WAITING:
                why = self._why_waiting()
                view = replace(view, failure=None if why is None else Failure.of(why))
            case SlotState.STANDING:
                why, self._why_standing = self._why_standing, None
                stood = NotFlashed(f"the module was in slot {self._name} before the line")
                view = replace(self._fresh(state), failure=Failure.of(why or stood))
            case SlotState.NO_USB:
                dark = NoUsb(f"a module is expected in slot {self._name} and does not show up")
                view = replace(view, failure=Failure.of(dark))
            case _:
                pass
        self._floor.states(self._name, state)
        self._tale.show(view)

    async def run(self) -> None:
        """For ever: do what the state asks for."""
        if self.port.device is not None and self.state is SlotState.EMPTY:
            self._seen = self._first = self.port.device.generation
            self._enter(SlotState.PROBING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(for_ever, self._notice_port, self._stumble)
            await for_ever(self._turn, self._stumble)

    async def _turn(self) -> None:
        with trio.CancelScope() as self._doing:
            await self._act()

    def _stumble(self, error: Exception) -> None:
        """A bug in here: this slot waits for a person, the others go on."""
        bug = Bug(f"{type(error).__name__}: {error}")
        self._tale.note(f"{bug.code} {bug.cause}", good=False)
        self._why_standing = bug
        self._move(Input.STUMBLED)
        if self.port.device is None:
            self._move(Input.LEFT)

    async def _act(self) -> None:
        match activity(self.state):
            case "settle":
                await self._settle()
            case "probe":
                await self._probe()
            case "attempt":
                await self._flash()
            case _:
                await trio.sleep_forever()

    async def _notice_port(self) -> None:
        """The next change on USB as an input; those that an attempt makes itself are its own. A
        device that was never seen to be absent just re-enumerated."""
        if self.state in BUSY:
            await self._floor.stirred.wait()
            return
        await self.port.wait(lambda _: self._generation() != self._seen, math.inf)
        if self.state not in BUSY:
            self._seen = self._generation()
            self._tale.note("no device any more" if self._seen is None else "a device appeared")
            self.give(Input.LEFT if self._seen is None else Input.APPEARED)

    def _generation(self) -> int | None:
        return None if self.port.device is None else self.port.device.generation

    async def _settle(self) -> None:
        """Leaving or re-enumerating cancels this."""
        await trio.sleep(SETTLE_S)
        armed = self._floor.starts_by_itself
        self._move(Input.SETTLED_ARMED if armed else Input.SETTLED_DISARMED)

    # --- asking ------------------------------------------------------------------------------

    async def ask(self, world: World) -> tuple[Unit, AttemptRecord | None]:
        """Who is here, and the interrupted attempt that it is left from, while nothing is done
        with it. Raises StationError."""
        if activity(self.state) != "rest":
            raise NotNow("something is being done with the module")
        unit = await probe(world, self.port, lambda _: None)
        if not self._is_in_edl():
            return unit, None
        never_away = self._generation() == self._first
        return unit, await resume.unfinished_here(world, self.port, unit, by_slot=never_away)

    async def _probe(self) -> None:
        """Whose verdict stands: the one on record when the engine starts, or the one that was
        given before the module went away. Nothing stands on a module that cannot be asked."""
        self._asked += 1
        if self._asked > MOST_ASKED:
            self._stand_aside("the module in it leaves whenever it is asked who it is")
            return
        returned = self.state is SlotState.RETURNING
        record: AttemptRecord | None = None
        left: AttemptRecord | None = None
        try:
            unit = await probe(self._floor.world, self.port, lambda _: None)
            if not returned:
                record = await self._floor.store.last_verdict(unit)
                left = await self._left_unfinished(unit)
        except Exception as error:  # noqa: BLE001 - an odd module must not end the engine
            await trio.lowlevel.checkpoint_if_cancelled()
            self._stand_aside(f"the module in it cannot be identified: {error}")
            return
        await trio.lowlevel.checkpoint_if_cancelled()  # the slot may have moved on meanwhile
        self._asked = 0
        if returned:
            self._recognise(unit)
        elif left is not None:
            self._wait_to_resume(unit, left)
        else:
            self._recall(unit, record)

    async def _left_unfinished(self, unit: Unit) -> AttemptRecord | None:
        """Only of a module that was never away since the engine began: nobody had a hand in it."""
        if not self._is_in_edl() or self._generation() != self._first:
            return None
        return await resume.unfinished_here(self._floor.world, self.port, unit, by_slot=True)

    def _is_in_edl(self) -> bool:
        device = self.port.device
        return device is not None and self._floor.world.families.mode_of(device) is Mode.EDL

    def _wait_to_resume(self, unit: Unit, left: AttemptRecord) -> None:
        """It goes on by itself as soon as the line is armed with its recipe."""
        self._left = left
        self._claim(unit)
        self._tale.note(resume.waits(left).cause)
        self._move(Input.UNFINISHED)
        known = replace(left.opened.unit, chip_serial=unit.chip_serial)
        self._tale.show(views.with_unit(self.view, known))
        if self._floor.starts_by_itself:
            self.admit()

    def _recognise(self, unit: Unit) -> None:
        """Something came back: is it what went away?"""
        same = views.same_unit(unit, self._verdict or Unit())
        if same is None:
            self._stand_aside("a module came back, and nothing tells whether it is the same", unit)
        elif same:
            self._claim(unit)
            self._move(Input.STANDS)
        else:
            self._move(Input.STRANGER)

    def _recall(self, unit: Unit, record: AttemptRecord | None) -> None:
        """It was here before the engine, or re-enumerated: its own last verdict, if it has one."""
        if record is None or record.closed is None:
            if self._is_in_edl():
                chip = unit.chip_serial or "unreadable"
                self._why_standing = UnknownInEdl(f"its chip serial is {chip}")
            self._move(Input.STRANGER)
            self._tale.show(views.with_unit(self.view, unit))
            return
        if record.closed.outcome.is_good and self._is_in_edl():
            self._stand_aside("it had passed, and waits in EDL now", unit)
            return
        verdict = views.with_verdict(self.view, record)
        self._tale.view = replace(verdict, earlier=views.earlier_of(record))
        self._verdict = record.closed.unit
        self._claim(unit)
        self._move(Input.STANDS)

    def _stand_aside(self, why: str, unit: Unit = Unit()) -> None:  # noqa: B008 - frozen
        self._tale.note(why)
        self._asked = 0
        self._why_standing = NotFlashed(f"slot {self._name}: {why}")
        self._move(Input.UNKNOWN)
        self._tale.show(views.with_unit(self.view, unit))

    def _claim(self, unit: Unit) -> None:
        """So that its double in another slot is noticed; this verdict stands either way."""
        with suppress(DuplicateUnit):
            self._floor.world.claims.claim(self._name, unit)

    # --- the attempt -------------------------------------------------------------------------

    async def _flash(self) -> None:
        order = self._order or Order("arrival", self._floor.label)
        self._order = None
        self._attempt = attempt = Attempt(self._floor.world, self.port, order)
        if self._abort_wanted is not None:
            self._doing.cancel(reason=self._abort_wanted)
            self._abort_wanted = None
        self._tale.begin()
        lost: Failure | None = None
        try:
            lost = await attempt.run_alone()
        finally:
            self._attempt = None
            self._end(attempt, lost)
        await self._look_back(attempt.record)

    def _end(self, attempt: Attempt, lost: Failure | None) -> None:
        """Show what was committed, or that nothing could be; or go on with the next attempt."""
        self._tale.end(attempt, lost)
        self._floor.verdicts += 1
        self._order = self._next_order(attempt)
        if self._order is not None:
            self._tale.trying_again()
            self._move(Input.AGAIN)
            return
        gone = self.port.device is None or _was_pulled(self.view.failure)
        # Whoever sits in the place of a module that was pulled out has just arrived.
        self._seen = None if gone else self._generation()
        self._verdict = attempt.session.unit
        if gone:
            self._floor.world.claims.release(self._name)
        self._move(_ending(self.view.failure, gone=gone))
        self._tale.verdict()
        if (verdict := again.judged(attempt.order, attempt.record)) is not None:
            self._floor.ended(self._name, verdict)

    def _next_order(self, attempt: Attempt) -> Order | None:
        """Another attempt on this module, if neither a person nor the line is against it."""
        is_stopped = self._doing.cancel_called or not self._floor.may_start
        if is_stopped or attempt.world.recipes != self._floor.world.recipes:
            return None
        return attempt.next_order()

    def recorded(self, record: AttemptRecord) -> None:
        """A result that could not be committed at first is on record: its verdict may be shown."""
        self._floor.verdicts += 1
        if self.view.attempt_id == record.opened.attempt_id and self.state not in BUSY:
            self._tale.show(views.with_verdict(self.view, record))
            self._tale.verdict()

    async def _look_back(self, record: AttemptRecord | None) -> None:
        """ALREADY PASS: a unit that needed nothing may have been flashed here before."""
        if record is None or record.closed is None:
            return
        if record.closed.outcome is not Outcome.NO_CHANGE:
            return
        try:
            before = await self._floor.store.last_verdict(
                record.closed.unit,
                outcome=Outcome.PASS,
                before_attempt=record.opened.attempt_id,
            )
        except Exception:  # noqa: BLE001 - nice to know, and no reason to stumble
            return
        if before is not None and self.view.attempt_id == record.opened.attempt_id:
            self._tale.show(replace(self.view, earlier=views.earlier_of(before)))

    def _step_started(self, step: str) -> None:
        if self._attempt is None:
            return
        phase = self._tale.step(self._attempt, step)
        if phase in _INPUT_OF and phase is not self.state:
            self._move(_INPUT_OF[phase])
        else:
            self._tale.show(self.view)


_INPUT_OF = {
    SlotState.PLANNED: Input.IDENTIFIED,
    SlotState.FLASHING: Input.WRITING,
    SlotState.VERIFYING: Input.VERIFYING,
}


def _ending(failure: Failure | None, *, gone: bool) -> Input:
    if not gone:
        return Input.ENDED
    out = _was_pulled(failure) or (failure is not None and failure.code == NoUsb.code)
    return Input.ENDED_OUT if out else Input.ENDED_AWAY


def _was_pulled(failure: Failure | None) -> bool:
    return failure is not None and failure.code == PulledOut.code
