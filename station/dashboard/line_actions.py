"""What a person does to the line: asks when it matters, then sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.dashboard.confirm import ConfirmScreen, LiftScreen
from station.errors import CampaignRuns, HubFailed, LineStopped, NotArmed, NotNow
from station.live import LineState, LineView
from station.wire import Disarm, Lift, Refusal

if TYPE_CHECKING:  # the app shows the screens that use this
    from station.dashboard.app import StationApp


def is_free(station: StationApp) -> bool:
    """People say what the line starts; False: said why they do not."""
    if not station.has_engine():
        return False
    line = station.picture.line
    if line is None or line.campaign is None:
        return True
    station.explain(CampaignRuns(f"the line is the campaign's: {line.campaign}"))
    return False


async def disarm(station: StationApp) -> None:
    """Start nothing more; of a line that is not armed only said."""
    if not is_free(station):
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


def can_be_lifted(line: LineView | None) -> bool:
    """The line was stopped, or a hub failed."""
    liftable = (LineStopped.code, HubFailed.code)
    return line is not None and any(alarm.code in liftable for alarm in line.alarms)


async def lift(station: StationApp) -> None:
    """Go on after a stop, with a name and a reason; of a line that is not stopped only said."""
    if not station.has_engine():
        return
    if not can_be_lifted(station.picture.line):
        cause = "there is nothing to lift: the line is not stopped, no hub has failed"
        station.explain(Refusal(NotNow.code, NotNow.headline, cause, ""))
        return
    told = await station.push_screen_wait(LiftScreen("Lift the stop of the line?"))
    if told is not None:
        await station.command(Lift(by=told[0], reason=told[1]))
