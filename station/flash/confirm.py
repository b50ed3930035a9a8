"""Back to normal mode, and what the module says of itself there."""

from contextlib import suppress

from station.errors import (
    AtError,
    AtSilent,
    Crashed,
    Disconnected,
    FactoryTestMode,
    IdentityChanged,
    NoReturn,
    StationError,
    Timeout,
    WrongVersionAfter,
)
from station.flash.identify import ask_by_at, open_edl, time_left_s
from station.flash.session import Session, StepResult
from station.model import Mode, Unit
from station.protocols import sahara

GIVE_BACK_TRIES = 2
RESTART_S = 20.0
"""From a reset to the first sign of normal mode; a module that takes longer is asked again."""

SWITCH_S = 10.0
"""From the switch frame to EDL."""

FACTORY_TEST_MODE = 5
"""`AT+CFUN?` value of a module that lost its radio data."""


async def reset(session: Session) -> StepResult:
    """Tell the programmer to restart the module, and see it leave."""
    left = session.device
    await session.run(session.programmer().power("reset", delay_s=1))
    await session.close()
    session.firehose = session.greeting = None
    await session.port.wait(lambda device: device != left, time_left_s())
    return StepResult()


async def confirm(session: Session) -> StepResult:
    """Normal mode again on the same slot; version, IMEI, serial and radio as they must be."""
    session.after = after = await _return(session)
    recipe = session.recipe
    if after.functionality == FACTORY_TEST_MODE:
        raise FactoryTestMode("the module reports AT+CFUN 5: factory test mode")
    _check_identity(session.unit, after)
    if recipe is not None and after.firmware != recipe.firmware.version:
        raise WrongVersionAfter(
            f"the module reports {after.firmware}, the recipe wants {recipe.firmware.version}"
        )
    return StepResult(detail={"firmware": after.firmware or ""})


async def give_back(session: Session) -> StepResult:
    """Nothing was written: bring the module back to normal mode and look at it once more."""
    for _ in range(GIVE_BACK_TRIES):
        with suppress(StationError):
            await _restart(session)
        try:
            await session.await_mode(Mode.RUNTIME, Mode.CRASHED, timeout_s=RESTART_S)
            break
        except Timeout:
            continue
    session.after = await _return(session)
    _check_identity(session.unit, session.after)
    return StepResult(detail={"unchanged": "yes", "firmware": session.after.firmware or ""})


async def _restart(session: Session) -> None:
    """Reset whatever listens, boot ROM or programmer; a session that was cut off in the middle
    may need a second go."""
    if session.mode is Mode.RUNTIME:  # the switch was sent, but the module has not left yet
        still_here = session.device
        await session.port.wait(lambda device: device not in (None, still_here), SWITCH_S)
    if session.mode is not Mode.EDL:
        return
    if session.pipe is None:
        await open_edl(session)
    try:
        if session.firehose is not None:
            await session.run(session.firehose.power("reset", delay_s=1))
        else:
            await session.run(sahara.reset(timeout_s=1.0))
    finally:
        await session.close()
        session.firehose = session.greeting = None


async def _return(session: Session) -> Unit:
    try:
        device = await session.await_mode(Mode.RUNTIME, Mode.CRASHED, timeout_s=time_left_s() - 1)
    except Timeout as error:
        raise NoReturn(f"{error.cause}; it shows {session.mode.value}") from error
    if session.families.mode_of(device) is Mode.CRASHED:
        raise Crashed(f"the module came back as {device.usb_id}: it crashes while it starts")
    try:
        return await ask_by_at(session)
    except (AtSilent, AtError, Timeout, Disconnected) as error:
        raise NoReturn(f"the module is back on USB but does not work: {error.cause}") from error


def _check_identity(before: Unit, after: Unit) -> None:
    """The names known before must be the same now. Unknown before (EDL arrivals) proves nothing."""
    for name, old, new in (
        ("IMEI", before.imei, after.imei),
        ("serial number", before.serial, after.serial),
    ):
        if old is not None and old != new:
            raise IdentityChanged(f"the {name} was {old} before and is {new or 'gone'} now")
