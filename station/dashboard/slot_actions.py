"""What a person does to a slot, the same from every screen: asks when it matters, then sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.dashboard.confirm import ConfirmScreen, LiftScreen, ReasonScreen
from station.dashboard.face import shown, verdict
from station.dashboard.line_actions import is_free
from station.dashboard.words import outcome_word
from station.errors import HeldByEngineer, SlotOut
from station.live import SlotState, SlotView
from station.wire import Abort, Hold, Lift, Release, Retry

if TYPE_CHECKING:  # the app shows the screens that use this
    from station.dashboard.app import StationApp

_WRITING = frozenset({"erase", "program"})
"""Steps since which a module is neither what it was nor what it shall be."""
_WRITTEN = (
    "It is being written: aborting now may leave it unusable until it is flashed again. "
    "Better let it come to its end."
)
_UNTOUCHED = "Nothing is written yet: it ends at once, and the module stays what it was."


async def retry(station: StationApp, slot: str) -> None:
    """Another attempt, asked for by whose shift it is; a unit that is good is not flashed again by
    a slip of the hand."""
    if not is_free(station):
        return
    view = station.picture.slots.get(slot)
    outcome = verdict(shown(view)) if view else None
    if outcome is not None and outcome.is_good:
        question = ConfirmScreen(
            f"Flash slot {slot} again?",
            f"The unit in slot {slot} is good ({outcome_word(outcome)}).",
            yes="Flash again",
            dangerous=True,
        )
        if not await station.push_screen_wait(question):
            return
    await station.command(Retry(by=station.picture.on_shift, slot=slot))


async def abort(station: StationApp, slot: str) -> None:
    """End the attempt; if nothing runs there the engine says so."""
    view = station.picture.slots.get(slot)
    if view is None or not view.state.is_busy:
        await station.command(Abort(slot=slot))
        return
    now = _is_written(view)
    question = ConfirmScreen(
        f"Abort slot {slot}?", _WRITTEN if now else _UNTOUCHED, yes="Abort", dangerous=True
    )
    if await station.push_screen_wait(question):
        await station.command(Abort(slot=slot, now=now))


def _is_written(view: SlotView) -> bool:
    """Its memory is not what it was any more, and not yet known to be good."""
    return not _WRITING.isdisjoint((view.step, *(step.name for step in view.steps)))


async def hold_or_release(station: StationApp, slot: str) -> None:
    """Keep the slot out of the line, with a reason; or let it in again: what the station took out
    or an engineer holds, with a name and a reason, anything else for whose shift it is."""
    view = station.picture.slots.get(slot)
    why = None if view is None or view.failure is None else view.failure.code
    if why in (SlotOut.code, HeldByEngineer.code):
        told = await station.push_screen_wait(LiftScreen(f"Let slot {slot} in again?"))
        if told is not None:
            let_in = Lift if why == SlotOut.code else Release
            await station.command(let_in(by=told[0], reason=told[1], slot=slot))
        return
    if view is not None and view.state is SlotState.HELD:
        await station.command(Release(by=station.picture.on_shift, slot=slot))
        return
    reason = await station.push_screen_wait(ReasonScreen(f"Hold slot {slot} out of the line: why?"))
    if reason is not None:
        await station.command(Hold(slot=slot, reason=reason))
