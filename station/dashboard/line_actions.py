"""What a person does to the line: asks when it matters, then sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.dashboard.confirm import ConfirmScreen
from station.errors import NotArmed
from station.live import LineState
from station.wire import Disarm, Refusal

if TYPE_CHECKING:  # the app shows the screens that use this
    from station.dashboard.app import StationApp


async def disarm(station: StationApp) -> None:
    """Start nothing more; of a line that is not armed only said."""
    if not station.has_engine():
        return
    line = station.picture.line
    if line is None or line.state is LineState.DISARMED:
        cause = "there is nothing to disarm: no module is started"
        station.explain(Refusal(NotArmed.code, NotArmed.headline, cause, ""))
        return
    question = ConfirmScreen(
        "Disarm the line?",
        "No module is started any more; those that are being flashed are finished.",
        yes="Disarm",
    )
    if await station.push_screen_wait(question):
        await station.command(Disarm())
