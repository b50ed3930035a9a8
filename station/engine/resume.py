"""Work that was cut off when an engine died: which module it was, and with what it goes on.

Only what is certain is taken up again by itself: the chip serial, committed before the first
erase, is that of the module in EDL now. A locked rack may say that the slot is enough. It goes on
with the same recipe and package, to the digest, or not at all.
"""

from collections.abc import Iterable

from station.config import LoadedRecipe
from station.engine.ports import SlotPort
from station.engine.world import World
from station.errors import NotResumed, ResumesWhenArmed
from station.model import LAYOUT_STEP, AttemptRecord, PackageRef, StepOutcome, Unit

DIGITS = 8
"""So much of a digest tells recipes apart for people."""


async def unfinished_here(
    world: World, port: SlotPort, unit: Unit, *, by_slot: bool
) -> AttemptRecord | None:
    """The interrupted attempt that has certainly left this module in EDL. `by_slot`: nobody can
    have changed the module, and the settings may let that count."""
    policy = world.settings.line.resume
    if policy == "never":
        return None
    found = None
    if unit.chip_serial is not None:
        found = await world.store.unfinished_unit(unit.chip_serial)
    if found is not None or not by_slot or policy != "same_slot":
        return found
    if unit.chip_serial is not None and await world.store.unit_by_chip(unit.chip_serial):
        return None  # it has a story of its own
    slot = port.slot
    return await world.store.unfinished_slot(
        world.settings.station.name, slot.name, sorted(map(str, slot.ports))
    )


def recipe_of(left: AttemptRecord, recipes: Iterable[LoadedRecipe]) -> LoadedRecipe | None:
    """The very recipe that the interrupted attempt had, if it is among these."""
    wanted = left.opened.recipe
    return next((r for r in recipes if wanted is not None and r.ref.sha256 == wanted.sha256), None)


def is_layout_proven(left: AttemptRecord) -> bool:
    """The interrupted attempt had compared the partition table before it began to erase."""
    return any(s.name == LAYOUT_STEP and s.outcome is StepOutcome.OK for s in left.steps)


def check_package(left: AttemptRecord, package: PackageRef) -> None:
    """Raises NotResumed if the recipe's package is not what was being written."""
    wanted = left.opened.package
    if wanted is None or wanted.sha256 != package.sha256:
        raise NotResumed(f"{_what(left)}, and its package {package.name} is another one now")


def waits(left: AttemptRecord) -> ResumesWhenArmed:
    return ResumesWhenArmed(f"{_what(left)}; it goes on when that recipe is armed")


def not_armed(left: AttemptRecord) -> NotResumed:
    return NotResumed(f"{_what(left)}, which is not the one that is armed")


def _what(left: AttemptRecord) -> str:
    """The interrupted attempt in words, ending with its recipe."""
    opened, recipe = left.opened, left.opened.recipe
    told = "no recipe"
    if recipe is not None:
        told = f"recipe {recipe.name} {recipe.revision} ({recipe.sha256[:DIGITS]})"
    return f"the flash begun in slot {opened.slot} was cut off; it was with {told}"
