"""Who is in the slot: by AT in normal mode, by Sahara or the product string in EDL."""

import re
from dataclasses import replace

import trio

from station.errors import (
    AtError,
    AtSilent,
    Crashed,
    Disconnected,
    NoUsb,
    Timeout,
    UnknownMode,
    WrongFamily,
)
from station.flash.session import Session, StepResult
from station.model import Identifier, IdKind, Mode, Unit
from station.protocols import sahara
from station.protocols.at import AtChannel, read_identity
from station.protocols.firehose import Firehose

PING_S = 0.1
"""A port that is not up yet is asked this often; an answer that comes later is waited for by the
next question."""

SETTLE_S = 15.0
LAST_WORD_S = 1.0
"""Give up so long before the deadline, with the error that was seen: it says more than "too
late"."""

_CHIP_IN_PRODUCT = re.compile(r"_SN:([0-9A-Fa-f]{8})\b")


async def identify(session: Session) -> StepResult:
    """Fill `session.unit` with what the module says of itself; nothing is changed by it.

    Raises the verdict for a mode in which nothing can be done.
    """
    device = session.port.device
    if device is None:
        raise NoUsb("no module on the USB port of this slot")
    match session.mode:
        case Mode.RUNTIME:
            session.unit = await ask_by_at(session)
            return StepResult(detail={"mode": "runtime"})
        case Mode.EDL:
            return await _identify_in_edl(session)
        case Mode.CRASHED:
            raise Crashed(f"the module shows {device.usb_id}: a memory dump waits to be fetched")
        case Mode.DLOAD:
            raise UnknownMode(
                f"the module shows {session.families.what_is(device)} with one interface: its boot "
                "loader waits for the old download protocol"
            )
        case Mode.FOREIGN:
            raise WrongFamily(f"the module shows {session.families.what_is(device)}")
        case _:
            raise UnknownMode(f"the module shows {session.families.what_is(device)}")


async def ask_by_at(session: Session) -> Unit:
    """Identity by AT, asked again until a module that is still booting answers.

    The deadline is the step's. A module that answers but does not tell its IMEI or version is
    asked for SETTLE_S more before that is believed: right after a boot some reads are refused.
    """
    settled: float | None = None
    while True:
        device = await session.await_mode(Mode.RUNTIME, timeout_s=time_left_s())
        family = session.families.family_of(device)
        if family is None:
            raise UnknownMode(f"the module shows {session.families.what_is(device)}")
        session.family = family
        try:
            await session.open(device, family.at_interface, line_state=True)
            unit = await _converse(session)
        except (AtSilent, AtError, Disconnected, Timeout) as error:
            if time_left_s() < LAST_WORD_S:
                raise error from None
        else:
            settled = settled or trio.current_time() + SETTLE_S
            is_complete = unit.imei is not None and unit.firmware is not None
            if is_complete or min(settled - trio.current_time(), time_left_s()) < LAST_WORD_S:
                return unit
        finally:
            await session.close()
        await session.backend.wait_change(0.5)


async def _converse(session: Session) -> Unit:
    channel = AtChannel()
    while True:
        try:
            await session.run(channel.synchronise(timeout_s=PING_S))
            break
        except AtSilent:
            if time_left_s() < LAST_WORD_S:
                raise
    identity = await session.run(read_identity(channel, timeout_s=2.0))
    return Unit(
        imei=identity.imei,
        serial=identity.serial,
        model=identity.model,
        firmware=identity.firmware or identity.revision,
        functionality=identity.functionality,
    )


def time_left_s() -> float:
    """Seconds until the deadline that surrounds us, a minute if there is none."""
    return max(0.0, min(60.0, trio.current_effective_deadline() - trio.current_time()))


async def _identify_in_edl(session: Session) -> StepResult:
    await open_edl(session)
    greeting = session.greeting
    if isinstance(greeting, sahara.ProgrammerRunning):
        chip = await _chip_from_product(session)
        detail = {"mode": "edl", "programmer": "running"}
    else:
        chip = await read_chip(session) or await _chip_from_product(session)
        detail = {"mode": "edl"}
    if chip is not None:
        session.unit = replace(session.unit, chip_serial=chip.value)
        detail["chip_serial"] = chip.value
    return StepResult(detail=detail)


async def open_edl(session: Session) -> None:
    """Open the EDL interface and find out whether the boot ROM or a programmer listens."""
    device = await session.await_mode(Mode.EDL, timeout_s=time_left_s())
    await session.open(device, device.interfaces[0].number, line_state=False)
    session.greeting = await session.run(sahara.greet(timeout_s=1.0))
    if isinstance(session.greeting, sahara.ProgrammerRunning):
        session.firehose = Firehose(session.edl_profile, session.greeting.leftover)


async def read_chip(session: Session) -> Identifier | None:
    """The chip serial by Sahara command mode, where the boot ROM offers it."""
    if not session.asks_chip_identity or not isinstance(session.greeting, sahara.Hello):
        return None
    chip, session.greeting = await session.run(
        sahara.read_chip_identity(session.greeting, timeout_s=1.0)
    )
    return None if chip.serial is None else Identifier(IdKind.CHIP, chip.serial, "sahara")


async def _chip_from_product(session: Session) -> Identifier | None:
    if session.device is None:
        return None
    match = _CHIP_IN_PRODUCT.search(await session.backend.product(session.device) or "")
    return Identifier(IdKind.CHIP, match[1].lower(), "usb") if match else None
