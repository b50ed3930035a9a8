"""What a person does to a slot, the same from every screen: asks when it matters, then sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.dashboard.confirm import ConfirmScreen, ReasonScreen
from station.dashboard.face import verdict
from station.live import SlotState
from station.wire import Abort, Hold, Release, Retry

if TYPE_CHECKING:  # the app shows the screens that use this
    from station.dashboard.app import StationApp


async def retry(station: StationApp, slot: str) -> None:
    """Another attempt; a unit that is good is not flashed again by a slip of the hand."""
    view = station.picture.slots.get(slot)
    outcome = verdict(view) if view else None
    if outcome is not None and outcome.is_good:
        question = ConfirmScreen(
            f"Flash slot {slot} again?",
            f"The unit in slot {slot} is good ({outcome.value.replace('_', ' ')}).",
            yes="Flash again",
            dangerous=True,
        )
        if not await station.push_screen_wait(question):
            return
    await station.command(Retry(slot=slot))


async def abort(station: StationApp, slot: str) -> None:
    """End the attempt; what is being written is finished first."""
    question = ConfirmScreen(
        f"Abort slot {slot}?",
        "Before the first write it ends at once and nothing was changed. A module that is being "
        "written is finished first, since half of a firmware does not start.",
        yes="Abort",
        dangerous=True,
    )
    if await station.push_screen_wait(question):
        await station.command(Abort(slot=slot))


async def hold_or_release(station: StationApp, slot: str) -> None:
    """Keep the slot out of the line, with a reason; or let it in again."""
    view = station.picture.slots.get(slot)
    if view is not None and view.state is SlotState.HELD:
        await station.command(Release(slot=slot))
        return
    reason = await station.push_screen_wait(ReasonScreen(f"Hold slot {slot} out of the line: why?"))
    if reason is not None:
        await station.command(Hold(slot=slot, reason=reason))
