"""What people may ask of the running line: each command carried out and recorded, or refused."""

from dataclasses import dataclass, field
from typing import Any, assert_never

import trio
from pydantic_core import to_jsonable_python

from station.config import LoadedRecipe, load_recipes
from station.engine.life import Input, follow
from station.engine.line import Armed, Line
from station.engine.place import Place
from station.engine.server import Peer
from station.engine.views import recipe_view
from station.engine.world import Hands, Order
from station.errors import (
    ConfigError,
    NotArmed,
    NotNow,
    RecipeChanged,
    Stopping,
    StoreError,
    UsageError,
)
from station.live import LineState
from station.model import StationEvent
from station.store.ids import new_id
from station.wire import (
    Abort,
    Arm,
    Clear,
    Command,
    Disarm,
    Follow,
    Hold,
    RecipeChoice,
    Recipes,
    Release,
    Retry,
    Status,
    Stop,
    Watch,
)
from station.wire import Hands as HandsCommand

SAME_RUN_US = 12 * 3600 * 1_000_000
"""Armed again with the same recipes, operator and target within this time: counting goes on."""


@dataclass(slots=True)
class Desk:
    """A `station.engine.server.Desk`. `hands`: what simulated modules can be told."""

    line: Line
    hands: Hands | None = None
    _arming: trio.Lock = field(default_factory=trio.Lock)
    _reading: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    async def carry_out(self, command: Command, peer: Peer) -> dict[str, Any]:
        """Do it and answer with its data. Raises StationError: refused, nothing was changed."""
        match command:
            case Arm():
                await self._arm(command, peer)
            case Disarm():
                await self._disarm(command, peer)
            case Retry():
                await self._retry(command, peer)
            case Abort(slot=slot, now=now):
                self._place(slot).abort(now=now)
                await self._record(command, peer, slot=slot, detail={"now": int(now)})
            case Hold(slot=slot, reason=reason):
                follow(self._place(slot).state, Input.HOLD)
                await self._record(command, peer, slot=slot, detail={"reason": reason})
                self._place(slot).hold(reason)
            case Release(slot=slot):
                follow(self._place(slot).state, Input.RELEASED_EMPTY)
                await self._record(command, peer, slot=slot)
                self._place(slot).release()
            case Clear(slot=slot):
                follow(self._place(slot).state, Input.CLEAR)
                await self._record(command, peer, slot=slot)
                self._place(slot).give(Input.CLEAR)
            case Stop(now=now):
                await self._stop(command, peer, now=now)
            case Recipes():
                return await self._recipes()
            case Status():
                return self._status()
            case HandsCommand():
                await self._use_hands(command)
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
        async with self._arming:
            before = line.state
            line.go(LineState.ARMING)
            try:
                armed = await self._check(command)
                detail = _run(command)
                detail["counted_since_utc_us"] = armed.since_utc_us
                detail["label"] = command.label or ""
                await self._record(command, peer, kind="armed", detail=detail)
            except BaseException:
                self._go_unless_stopping(before)
                raise
            self._refuse_if_stopping()
            line.arm(armed)

    def _go_unless_stopping(self, state: LineState) -> None:
        if self.line.state is not LineState.STOPPING:
            self.line.go(state)

    async def _check(self, command: Arm) -> Armed:
        line = self.line
        expect = line.expected(command.expect)
        strangers = (expect - line.places.keys()) if isinstance(expect, frozenset) else ()
        if strangers:
            raise UsageError(f"there is no slot {min(strangers)}")
        if isinstance(expect, int) and expect > len(line.places):
            raise UsageError(f"{expect} modules do not fit into {len(line.places)} slots")
        recipes = await self._load()
        chosen = tuple(_chosen(recipes, choice) for choice in command.recipes)
        line.world.shelf.forget_failures()
        for recipe in chosen:
            await line.world.shelf.prepare(recipe)
        return Armed(
            recipes=chosen,
            operator=command.operator,
            since_utc_us=await self._counted_since(command),
            label=command.label,
            target=command.target,
            expect=expect,
        )

    async def _counted_since(self, command: Arm) -> int:
        """A pause, or an engine started anew, is not the end of a run."""
        now_us = self.line.world.clock()
        station = self.line.world.settings.station.name
        last = await self.line.world.store.last_event(station, "armed")
        if last is None or now_us - last.utc_us > SAME_RUN_US or last.actor != command.operator:
            return now_us
        if any(last.detail.get(name) != value for name, value in _run(command).items()):
            return now_us
        since = last.detail.get("counted_since_utc_us")
        return since if isinstance(since, int) else now_us

    async def _disarm(self, command: Disarm, peer: Peer) -> None:
        self._refuse_if_stopping()
        if self._arming.locked():
            raise NotNow("the line is being armed; wait until it is")
        self.line.go(LineState.DISARMED)
        await self._record(command, peer, kind="disarmed")

    def _refuse_if_stopping(self) -> None:
        if self.line.state is LineState.STOPPING:
            raise Stopping("the engine is being stopped")

    async def _load(self) -> tuple[LoadedRecipe, ...]:
        folder = self.line.world.settings.recipes
        return await trio.to_thread.run_sync(load_recipes, folder, limiter=self._reading)

    async def _recipes(self) -> dict[str, Any]:
        try:
            recipes = await self._load()
        except ConfigError as error:
            return {"recipes": [], "problem": error.cause}
        return {"recipes": to_jsonable_python(list(map(recipe_view, recipes))), "problem": None}

    async def _stop(self, command: Stop, peer: Peer, *, now: bool) -> None:
        """A record that fails must not keep anybody from stopping the engine."""
        try:
            await self._record(command, peer, detail={"now": int(now)})
        except StoreError as error:
            self.line.feed.log(f"not recorded: {error.cause}", good=False)
        self.line.stop.gently.set()
        if now:
            self.line.stop.now.set()

    # --- slots -------------------------------------------------------------------------------

    async def _retry(self, command: Retry, peer: Peer) -> None:
        place = self._place(command.slot)
        self._refuse_if_stopping()
        if self.line.state is not LineState.ARMED:
            raise NotArmed("nothing is flashed while the line is not armed")
        if troubles := self.line.health.troubles:
            raise NotNow(f"the station cannot record: {troubles[0]}")
        armed = {recipe.recipe.name for recipe in self.line.floor.world.recipes}
        if command.recipe is not None and command.recipe not in armed:
            raise NotArmed(f"the recipe {command.recipe} is not among the armed ones")
        label = command.label or self.line.floor.label
        follow(place.state, Input.START)
        detail: dict[str, str | int] = {
            "recipe": command.recipe or "",
            "label": command.label or "",
        }
        await self._record(command, peer, slot=command.slot, detail=detail)
        place.retry(Order("retry", label, command.recipe, names_slot=True))

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

    # --- record ------------------------------------------------------------------------------

    async def _record(
        self,
        command: Command,
        peer: Peer,
        *,
        kind: str | None = None,
        slot: str | None = None,
        detail: dict[str, str | int] | None = None,
    ) -> None:
        """Who asked for it. Raises StoreError."""
        kind = kind or command.do
        actor = command.operator if isinstance(command, Arm) else command.by
        await self.line.world.store.add_event(
            StationEvent(
                event_id=new_id(),
                station=self.line.world.settings.station.name,
                utc_us=self.line.world.clock(),
                kind=kind,
                actor=actor,
                peer_uid=peer.uid,
                peer_user=peer.user,
                slot=slot,
                detail=detail or {},
            )
        )
        self.line.feed.log(f"{kind} by {actor or peer.user}", slot=slot)


def _run(command: Arm) -> dict[str, str | int]:
    """What makes two armings the same run, as it is recorded."""
    recipes = ", ".join(f"{choice.name} {choice.sha256}" for choice in command.recipes)
    return {"recipes": recipes, "target": command.target or 0}


def _chosen(recipes: tuple[LoadedRecipe, ...], choice: RecipeChoice) -> LoadedRecipe:
    """The recipe that was shown to the person, and no other."""
    found = next((r for r in recipes if r.recipe.name == choice.name), None)
    if found is None:
        raise RecipeChanged(f"there is no recipe {choice.name} any more")
    if found.ref.sha256 != choice.sha256:
        raise RecipeChanged(f"{found.path} is not as it was shown: its digest is another one")
    return found
