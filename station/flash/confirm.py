"""Back to normal mode, and what the module says of itself there."""

from contextlib import suppress
from dataclasses import replace

import trio

from station.errors import (
    AtError,
    AtSilent,
    Blame,
    Crashed,
    DefaultImei,
    FactoryTestMode,
    IdentityChanged,
    IdentityUnreadable,
    ImeiInvalid,
    NoReturn,
    StationError,
    StoreError,
    Timeout,
    UsbError,
    WrongVersionAfter,
)
from station.flash.edl import check_trusted, open_edl
from station.flash.identify import ask_by_at, names_of
from station.flash.session import Session, StepResult
from station.model import FACTORY_TEST_MODE, Mode, Unit, imei_is_default, imei_is_valid
from station.patience import LAST_WORD_S, time_left_s
from station.protocols import sahara

GIVE_BACK_TRIES = 2
RESTART_S = 20.0
"""From a reset to the first sign of normal mode; a module that takes longer is asked again."""

SWITCH_S = 10.0
"""From the switch frame to EDL."""


async def reset(session: Session) -> StepResult:
    """Tell the programmer to restart the module, and see it leave; where that came to nothing, and
    it is in EDL still, whoever listens there. Raises PulledOut for another one."""
    left = session.device
    if session.firehose is not None:
        await session.run(session.firehose.power("reset", delay_s=1))
        await session.let_go()
    elif session.mode is Mode.EDL:
        await open_edl(session)
        check_trusted(session)
        left = session.device
        await _restart(session)
    else:
        return StepResult(detail={"restarted": "by itself, or by its power"})
    await session.port.wait(lambda device: device != left, time_left_s())
    session.reset_s = trio.current_time()
    return StepResult()


async def confirm(session: Session) -> StepResult:
    """Normal mode again on the same slot; version, IMEI, serial and radio as they must be, and
    nothing came to be known against it meanwhile: its double may be in the slot beside it."""
    session.after = after = await _return(session)
    await _learn(session, after)
    if after.functionality == FACTORY_TEST_MODE:
        raise FactoryTestMode("the module reports AT+CFUN 5: factory test mode")
    _check_told(session.unit, after)
    _check_identity(session.unit, after)
    with suppress(StoreError):  # a record that cannot be asked does not spoil what is done
        await session.check_names(session.unit)
    recipe = session.recipe
    if recipe is not None and after.firmware != recipe.firmware.version:
        raise WrongVersionAfter(
            f"the module reports {after.firmware}, the recipe wants {recipe.firmware.version}"
        )
    return StepResult(detail={"firmware": after.firmware or ""})


async def _learn(session: Session, after: Unit) -> None:
    """A module that came in EDL tells its names only now."""
    if session.unit.imei is not None or after.imei is None:
        return
    session.unit = replace(session.unit, imei=after.imei, serial=after.serial, model=after.model)
    learnt = names_of(after, "at")
    session.identifiers += learnt
    await session.recorder.learn(tuple(learnt))


async def give_back(session: Session) -> StepResult:
    """Nothing was written: bring the module back to normal mode and look at it once more."""
    for _ in range(GIVE_BACK_TRIES):
        with suppress(StationError):
            await _restart(session)
        with suppress(Timeout):
            await session.await_mode(Mode.RUNTIME, Mode.CRASHED, timeout_s=RESTART_S)
            break
        if session.mode is Mode.ABSENT:
            break
    session.after = after = await _return(session, RESTART_S)
    await _learn(session, after)
    _check_told(session.unit, after)
    _check_identity(session.unit, after)
    before = session.unit.firmware
    unchanged = "yes" if after.firmware == before else "no" if before else "not known before"
    return StepResult(detail={"unchanged": unchanged, "firmware": after.firmware or ""})


async def _restart(session: Session) -> None:
    """Reset whatever listens, boot ROM or programmer; a session that was cut off in the middle
    may need a second go."""
    if session.mode in (Mode.RUNTIME, Mode.ABSENT):  # the switch may still be under way
        here = session.identified
        await session.port.wait(lambda device: device not in (None, here), SWITCH_S)
    if session.mode is not Mode.EDL:
        return
    if session.pipe is None or session.device != session.port.device:
        await open_edl(session)
    try:
        if session.firehose is not None:
            await session.run(session.firehose.power("reset", delay_s=1))
        else:
            await session.run(sahara.reset(timeout_s=1.0))
    finally:
        await session.let_go()


async def _return(session: Session, timeout_s: float = 3600.0) -> Unit:
    patience_s = min(timeout_s, time_left_s() - LAST_WORD_S)
    try:
        device = await session.await_mode(Mode.RUNTIME, Mode.CRASHED, timeout_s=patience_s)
    except Timeout as error:
        raise NoReturn(f"the module did not come back in normal mode: {error.cause}") from error
    if session.families.mode_of(device) is Mode.CRASHED:
        raise Crashed(f"the module came back as {device.usb_id}: it crashes while it starts")
    if session.reset_s is not None:
        session.return_us = round((trio.current_time() - session.reset_s) * 1_000_000)
    try:
        return await ask_by_at(session, known=session.unit)
    except (AtSilent, AtError, UsbError) as error:
        if error.blame is Blame.STATION:
            raise
        raise NoReturn(f"the module is back on USB but does not work: {error.cause}") from error


def _check_told(before: Unit, after: Unit) -> None:
    """A value that is not told is no value that is good."""
    told = (
        ("its IMEI", True, after.imei),
        ("its serial number", before.serial is not None, after.serial),
        ("its version (AT+QGMR)", True, after.firmware),
        ("its radio state (AT+CFUN?)", True, after.functionality),
    )
    if after.imei is not None and imei_is_default(after.imei):
        raise DefaultImei(f"the module says its IMEI is {after.imei}, which is nobody's own")
    if after.imei is not None and not imei_is_valid(after.imei):
        raise ImeiInvalid(f"the module says its IMEI is {after.imei!r}, which cannot be one")
    missing = [name for name, wanted, value in told if wanted and value is None]
    if missing:
        raise IdentityUnreadable(f"the module does not tell {' and '.join(missing)} any more")


def _check_identity(before: Unit, after: Unit) -> None:
    """The names known before must be the same now. Unknown before (EDL arrivals) proves nothing."""
    for name, old, new in (
        ("IMEI", before.imei, after.imei),
        ("serial number", before.serial, after.serial),
    ):
        if old is not None and new is not None and old != new:
            raise IdentityChanged(f"the {name} was {old} before and is {new} now")
