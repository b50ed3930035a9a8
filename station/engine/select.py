"""Which recipe a unit gets, and whether it needs flashing at all."""

from dataclasses import dataclass, replace

from station.config import LoadedRecipe
from station.engine.world import Order, World
from station.errors import UnknownInEdl
from station.flash.identify import names_of
from station.model import Identifier, Mode, Unit
from station.selection import (
    Decision,
    check_label,
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


async def select(
    world: World, order: Order, slot_recipe: str | None, mode: Mode, unit: Unit
) -> Selection:
    """The one recipe for this unit and what it asks for. Raises the refusals R3xx and D2xx."""
    only = order.recipe or slot_recipe
    if mode is Mode.EDL:
        return await _select_in_edl(world, order, only, unit)
    check_unit(unit)
    unit = sku_of(unit, order.label)
    recipe = match_recipe(world.recipes, unit, only)
    return Selection(unit, recipe, decide(recipe, unit))


async def _select_in_edl(world: World, order: Order, only: str | None, unit: Unit) -> Selection:
    """A module that cannot be asked: known from an earlier attempt, or named by the caller.

    What it runs is not known: an earlier attempt may have stopped half-way.
    """
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
        chip = unit.chip_serial or "unreadable"
        raise UnknownInEdl(f"the module waits in EDL, its chip serial is {chip}")
    recipe = recipe_named(world.recipes, order.recipe)
    if order.label:
        unit = sku_of(unit, order.label)
        check_label(recipe, unit)
    return Selection(unit, recipe, Decision.FLASH)
