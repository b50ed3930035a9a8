"""What people and timers ask about campaigns, each carried out or refused; and the task in which
one runs, from its first decision or from where a dead engine left it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from station.config import (
    LoadedPolicy,
    LoadedRecipe,
    Policy,
    load_policy,
    load_recipes,
    parse_policy,
    stops_utc_us,
)
from station.config.settings import LineSection
from station.engine.campaign import Night, Suspended, event_of
from station.engine.campaign_judge import at_rest, judge_rack
from station.engine.campaign_plan import plan_json
from station.engine.line import Armed, Line
from station.engine.server import Peer
from station.engine.sheet_file import write_sheet
from station.errors import (
    CampaignRuns,
    NoCampaign,
    NotNow,
    RecipeChanged,
    StationError,
    StoreError,
)
from station.live import LineState
from station.model import Fact
from station.selection import recipe_named
from station.store.campaigns import (
    CampaignBegun,
    CampaignSlot,
    CampaignStory,
    insert_campaign,
    newest_story,
)
from station.store.ids import new_id
from station.wire import CampaignAbort, CampaignPlan, CampaignRun

RECORD_S = 30.0
"""A record that was in trouble is tried again after so long: until it is well, or the engine is
stopped. Nothing can be started meanwhile."""


@dataclass(slots=True)
class Campaigns:
    """`looking` is held while the modules of the rack are asked: nobody arms the line then."""

    line: Line
    looking: trio.Lock = field(default_factory=trio.Lock)
    night: Night | None = None
    _due: trio.Event = field(default_factory=trio.Event)
    _reading: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    def check_free(self) -> None:
        """Raises CampaignRuns: a person may not arm now."""
        if self.night is not None:
            raise CampaignRuns(f"the campaign {self.night.begun.name} works through the rack")
        if self.looking.locked():
            raise CampaignRuns("the modules are being asked who they are, for a campaign")

    # --- what is asked -----------------------------------------------------------------------

    async def plan(self, command: CampaignPlan) -> dict[str, Any]:
        """What `run` would do now; nothing is changed. Raises StationError."""
        self._check_line()
        async with self.looking:
            loaded = await self._load(command.name)
            recipes = await self._recipes(loaded.policy)
            armed = self._armed(loaded.policy, recipes, "", self.line.world.clock())
            slots = await self._judge(loaded.policy, armed)
        return plan_json(loaded, slots, self.line.world.clock())

    async def start(self, command: CampaignRun, peer: Peer) -> dict[str, Any]:
        """Every decision is on record when it returns. Raises StationError: nothing was begun."""
        self._check_line()
        async with self.looking:
            loaded = await self._load(command.name)
            recipes = await self._recipes(loaded.policy)
            for recipe in recipes:
                await self.line.world.shelf.prepare(recipe)
            begun = self._begun(loaded, command, peer)
            by = command.by or peer.user
            armed = self._armed(loaded.policy, recipes, by, begun.utc_us)
            slots = await self._judge(loaded.policy, armed)
            digests: dict[str, Fact] = {r.recipe.name: r.ref.sha256 for r in recipes}
            started = event_of(self.line, begun.campaign_id, "started", digests)
            self._check_line()
            await self.line.world.store.write(
                lambda batch: insert_campaign(batch, begun, slots, started)
            )
            self._take(begun, loaded.policy, armed, slots)
        self.line.feed.log(f"campaign {begun.name} begun by {by}")
        return {"campaign_id": begun.campaign_id} | plan_json(loaded, slots, begun.utc_us)

    def abort(self, command: CampaignAbort, peer: Peer) -> None:
        """Start nothing more; what runs is finished. Raises NoCampaign."""
        if self.night is None:
            raise NoCampaign("no campaign runs")
        who = f"{command.by} ({peer.user})" if command.by != peer.user else command.by
        self.night.aborted = f"ended by {who}: {command.reason}"
        self.line.floor.stir()

    # --- getting ready -----------------------------------------------------------------------

    def _check_line(self) -> None:
        """Raises what stands in the way: a person at work, another campaign, the line's stop."""
        if self.night is not None:
            self.check_free()
        if self.line.state is not LineState.DISARMED:
            raise NotNow(f"the line is {self.line.state.value}; disarm it first")
        if not self.line.is_idle:
            raise NotNow("modules are still being worked on")
        if (stopped := self.line.guard.stopped) is not None:
            raise stopped
        if (trouble := self.line.health.obstacle) is not None:
            raise NotNow(f"nothing can be started: {trouble.cause}")

    async def _load(self, name: str) -> LoadedPolicy:
        folder = self.line.world.settings.campaigns
        return await trio.to_thread.run_sync(load_policy, folder, name, limiter=self._reading)

    async def _recipes(self, policy: Policy) -> tuple[LoadedRecipe, ...]:
        """Raises ConfigError, UsageError for a recipe there is not."""
        world = self.line.world
        there = await trio.to_thread.run_sync(
            load_recipes, world.settings.recipes, world.families, limiter=self._reading
        )
        return tuple(recipe_named(there, name) for name in policy.recipes)

    def _armed(
        self, policy: Policy, recipes: tuple[LoadedRecipe, ...], by: str, since_utc_us: int
    ) -> Armed:
        changes = {"resume": policy.resume, "attempts": policy.limits.attempts}
        rules: LineSection = self.line.world.settings.line.model_copy(update=changes)
        return Armed(recipes, by, since_utc_us, campaign=policy.name, rules=rules)

    async def _judge(self, policy: Policy, armed: Armed) -> list[CampaignSlot]:
        places = self.line.places.values()
        await at_rest(places, lambda: self.line.floor.stirred)
        return await judge_rack(self.line.world_for(armed), policy, places)

    def _begun(self, loaded: LoadedPolicy, command: CampaignRun, peer: Peer) -> CampaignBegun:
        return CampaignBegun(
            campaign_id=new_id(),
            station=self.line.world.settings.station.name,
            utc_us=self.line.world.clock(),
            name=loaded.policy.name,
            policy_sha256=loaded.sha256,
            policy=loaded.text,
            actor=command.by,
            peer_uid=peer.uid,
            peer_user=peer.user,
        )

    def _take(
        self,
        begun: CampaignBegun,
        policy: Policy,
        armed: Armed,
        slots: Sequence[CampaignSlot],
    ) -> None:
        """Arm the line for it; `run` does the rest."""
        left_s = (stops_utc_us(policy, begun.utc_us) - self.line.world.clock()) / 1_000_000
        stops_s = trio.current_time() + left_s
        self.night = Night(self.line, begun, policy, armed, slots, stops_s)
        if self.line.is_idle:
            self.line.world.shelf.keep(armed.recipes)
        self.line.arm(armed)
        self._due.set()

    # --- the task ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled: first what a dead engine left, then what is begun."""
        await self._guarded(self._take_up)
        while True:
            await self._due.wait()
            self._due = trio.Event()
            await self._guarded(self._see_through)

    async def _guarded(self, part: Callable[[], Awaitable[None]]) -> None:
        """Nothing that goes wrong with a campaign ends the engine."""
        try:
            await part()
        except StationError as error:
            self.line.feed.log(f"campaign: {error.code} {error.cause}", good=False)
        except Exception as error:  # noqa: BLE001 - a bug must not end other slots' work
            told = f"X901 STATION BUG: campaign: {type(error).__name__}: {error}"
            self.line.feed.log(told, good=False)

    async def _take_up(self) -> None:
        """Go on with a campaign that nobody ended. Raises StationError."""
        world = self.line.world
        station = world.settings.station.name
        story = await world.store.ask(lambda url: newest_story(url, station))
        if story is None or story.over is not None:
            return
        begun = story.begun
        path = world.settings.campaigns / f"{begun.name}.yaml"
        policy = parse_policy(path, begun.policy.encode()).policy
        night = Night(self.line, begun, policy, self._armed(policy, (), "", 0), story.slots, 0.0)
        if world.clock() >= stops_utc_us(policy, begun.utc_us):
            words = f"the station was off at {policy.stop_at}, the time to stop"
            await self._finish(night, words)
            return
        try:
            recipes = await self._recipes(policy)
            _check_same(story, recipes)
            for recipe in recipes:
                await world.shelf.prepare(recipe)
        except StoreError:
            raise
        except StationError as error:
            await self._finish(night, f"it cannot go on: {error.cause}")
            return
        await night.note("resumed")
        by = begun.actor or begun.peer_user or ""
        self._take(begun, policy, self._armed(policy, recipes, by, begun.utc_us), story.slots)

    async def _see_through(self) -> None:
        """To its end and its sheet; whatever happens, the line is free then."""
        if (night := self.night) is None:
            return
        try:
            why = await self._outcome_of(night)
        except Suspended:
            return
        except Exception as error:  # noqa: BLE001 - a bug ends the campaign, not the engine
            why = f"X901 STATION BUG: {type(error).__name__}: {error}"
        night.let_go()
        try:
            await self._finish(night, why)
        finally:
            self.night = None

    async def _outcome_of(self, night: Night) -> str | None:
        """As `Night.run`; while the record is in trouble it pauses."""
        while True:
            try:
                return await night.run()
            except StoreError as error:
                self.line.feed.log(f"campaign pauses: {error.code} {error.cause}", good=False)
                await trio.sleep(RECORD_S)
            except StationError as error:
                return f"{error.code} {error.headline}: {error.cause}"

    async def _finish(self, night: Night, why: str | None) -> None:
        """How it ended is on record before the sheet is written; tried until it is."""
        detail: dict[str, Fact] = {} if why is None else {"why": why}
        while True:
            try:
                await night.note("ended" if why is None else "stopped", detail)
                break
            except StoreError as error:
                self.line.feed.log(f"campaign's end not recorded: {error.cause}", good=False)
                await trio.sleep(RECORD_S)
        self.line.health.signer.shift_ended()
        try:
            path = await write_sheet(self.line.world.settings, await night.story())
            await night.note("sheet", {"file": str(path)})
        except StationError as error:
            self.line.feed.log(f"no sheet: {error.cause}", good=False)
            await self._note_no_sheet(night, error)

    async def _note_no_sheet(self, night: Night, error: StationError) -> None:
        try:
            await night.note("no_sheet", {"why": f"{error.code} {error.cause}"})
        except StoreError as trouble:
            self.line.feed.log(f"not recorded: {trouble.cause}", good=False)


def _check_same(story: CampaignStory, recipes: tuple[LoadedRecipe, ...]) -> None:
    """Raises RecipeChanged: what was begun with one recipe is not ended with another."""
    started = story.event("started")
    digests = {} if started is None else started.detail
    for recipe in recipes:
        if digests.get(recipe.recipe.name) != recipe.ref.sha256:
            raise RecipeChanged(f"the recipe {recipe.recipe.name} is another one now")
