"""Which recipe a unit gets, and whether it needs flashing at all."""

from dataclasses import dataclass, replace

from station.config import LoadedRecipe
from station.engine.resume import not_armed, recipe_of
from station.engine.views import same_unit
from station.engine.world import Chosen, Order, World
from station.errors import NotResumed, Swapped, UnknownInEdl
from station.flash.identify import names_of
from station.model import AttemptRecord, Identifier, Mode, Unit
from station.selection import (
    Decision,
    check_label,
    check_tac,
    check_unit,
    check_variant,
    decide,
    match_recipe,
    recipe_named,
    sku_of,
)


@dataclass(frozen=True, slots=True)
class Selection:
    unit: Unit
    recipe: LoadedRecipe
    decision: Decision
    remembered: tuple[Identifier, ...] = ()
    """Names that an earlier attempt read."""
    resumed: AttemptRecord | None = None
    """The interrupted attempt that is repeated."""
    unproven: str | None = None
    """The attempt that left it unproven, for which it is flashed though it has the version."""


async def select(
    world: World,
    order: Order,
    slot_recipe: str | None,
    mode: Mode,
    unit: Unit,
    left: AttemptRecord | None = None,
) -> Selection:
    """The one recipe for this unit and what it asks for. `left`: the interrupted attempt that this
    module in EDL is left from. Raises the refusals R3xx and D2xx."""
    only = order.recipe or slot_recipe
    if order.resumes is not None and (left is None or left.opened.attempt_id != order.resumes):
        raise NotResumed("the module in the slot is not the one any more that was cut off")
    if order.resumes is not None and left is not None:
        return await _select_again(world, order, only, unit, left)
    if mode is Mode.EDL:
        return await _select_in_edl(world, order, only, unit, left)
    check_unit(unit)
    unit = sku_of(unit, order.label)
    check_tac(world.recipes, unit)
    recipe = match_recipe(world.recipes, unit, only)
    decision = decide(recipe, unit)
    if decision is Decision.FLASH:
        return Selection(unit, recipe, decision)
    unproven = await world.store.unproven_attempt(unit)
    return Selection(unit, recipe, Decision.FLASH if unproven else decision, unproven=unproven)


def check_chosen(chosen: Chosen, unit: Unit) -> None:
    """Raises Swapped for another unit than the one that a campaign looked at; `unit` with all that
    the record knows of a module in EDL."""
    if same_unit(unit, chosen.unit) is False:
        raise Swapped("the module in the slot is not the one any more that the campaign chose")


async def _select_again(
    world: World, order: Order, only: str | None, unit: Unit, left: AttemptRecord
) -> Selection:
    """As the interrupted attempt had it. Raises NotResumed if that recipe is not here."""
    recipe = recipe_of(left, world.recipes)
    if recipe is None or only not in (None, recipe.recipe.name):
        raise not_armed(left)
    known = None
    if unit.chip_serial is not None:
        known = await world.store.unit_by_chip(unit.chip_serial)
    known = known or replace(left.opened.unit, chip_serial=unit.chip_serial)
    if order.label:
        known = sku_of(replace(known, firmware=None), order.label)
        check_label(recipe, known)
    return Selection(
        replace(known, firmware=None, functionality=None),
        recipe,
        Decision.FLASH,
        tuple(names_of(known, "record")),
        left,
    )


async def _select_in_edl(
    world: World, order: Order, only: str | None, unit: Unit, left: AttemptRecord | None
) -> Selection:
    """A module that cannot be asked: known from an earlier attempt, or named by the caller.

    What it runs is not known: an earlier attempt may have stopped half-way.
    """
    again = None if left is None else recipe_of(left, world.recipes)
    if left is not None and again is not None and only in (None, again.recipe.name):
        return await _select_again(world, order, only, unit, left)
    known = None
    if unit.chip_serial is not None:
        known = await world.store.unit_by_chip(unit.chip_serial)
    if known is not None and known.sku is not None:  # seen in EDL only: still a stranger
        known = replace(known, chip_serial=unit.chip_serial, sku_source="record")
        known = sku_of(known, order.label) if order.label else known
        recipe = match_recipe(world.recipes, known, only)
        check_variant(recipe, known)
        return Selection(
            replace(known, firmware=None, functionality=None),
            recipe,
            Decision.FLASH,
            tuple(names_of(known, "record")),
        )
    if order.recipe is None or not order.names_slot:
        if left is not None:
            raise not_armed(left)
        chip = unit.chip_serial or "unreadable"
        raise UnknownInEdl(f"the module waits in EDL, its chip serial is {chip}")
    recipe = recipe_named(world.recipes, order.recipe)
    if order.label:
        unit = sku_of(unit, order.label)
        check_label(recipe, unit)
    return Selection(unit, recipe, Decision.FLASH)
