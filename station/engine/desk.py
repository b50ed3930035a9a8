"""What people may ask of the running line: each command carried out and recorded, or refused."""

from dataclasses import dataclass, field
from typing import Any, assert_never

import trio
from pydantic_core import to_jsonable_python

from station.config import LoadedRecipe, load_recipes
from station.engine import staff
from station.engine.attempt import BY_HAND
from station.engine.campaigns import Campaigns
from station.engine.desk_log import DeskLog
from station.engine.life import Input
from station.engine.lift import lift_line, lift_slot
from station.engine.line import Armed, Line
from station.engine.people import Asker, judgement
from station.engine.place import Place
from station.engine.server import Peer
from station.engine.views import recipe_view
from station.engine.world import Hands, Order
from station.errors import (
    ConfigError,
    LabelMismatch,
    NotArmed,
    NotNow,
    RecipeChanged,
    Stopping,
    StoreError,
    UsageError,
)
from station.live import LineState
from station.model import EVIDENCE_PRUNED, Lot, Person, Role, Unit
from station.selection import check_label, sku_of
from station.store.ids import new_id
from station.wire import (
    Abort,
    Arm,
    CampaignAbort,
    CampaignPlan,
    CampaignRun,
    Clear,
    Command,
    Disarm,
    Follow,
    Hold,
    Lift,
    OperatorAdd,
    OperatorRetire,
    Prune,
    Quarantine,
    RecipeChoice,
    Recipes,
    Release,
    ReleaseUnit,
    Retry,
    ShiftEnd,
    ShiftStart,
    Status,
    Stop,
    Watch,
)
from station.wire import Hands as HandsCommand

NOTE_S = 2.0
"""A stop is recorded if that takes no longer."""

SAME_RUN_US = 12 * 3600 * 1_000_000
"""Armed again with the same recipes, operator and target within this time: counting goes on."""


@dataclass(slots=True)
class Desk:
    """A `station.engine.server.Desk`. `hands`: what simulated modules can be told."""

    line: Line
    hands: Hands | None = None
    campaigns: Campaigns = field(init=False)
    log: DeskLog = field(init=False)
    _arming: trio.Lock = field(default_factory=trio.Lock)
    _reading: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    def __post_init__(self) -> None:
        self.campaigns = Campaigns(self.line)
        self.log = DeskLog(self.line)

    async def carry_out(self, command: Command, peer: Peer) -> dict[str, Any]:
        """Do it and answer with its data. Raises StationError: refused, nothing was changed.

        Arming is recorded before it counts, and a hold that cannot be recorded is taken back.
        Everything else is done first: nothing may come between the check and the deed, and a bad
        database keeps nobody from stopping.
        """
        match command:
            case Arm():
                await self._arm(command, peer)
            case Disarm():
                await self._disarm(command, peer)
            case Retry():
                await self._retry(command, peer)
            case Abort(slot=slot, now=now):
                self._place(slot).abort(now=now, reason=BY_HAND)
                await self.log.note(command, peer, slot=slot, detail={"now": int(now)})
            case Hold(slot=slot, reason=reason):
                await self._hold(command, peer, self._place(slot), reason)
            case Release():
                await self._release(command, peer)
            case Lift():
                await self._lift(command, peer)
            case Quarantine() | ReleaseUnit():
                await self._judge(command, peer)
            case Clear(slot=slot):
                self._place(slot).give(Input.CLEAR)
                await self.log.note(command, peer, slot=slot)
            case Stop(now=now):
                await self._stop(command, peer, now=now)
            case Recipes():
                return await self._recipes()
            case Status():
                return self._status()
            case ShiftStart() | ShiftEnd():
                await self._change_shift(command, peer)
            case OperatorAdd() | OperatorRetire():
                await staff.change_people(self.line, command, peer)
            case Prune():
                self.line.people.engineer(command.by, command.reason)
                await self.log.record(command, peer, kind=EVIDENCE_PRUNED, detail=command.facts())
            case HandsCommand():
                await self._use_hands(command)
            case CampaignPlan():
                return await self.campaigns.plan(command)
            case CampaignRun():
                person = staff.who_begins(self.line, command, peer)
                return await self.campaigns.start(command, person, peer)
            case CampaignAbort():
                person = staff.who_ends(self.line, command)
                await self.campaigns.abort(person, command.reason, peer)
                await self.log.note(command, peer, detail={"reason": command.reason})
            case Watch() | Follow():
                pass  # about the connection, which is the server's
            case _:
                assert_never(command)
        return {}

    # --- arming ------------------------------------------------------------------------------

    async def _arm(self, command: Arm, peer: Peer) -> None:
        """Everything that can be checked is checked before the line is armed."""
        line = self.line
        self._refuse_if_stopping()
        if self._arming.locked():
            raise NotNow("the line is being armed already")
        person = line.people.worker(command.operator)
        async with self._arming:
            self.campaigns.check_free()
            before = line.state
            line.go(LineState.ARMING)
            try:
                armed = await self._check(command, person)
                await self._record_armed(command, peer, person, armed)
                if line.is_idle:
                    await line.world.shelf.keep(armed.recipes)
            except BaseException:
                self._go_unless_stopping(before)
                raise
            self._refuse_if_stopping()
            line.arm(armed)

    async def _record_armed(self, command: Arm, peer: Peer, person: Person, armed: Armed) -> None:
        """With the shift that begins by it, and the lot; all or nothing."""
        line, detail = self.line, _run(command)
        detail["counted_since_utc_us"] = armed.since_utc_us
        detail["label"] = command.label or ""
        event = self.log.event(peer, "armed", person, detail=detail)
        lot = None
        if armed.lot is not None:
            lot = Lot(new_id(), event.station, event.utc_us, armed.lot, person.name)
        async with line.shifts.changing:
            shift = line.shifts.due(person, peer)
            await line.world.store.arm(event, shift, lot)
            if shift is not None:
                line.shifts.begun(shift)
        self.log.tell(command, event)

    def _go_unless_stopping(self, state: LineState) -> None:
        if self.line.state is not LineState.STOPPING:
            self.line.go(state)

    async def _check(self, command: Arm, person: Person) -> Armed:
        line = self.line
        expect = line.expected(command.expect)
        strangers = (expect - line.places.keys()) if isinstance(expect, frozenset) else ()
        if strangers:
            raise UsageError(f"there is no slot {min(strangers)}")
        if isinstance(expect, int) and expect > len(line.places):
            raise UsageError(f"{expect} modules do not fit into {len(line.places)} slots")
        if len({choice.name for choice in command.recipes}) < len(command.recipes):
            raise UsageError("a recipe is named twice")
        recipes = await self._load()
        chosen = tuple(_chosen(recipes, choice) for choice in command.recipes)
        _check_label(chosen, command.label)
        line.world.shelf.forget_failures()
        await line.world.shelf.prepare_all(chosen)
        return Armed(
            recipes=chosen,
            operator=person.name,
            since_utc_us=await self._counted_since(command, person),
            label=command.label,
            lot=command.lot,
            target=command.target,
            expect=expect,
        )

    async def _counted_since(self, command: Arm, person: Person) -> int:
        """A pause, or an engine started anew, is not the end of a run."""
        now_us = self.line.world.clock()
        station = self.line.world.settings.station.name
        last = await self.line.world.store.last_event(station, "armed")
        if last is None or now_us - last.utc_us > SAME_RUN_US or last.actor != person.name:
            return now_us
        if any(last.detail.get(name) != value for name, value in _run(command).items()):
            return now_us
        since = last.detail.get("counted_since_utc_us")
        return since if isinstance(since, int) else now_us

    async def _disarm(self, command: Disarm, peer: Peer) -> None:
        self._refuse_if_stopping()
        if self._arming.locked():
            raise NotNow("the line is being armed; wait until it is")
        self.campaigns.check_free()
        self.line.go(LineState.DISARMED)
        await self.log.note(command, peer, kind="disarmed")
        self.line.health.signer.shift_ended()

    async def _change_shift(self, command: ShiftStart | ShiftEnd, peer: Peer) -> None:
        self._refuse_if_stopping()
        if self._arming.locked():
            raise NotNow("the line is being armed; wait until it is")
        if isinstance(command, ShiftStart):
            await staff.start_shift(self.line, command, peer)
            return
        asked = self.log.event(peer, command.do, self.log.person(command.by, peer))
        if await staff.end_shift(self.line, command, peer, asked):
            await self.log.note(command, peer, kind="disarmed", detail={"because": "shift_end"})

    def _refuse_if_stopping(self) -> None:
        if self.line.state is LineState.STOPPING:
            raise Stopping("the engine is being stopped")

    async def _load(self) -> tuple[LoadedRecipe, ...]:
        world = self.line.world
        return await trio.to_thread.run_sync(
            load_recipes, world.settings.recipes, world.families, limiter=self._reading
        )

    async def _recipes(self) -> dict[str, Any]:
        try:
            recipes = await self._load()
        except ConfigError as error:
            return {"recipes": [], "problem": error.cause}
        return {"recipes": to_jsonable_python(list(map(recipe_view, recipes))), "problem": None}

    # --- the engine --------------------------------------------------------------------------

    async def _stop(self, command: Stop, peer: Peer, *, now: bool) -> None:
        """Whatever hangs, the engine can be stopped."""
        self.line.stop.gently.set()
        if now:
            self.line.stop.now.set()
        with trio.move_on_after(NOTE_S, shield=True):
            await self.log.note(command, peer, detail={"now": int(now)})

    # --- slots -------------------------------------------------------------------------------

    async def _retry(self, command: Retry, peer: Peer) -> None:
        place = self._place(command.slot)
        self._refuse_if_stopping()
        self.line.people.check_worker(command.by)
        self.campaigns.check_free()
        if self.line.state is not LineState.ARMED:
            raise NotArmed("nothing is flashed while the line is not armed")
        if (obstacle := self.line.floor.obstacle) is not None:
            raise NotNow(f"nothing is started now: {obstacle.cause}")
        armed = {recipe.recipe.name for recipe in self.line.floor.world.recipes}
        if command.recipe is not None and command.recipe not in armed:
            raise NotArmed(f"the recipe {command.recipe} is not among the armed ones")
        label = command.label or self.line.floor.label
        place.retry(Order("retry", label, command.recipe, names_slot=True))
        asked: dict[str, str | int] = {"recipe": command.recipe or "", "label": command.label or ""}
        await self.log.note(command, peer, slot=command.slot, detail=asked)

    async def _hold(self, command: Hold, peer: Peer, place: Place, reason: str) -> None:
        """A hold that is not on record would be forgotten by the next engine."""
        by = self.log.person(command.by, peer)
        place.hold(reason, by_engineer=by is not None and by.role is Role.ENGINEER)
        try:
            await self.log.record(command, peer, slot=command.slot, detail={"reason": reason})
        except StoreError:
            place.release()
            raise

    async def _release(self, command: Release, peer: Peer) -> None:
        place = self._place(command.slot)
        staff.check_release(self.line, command, place)
        place.release()
        told: dict[str, str | int] = {} if command.reason is None else {"reason": command.reason}
        await self.log.note(command, peer, slot=command.slot, detail=told)

    async def _lift(self, command: Lift, peer: Peer) -> None:
        self.line.people.engineer(command.by, command.reason)

        async def record(kind: str) -> None:
            detail: dict[str, str | int] = {"reason": command.reason}
            await self.log.record(command, peer, kind=kind, slot=command.slot, detail=detail)

        if command.slot is None:
            await lift_line(self.line, command, record)
        else:
            await lift_slot(self._place(command.slot), record)

    async def _judge(self, command: Quarantine | ReleaseUnit, peer: Peer) -> None:
        """A decision that is not on record is none."""
        world, asker = self.line.world, Asker(peer.uid, peer.user)
        said = judgement(self.line.people, command, asker, world.clock())
        await world.store.judge_unit(said)
        self.line.feed.log(f"unit {said.name} {said.kind} by {said.actor}: {said.reason}")

    def _place(self, slot: str) -> Place:
        place = self.line.places.get(slot)
        if place is None:
            raise UsageError(
                f"there is no slot {slot}; the slots are {', '.join(self.line.places)}"
            )
        return place

    def _status(self) -> dict[str, Any]:
        feed = self.line.feed
        return {
            "line": to_jsonable_python(feed.line),
            "slots": to_jsonable_python(list(feed.slots.values())),
        }

    async def _use_hands(self, command: HandsCommand) -> None:
        if self.hands is None:
            raise UsageError("the modules of this engine are real; use your own hands")
        if command.slot is not None:
            self._place(command.slot)
        await self.hands(command.action, command.slot, command.fault)


def _run(command: Arm) -> dict[str, str | int]:
    """What makes two armings the same run, as it is recorded."""
    recipes = ", ".join(f"{choice.name} {choice.sha256}" for choice in command.recipes)
    return {"recipes": recipes, "target": command.target or 0, "lot": command.lot or ""}


def _check_label(chosen: tuple[LoadedRecipe, ...], label: str | None) -> None:
    """A label that no recipe is for would refuse every module. Raises LabelMismatch."""
    if label is None:
        return
    unit = sku_of(Unit(), label)
    for number, recipe in enumerate(chosen, start=1):
        try:
            check_label(recipe, unit)
        except LabelMismatch:
            if number == len(chosen):
                raise
        else:
            return


def _chosen(recipes: tuple[LoadedRecipe, ...], choice: RecipeChoice) -> LoadedRecipe:
    """The recipe that was shown to the person, and no other."""
    found = next((r for r in recipes if r.recipe.name == choice.name), None)
    if found is None:
        raise RecipeChanged(f"there is no recipe {choice.name} any more")
    if found.ref.sha256 != choice.sha256:
        raise RecipeChanged(f"{found.path} is not as it was shown: its digest is another one")
    return found
