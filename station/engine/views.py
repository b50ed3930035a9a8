"""Engine facts as screens get them. Pure."""

from dataclasses import replace

from station.config import LoadedRecipe
from station.live import Earlier, RecipeView, SlotState, SlotView, StepView
from station.model import AGAIN_STEP, AttemptRecord, DeviceInfo, Failure, StepRecord, Unit

PHASE_OF = {
    AGAIN_STEP: SlotState.IDENTIFYING,
    "identify": SlotState.IDENTIFYING,
    "select": SlotState.IDENTIFYING,
    "preflight": SlotState.PLANNED,
    "verify": SlotState.VERIFYING,
    "reset": SlotState.VERIFYING,
    "confirm": SlotState.VERIFYING,
    "give_back": SlotState.VERIFYING,
}
"""Steps of a procedure that are not named here change the module: FLASHING."""


def fresh(slot: str, state: SlotState, device: DeviceInfo | None, since_utc_us: int) -> SlotView:
    """A slot of which only the device is known."""
    return SlotView(
        slot=slot,
        state=state,
        since_utc_us=since_utc_us,
        port_path=None if device is None else str(device.path),
        usb_id=None if device is None else device.usb_id,
    )


def with_unit(view: SlotView, unit: Unit) -> SlotView:
    return replace(
        view,
        imei=unit.imei,
        serial=unit.serial,
        chip_serial=unit.chip_serial,
        model=unit.model,
        sku=unit.sku,
        firmware_before=unit.firmware,
        firmware=unit.firmware,
    )


def with_recipe(view: SlotView, recipe: LoadedRecipe | None) -> SlotView:
    if recipe is None:
        return view
    return replace(view, recipe=recipe.recipe.name, version=recipe.recipe.firmware.version)


def with_verdict(view: SlotView, record: AttemptRecord) -> SlotView:
    """The slot with all that the record of its attempt says."""
    opened, closed = record.opened, record.closed
    if closed is not None:
        view = replace(
            with_unit(view, closed.unit),
            ended_utc_us=closed.ended_utc_us,
            outcome=closed.outcome,
            failure=closed.failure,
            firmware_before=opened.unit.firmware,
            firmware=closed.firmware_after or opened.unit.firmware,
        )
    return replace(
        view,
        attempt_id=opened.attempt_id,
        recipe=view.recipe or (None if opened.recipe is None else opened.recipe.name),
        began_utc_us=opened.started_utc_us,
        steps=tuple(map(step_view, record.steps)),
        step=None,
        bytes_per_s=0,
    )


def with_trouble(view: SlotView, failure: Failure) -> SlotView:
    """The slot whose verdict could not be committed: there is none."""
    return replace(view, outcome=None, failure=failure, earlier=None, step=None, bytes_per_s=0)


def step_view(record: StepRecord) -> StepView:
    detail = ", ".join(f"{name} {value}" for name, value in record.detail.items())
    return StepView(record.name, record.outcome, record.duration_us, detail[:200])


def earlier_of(record: AttemptRecord) -> Earlier | None:
    closed = record.closed
    if closed is None:
        return None
    slot = record.opened.slot
    return Earlier(closed.outcome, slot, closed.ended_utc_us, closed.firmware_after)


def recipe_view(loaded: LoadedRecipe) -> RecipeView:
    recipe = loaded.recipe
    return RecipeView(
        name=recipe.name,
        revision=recipe.revision,
        sha256=loaded.ref.sha256,
        sku=recipe.match.sku,
        version=recipe.firmware.version,
        package=recipe.firmware.package,
    )


def same_unit(one: Unit, other: Unit) -> bool | None:
    """Do these two share a name and contradict each other in none? None: nobody can tell."""
    pairs = (
        (one.imei, other.imei),
        (one.serial, other.serial),
        (one.chip_serial, other.chip_serial),
    )
    known = [a == b for a, b in pairs if a is not None and b is not None]
    return all(known) if known else None
