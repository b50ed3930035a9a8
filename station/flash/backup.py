"""Before anything is switched: the module copies its calibration inside itself.

Its own count is the proof. Until it was told to write, what may pass is got over as anywhere. From
then on nothing is tried: cutting its power, or telling it again, could do the harm that the backup
is made against. So whatever goes wrong there is a BackupNotMade.
"""

import trio

from station.errors import (
    AtError,
    AtSilent,
    BackupNotMade,
    BackupNotOffered,
    Bug,
    UsbError,
)
from station.flash.edl import check_still_the_same
from station.flash.session import Session, StepResult
from station.model import Mode
from station.patience import LAST_WORD_S, time_left_s
from station.protocols.at import AtChannel
from station.protocols.at_backup import BackupCount, back_up, check_offer, read_count

ANSWER_S = 5.0
RISE_S = 15.0
"""A module may answer first and count then."""


async def back_up_inside(session: Session) -> StepResult:
    """Make the module back itself up, and see its count rise. The copy of a module that a flash may
    have harmed would take the place of the good one, so none is made then.

    Raises BackupNotOffered before anything is written, BackupNotMade after.
    """
    if session.identified is not None and session.families.mode_of(session.identified) is Mode.EDL:
        why = "not made: in EDL a module cannot be asked for it"
        return StepResult(detail={"backup": why}, skipped=True)
    if session.port.device != session.identified:
        await check_still_the_same(session)
    if (attempt_id := await session.spoiled_by()) is not None:
        why = f"not made: attempt {attempt_id} did not pass, and may have changed what is copied"
        return StepResult(detail={"backup": why}, skipped=True)
    device, family = session.identified, session.family
    if device is None or family is None:
        raise Bug("a module is to back itself up that was never asked who it is")
    if not family.module_backup:
        raise BackupNotOffered(f"{family.name} modules are not known to back themselves up safely")
    await session.open(device, family.at_interface, line_state=True)
    try:
        channel = AtChannel()
        before = await _prepare(session, channel)
        after = await _back_up(session, channel, before)
    finally:
        await session.close()
    return StepResult(
        detail={
            "backups_before": before.backups,
            "backups_after": after.backups,
            "restores": after.restores,
        }
    )


async def _prepare(session: Session, channel: AtChannel) -> BackupCount:
    """Reading only."""
    try:
        await session.run(check_offer(channel, ANSWER_S))
        return await session.run(read_count(channel, ANSWER_S))
    except AtError as error:
        raise BackupNotOffered(error.cause) from error


async def _back_up(session: Session, channel: AtChannel, before: BackupCount) -> BackupCount:
    try:
        await session.run(back_up(channel, max(LAST_WORD_S, time_left_s() - LAST_WORD_S)))
        after = await _await_rise(session, channel, before)
    except (AtError, AtSilent, UsbError) as error:
        raise BackupNotMade(f"the module was told to back itself up, then: {error}") from error
    if after.backups <= before.backups:
        raise BackupNotMade(
            f"the module said OK, but its count of backups was {before.backups} before and is "
            f"{after.backups} now"
        )
    return after


async def _await_rise(session: Session, channel: AtChannel, before: BackupCount) -> BackupCount:
    until_s = trio.current_time() + RISE_S
    while True:
        after = await session.run(read_count(channel, ANSWER_S))
        if after.backups > before.backups or trio.current_time() >= until_s:
            return after
        await session.backend.wait_change(0.5)
