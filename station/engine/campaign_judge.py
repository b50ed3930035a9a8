"""What a campaign does with each module of the rack, decided before any is touched.

The modules are asked by reads alone, and then the record. Whether and with what a module may be
flashed is decided by `station.engine.select`, as for every attempt; a policy only narrows that.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

import trio

from station.config import Family, LoadedRecipe, Policy
from station.engine.clash import check_names
from station.engine.place import Place
from station.engine.select import select
from station.engine.views import same_unit
from station.engine.world import Order, World
from station.errors import IdentityClash, Quarantined, StationError
from station.live import SlotState
from station.model import AttemptRecord, Mode, Unit
from station.selection import Decision, check_family, sku_of
from station.store.campaigns import CampaignSlot, Decided, standing_of, usual_us

REST_S = 60.0
"""Modules that just came, or are being asked already, are waited for so long."""

_ON_THEIR_WAY = frozenset({SlotState.PROBING, SlotState.RETURNING, SlotState.SETTLING})
_OUT = frozenset({SlotState.HELD, SlotState.DISABLED})

_WORK_OF = {
    Decision.FLASH: Decided.FLASH,
    Decision.VERIFY_ONLY: Decided.VERIFY,
    Decision.SKIP: Decided.NOT_MEANT,
}


async def at_rest(places: Iterable[Place], stirred: Callable[[], trio.Event]) -> None:
    """Return when every module has been asked who it is, or after REST_S. `stirred`: the event that
    comes with the next change of a slot."""
    waited = list(places)
    with trio.move_on_after(REST_S):
        while True:
            stir = stirred()
            if not any(_is_on_its_way(place) for place in waited):
                return
            await stir.wait()


def _is_on_its_way(place: Place) -> bool:
    unseen = place.state is SlotState.EMPTY and place.port.device is not None
    return unseen or place.state in _ON_THEIR_WAY


async def judge_rack(world: World, policy: Policy, places: Iterable[Place]) -> list[CampaignSlot]:
    """A decision for each slot, in the order of slots; those to be worked on have their ordinals.
    `world` has the campaign's recipes and rules. Raises StoreError."""
    usual = await world.store.ask(lambda url: usual_us(url, world.settings.station.name))
    decided: dict[str, CampaignSlot] = {}
    troubles: list[StationError] = []

    async def judge_one(place: Place) -> None:
        try:
            decided[place.name] = await _Judge(world, policy, place, usual).judge()
        except StationError as error:
            troubles.append(error)

    ordered = list(places)
    async with trio.open_nursery() as nursery:
        for place in ordered:
            nursery.start_soon(judge_one, place)
    if troubles:
        raise troubles[0]
    slots = [decided[place.name] for place in ordered]
    return _in_order(policy, _without_doubles(slots))


def _without_doubles(slots: list[CampaignSlot]) -> list[CampaignSlot]:
    """Two modules of one name in the rack: nobody knows which of them is the unit."""
    judged = []
    for slot in slots:
        twin = next((o for o in slots if o is not slot and same_unit(o.unit, slot.unit)), None)
        if slot.decided.is_work and twin is not None:
            reason = f"the module in slot {twin.slot} goes by the same name"
            slot = replace(slot, decided=Decided.BLOCKED, reason=reason)
        judged.append(slot)
    return judged


def _in_order(policy: Policy, slots: list[CampaignSlot]) -> list[CampaignSlot]:
    """With the place of each in the order of work; those beyond the limit have none."""
    work = [slot for slot in slots if slot.decided.is_work]
    if policy.order == "family":
        work.sort(key=lambda slot: (slot.family, slot.recipe or ""))
    numbers = {slot.slot: number for number, slot in enumerate(work, start=1)}
    most = policy.limits.units
    over = {name for name, number in numbers.items() if number > most}
    told = f"the campaign is for {most} units"
    return [
        replace(slot, decided=Decided.OVER_LIMIT, reason=told)
        if slot.slot in over
        else replace(slot, ordinal=numbers.get(slot.slot, 0))
        for slot in slots
    ]


_NOT_RESUMED = "it was cut off half written, and the policy says `resume: never`: a person decides"


class _Judge:
    def __init__(self, world: World, policy: Policy, place: Place, usual: dict[str, int]) -> None:
        self._world = world
        self._policy = policy
        self._place = place
        self._usual = usual
        self._unit = Unit()
        self._unit_id: str | None = None

    async def judge(self) -> CampaignSlot:
        state, failure = self._place.state, self._place.view.failure
        if state in _OUT:
            cause = state.value if failure is None else f"{failure.headline}: {failure.cause}"
            return self._slot(Decided.SLOT_OUT, cause)
        device = self._place.port.device
        if device is None:
            return self._slot(Decided.EMPTY, "no module shows itself on USB")
        try:
            unit, left = await self._place.ask(self._world)
        except StationError as error:
            return self._slot(Decided.BLOCKED, _told(error))
        mode = self._world.families.mode_of(device)
        if mode is Mode.EDL and unit.chip_serial is not None:
            unit = await self._world.store.unit_by_chip(unit.chip_serial) or unit
        self._unit = unit
        if left is None and await self._was_cut_off(mode, unit):
            return self._slot(Decided.BLOCKED, _NOT_RESUMED)
        standing = await self._world.store.ask(lambda url: standing_of(url, unit))
        self._unit_id = next(iter(standing.unit_ids), None)
        try:
            await check_names(self._world.store, unit, "")
        except Quarantined as error:
            return self._slot(Decided.QUARANTINED, error.cause)
        except IdentityClash as error:
            return self._slot(Decided.BLOCKED, _told(error))
        if self._policy.units.known and not standing.was_good:
            return self._slot(Decided.UNKNOWN, _unknown(standing.unit_ids))
        return await self._choose(mode, unit, left)

    async def _choose(self, mode: Mode, unit: Unit, left: AttemptRecord | None) -> CampaignSlot:
        if (why := self._not_meant(unit)) is not None:
            return self._slot(Decided.NOT_MEANT, why)
        order = Order("campaign", resumes=None if left is None else left.opened.attempt_id)
        slot_recipe = self._place.port.slot.recipe
        try:
            chosen = await select(self._world, order, slot_recipe, mode, unit, left)
            family = None if mode is Mode.EDL else self._family()
            check_family(chosen.recipe, family)
        except StationError as error:
            return self._slot(Decided.BLOCKED, _told(error))
        recipe = chosen.recipe
        if left is not None:
            return self._slot(Decided.RESUME, "it was cut off half written", recipe)
        version = chosen.unit.firmware  # in EDL: none, whatever it had when it was asked last
        if chosen.decision is not Decision.FLASH:
            at_target = f"it has {version} already"
            return self._slot(_WORK_OF[chosen.decision], at_target, recipe)
        if chosen.unproven is not None:  # at its target, so from where it starts is no matter
            unproven = f"it has {version} already, but did not pass when it was written last"
            return self._slot(Decided.FLASH, unproven, recipe)
        if not _is_any(version or "", self._policy.units.allow_from):
            told = version or "a version that it cannot tell"
            return self._slot(Decided.NOT_MEANT, f"the campaign does not start from {told}")
        return self._slot(Decided.FLASH, f"from {version or 'unknown'}", recipe)

    async def _was_cut_off(self, mode: Mode, unit: Unit) -> bool:
        chip = unit.chip_serial
        if mode is not Mode.EDL or chip is None:
            return False
        return await self._world.store.unfinished_unit(chip) is not None

    def _family(self) -> Family | None:
        device = self._place.port.device
        return None if device is None else self._world.families.family_of(device)

    def _not_meant(self, unit: Unit) -> str | None:
        units = self._policy.units
        if units.tac and unit.tac not in units.tac:
            return f"TAC {unit.tac or 'unknown'} is none of the campaign's"
        try:
            sku = sku_of(unit, None).sku
        except StationError as error:
            return _told(error)
        if units.sku != ("*",) and not _is_any(sku or "", units.sku):
            return f"SKU {sku or 'unknown'} is none of the campaign's"
        return None

    def _slot(
        self, decided: Decided, reason: str, recipe: LoadedRecipe | None = None
    ) -> CampaignSlot:
        slot = CampaignSlot(
            self._place.name, decided, reason, unit_id=self._unit_id, unit=self._unit
        )
        if recipe is None:
            return slot
        is_short = decided is Decided.VERIFY
        return replace(
            slot,
            recipe=recipe.recipe.name,
            target=recipe.recipe.firmware.version,
            family=recipe.recipe.family or recipe.recipe.name,
            expected_us=None if is_short else self._usual.get(recipe.ref.sha256),
        )


def _told(error: StationError) -> str:
    return f"{error.code} {error.headline}: {error.cause}"


def _unknown(unit_ids: tuple[str, ...]) -> str:
    if unit_ids:
        return "it is on this record, and never was good"
    return "it is not on this record"


def _is_any(text: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)
