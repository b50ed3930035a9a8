"""What people and timers ask about campaigns, each carried out or refused; and the task in which
one runs, from its first decision or from where a dead engine left it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

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
from station.engine.campaign import Night, Suspended
from station.engine.campaign_judge import at_rest, judge_rack
from station.engine.campaign_log import CampaignLog, event_of
from station.engine.campaign_plan import plan_json
from station.engine.line import Armed, Line
from station.engine.server import Peer
from station.engine.wall_clock import BACK_US
from station.errors import (
    CampaignRuns,
    NoCampaign,
    NotNow,
    PolicyChanged,
    RecipeChanged,
    StationError,
    StoreError,
)
from station.live import LineState
from station.model import Fact, Person, StationEvent
from station.selection import recipe_named
from station.store.campaigns import (
    CampaignBegun,
    CampaignSlot,
    CampaignStory,
    insert_campaign,
    newest_story,
)
from station.store.ids import new_id
from station.wire import CampaignPlan, CampaignRun

T = TypeVar("T")

RECORD_S = 30.0
"""A record that was in trouble is tried again after so long: until it is well, or the engine is
stopped. While a campaign is taken up, somebody may arm the line in between; then it ends."""


@dataclass(slots=True)
class Campaigns:
    """`looking` is held while a campaign is got ready: nobody arms the line then."""

    line: Line
    looking: trio.Lock = field(default_factory=trio.Lock)
    night: Night | None = None
    _due: trio.Event = field(default_factory=trio.Event)
    _reading: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    def check_none_runs(self) -> None:
        """Raises CampaignRuns."""
        if self.night is not None:
            name = self.night.log.begun.name
            raise CampaignRuns(f"the campaign {name} works through the rack")

    def check_free(self) -> None:
        """Raises CampaignRuns: a person may neither arm nor disarm now."""
        self.check_none_runs()
        if self.looking.locked():
            raise CampaignRuns("a campaign is got ready: packages are checked, modules asked")

    # --- what is asked -----------------------------------------------------------------------

    async def plan(self, command: CampaignPlan) -> dict[str, Any]:
        """What `run` would do now; nothing is changed. Raises StationError."""
        async with self.looking:
            self._check_line()
            loaded = await self._load(command.name)
            recipes = await self._recipes(loaded.policy)
            armed = self._armed(loaded.policy, recipes, "", self.line.world.clock())
            slots = await self._judge(loaded.policy, armed)
        return plan_json(loaded, slots, self.line.world.clock())

    async def start(
        self, command: CampaignRun, person: Person | None, peer: Peer
    ) -> dict[str, Any]:
        """Every decision is on record when it returns, with who asked and why. Raises StationError:
        nothing was begun."""
        async with self.looking:
            self._check_line()
            loaded = await self._load(command.name)
            _check_shown(loaded, command.policy_sha256)
            recipes = await self._recipes(loaded.policy)
            await self.line.world.shelf.prepare_all(recipes)
            begun = self._begun(loaded, person, peer)
            stops_s = _stops_s(loaded.policy, begun, begun.utc_us)
            by = begun.actor or peer.user
            armed = self._armed(loaded.policy, recipes, by, begun.utc_us)
            slots = await self._judge(loaded.policy, armed)
            digests: dict[str, Fact] = {r.recipe.name: r.ref.sha256 for r in recipes}
            started = event_of(self.line, begun.campaign_id, "started", digests)
            asked = self._asked(begun, person, command.reason)
            self._check_line()
            await self._end_left("it was cut off, and another one begun")
            await self.line.world.store.write(
                lambda batch: insert_campaign(batch, begun, slots, started, asked)
            )
            log = CampaignLog(self.line, begun)
            await self._take(Night(log, loaded.policy, armed, slots, stops_s))
        why = "" if command.reason is None else f": {command.reason}"
        self.line.feed.log(f"campaign {begun.name} begun by {by}{why}")
        return {"campaign_id": begun.campaign_id} | plan_json(loaded, slots, begun.utc_us)

    async def abort(self, person: Person, reason: str, peer: Peer) -> None:
        """Start nothing more; what runs is finished. On record when it returns: no later engine
        goes on with it. Raises NoCampaign, NotNow; StoreError: a later engine may."""
        who = person.name if person.name == peer.user else f"{person.name} ({peer.user})"
        why = f"ended by {who}: {reason}"
        if self.night is not None:
            if self.night.is_over:
                raise NoCampaign("it has ended already, and its sheet is being written")
            await self._abort(self.night, why)
            return
        if self.looking.locked():
            raise NotNow("a campaign is got ready; it can be ended when it has begun")
        async with self.looking:
            if not await self._end_left(why):
                raise NoCampaign("no campaign runs")

    async def _abort(self, night: Night, why: str) -> None:
        """At once, whatever the record says to it."""
        night.aborted = night.aborted or why
        self.line.floor.stir()
        try:
            await night.log.note("aborted", {"why": why})
        except StoreError as error:
            told = f"nothing more is started, but that is not on record: {error.cause}"
            self.line.feed.log(f"campaign {night.log.begun.name} {why}: {told}", good=False)
            raise type(error)(told) from error

    # --- getting ready -----------------------------------------------------------------------

    def _check_line(self) -> None:
        """Raises what stands in the way: a person at work, another campaign, the line's stop."""
        self.check_none_runs()
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

    def _begun(self, loaded: LoadedPolicy, person: Person | None, peer: Peer) -> CampaignBegun:
        return CampaignBegun(
            campaign_id=new_id(),
            station=self.line.world.settings.station.name,
            utc_us=self.line.world.clock(),
            name=loaded.policy.name,
            policy_sha256=loaded.sha256,
            policy=loaded.text,
            actor=None if person is None else person.name,
            peer_uid=peer.uid,
            peer_user=peer.user,
        )

    def _asked(
        self, begun: CampaignBegun, person: Person | None, reason: str | None
    ) -> StationEvent:
        detail: dict[str, Fact] = {"campaign": begun.name, "campaign_id": begun.campaign_id}
        if reason is not None:
            detail["reason"] = reason
        role = None if person is None or person.role is None else person.role.value
        return replace(
            self.line.world.event("campaign_run", detail),
            actor=begun.actor,
            peer_uid=begun.peer_uid,
            peer_user=begun.peer_user,
            role=role,
        )

    async def _take(self, night: Night) -> None:
        """Arm the line for it; `run` does the rest, or, where this engine is being stopped, the
        next one."""
        if self.line.is_idle:
            await self.line.world.shelf.keep(night.armed.recipes)
        if self.line.state is LineState.STOPPING:
            return
        self.night = night
        self.line.arm(night.armed)
        self._due.set()

    # --- the task ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled: first what a dead engine left, then what is begun."""
        await self._guarded(partial(self._until_well, self._take_up))
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

    async def _until_well(self, part: Callable[[], Awaitable[T]]) -> T:
        """Do it again as long as the record is in trouble."""
        while True:
            try:
                return await part()
            except StoreError as error:
                self.line.feed.log(f"campaign waits: {error.code} {error.cause}", good=False)
                await trio.sleep(RECORD_S)

    async def _left(self) -> CampaignStory | None:
        """The last campaign, if it has no end and does not run. Raises StoreError."""
        station = self.line.world.settings.station.name
        story = await self.line.world.store.ask(lambda url: newest_story(url, station))
        is_left = story is not None and story.over is None and self.night is None
        return story if is_left else None

    async def _end_left(self, why: str) -> bool:
        """No campaign is begun beside one that has no end; whether there was one. What a person
        ended has been ended for that. Raises StoreError."""
        if (story := await self._left()) is None:
            return False
        await CampaignLog(self.line, story.begun).end(story.aborted or why)
        return True

    async def _take_up(self) -> None:
        """Go on with a campaign that has no end, or end it. Raises StoreError."""
        if await self._left() is None:  # nobody who arms is in the way of this look
            return
        async with self.looking:
            if (story := await self._left()) is None:
                return
            log = CampaignLog(self.line, story.begun)
            if story.aborted is not None:
                await log.end(story.aborted)
                return
            try:
                night = await self._as_begun(log, story)
            except StoreError:
                raise
            except StationError as error:
                await log.end(f"it cannot go on: {error.cause}")
                return
            await log.note("resumed")
            await self._take(night)

    async def _as_begun(self, log: CampaignLog, story: CampaignStory) -> Night:
        """What it goes on with. Raises StationError: why it cannot."""
        world, begun = self.line.world, story.begun
        if self.line.state in (LineState.ARMING, LineState.ARMED):
            raise NotNow("somebody has armed the line meanwhile")
        path = world.settings.campaigns / f"{begun.name}.yaml"
        policy = parse_policy(path, begun.policy.encode()).policy
        now_us = world.clock()
        _check_time(story, policy, now_us)
        stops_s = _stops_s(policy, begun, now_us)
        recipes = await self._recipes(policy)
        _check_same(story, recipes)
        await world.shelf.prepare_all(recipes)
        by = begun.actor or begun.peer_user or ""
        armed = self._armed(policy, recipes, by, begun.utc_us)
        return Night(log, policy, armed, story.slots, stops_s)

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
        night.is_over = True
        night.let_go()
        try:
            await self._until_well(partial(night.log.end, why))
        finally:
            self.night = None

    async def _outcome_of(self, night: Night) -> str | None:
        """As `Night.run`; while the record is in trouble it pauses."""
        try:
            return await self._until_well(night.run)
        except StationError as error:
            return f"{error.code} {error.headline}: {error.cause}"


def _stops_s(policy: Policy, begun: CampaignBegun, now_us: int) -> float:
    """When it stops, by trio's clock; asked for at `now_us`, before all that takes time. A clock
    that is set back later makes no night longer."""
    left_us = stops_utc_us(policy, begun.utc_us) - now_us
    return trio.current_time() + left_us / 1_000_000


def _check_time(story: CampaignStory, policy: Policy, now_us: int) -> None:
    """Raises NotNow: it is over by now, or nobody can tell whether it is."""
    if now_us >= stops_utc_us(policy, story.begun.utc_us):
        raise NotNow(f"it is past {policy.stop_at}, the time to stop")
    behind_us = story.newest_utc_us - now_us
    if behind_us > BACK_US:
        raise NotNow(
            f"the clock is {behind_us / 1_000_000:.0f} s behind what is on record of this night:"
            f" whether it is past {policy.stop_at}, the time to stop, cannot be told"
        )


def _check_shown(loaded: LoadedPolicy, sha256: str | None) -> None:
    """Raises PolicyChanged: a person has seen another one."""
    if sha256 not in (None, loaded.sha256):
        raise PolicyChanged(f"the file of {loaded.policy.name} is not the one of this digest")


def _check_same(story: CampaignStory, recipes: tuple[LoadedRecipe, ...]) -> None:
    """Raises RecipeChanged: what was begun with one recipe is not ended with another."""
    started = story.event("started")
    digests = {} if started is None else started.detail
    for recipe in recipes:
        if digests.get(recipe.recipe.name) != recipe.ref.sha256:
            raise RecipeChanged(f"the recipe {recipe.recipe.name} is another one now")
