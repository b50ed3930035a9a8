"""Who is in the slot: by AT in normal mode, by the product string in EDL. Reading only."""

import re
from contextlib import suppress
from dataclasses import replace

import trio

from station.errors import (
    AtError,
    AtSilent,
    Crashed,
    Disconnected,
    NoBulkPair,
    NoUsb,
    Timeout,
    UnknownMode,
    UsbAccess,
    UsbBusy,
    UsbError,
    WrongFamily,
)
from station.flash.session import Session, StepResult
from station.model import DeviceInfo, Identifier, IdKind, Mode, Unit
from station.patience import LAST_WORD_S, time_left_s
from station.protocols.at import AtChannel, read_identity

PING_S = 0.1
"""A port that is not up yet is asked this often; an answer that comes later is waited for by the
next question."""

SETTLE_S = 15.0
"""Right after a boot some reads are refused; a module is asked for so long before it is believed
that it has no such value."""

ABSENT_S = 10.0
"""A module that was here and is gone for so long was taken out, or has no power."""

_CHIP_IN_PRODUCT = re.compile(r"_SN:([0-9A-Fa-f]{8})\b")


async def identify(session: Session) -> StepResult:
    """Fill `session.unit` with what the module says of itself; nothing is changed by it.

    Raises the verdict for a mode in which nothing can be done.
    """
    device = session.port.device
    if device is None:
        raise NoUsb("no module on the USB port of this slot")
    what = session.families.what_is(device)
    match session.mode:
        case Mode.RUNTIME:
            session.unit = await ask_by_at(session, absent_s=ABSENT_S)
            session.trusted = session.identified
            session.identifiers += names_of(session.unit, "at")
            return StepResult(detail={"mode": "runtime"})
        case Mode.EDL:
            return await _identify_in_edl(session)
        case Mode.CRASHED:
            raise Crashed(f"the module shows {what}: a memory dump waits to be fetched")
        case Mode.DLOAD:
            raise UnknownMode(
                f"the module shows {what}, with one interface: its boot loader waits for the old "
                "download protocol"
            )
        case Mode.FOREIGN:
            raise WrongFamily(f"the module shows {what}")
        case _:
            raise UnknownMode(f"the module shows {what}")


def names_of(unit: Unit, source: str) -> list[Identifier]:
    """The names a module tells by AT."""
    told = ((IdKind.IMEI, unit.imei), (IdKind.SERIAL, unit.serial))
    return [Identifier(kind, value, source) for kind, value in told if value]


# --- by AT ------------------------------------------------------------------------------------


async def ask_by_at(
    session: Session, *, known: Unit | None = None, absent_s: float = 3600.0
) -> Unit:
    """Identity by AT, asked again until a module that is still booting answers.

    The deadline is the step's. Values that any module has, or that were `known` before, are
    waited for SETTLE_S. Raises Disconnected after `absent_s` without the module; UsbBusy and
    UsbAccess as `Session.open` does, whose patience they have outlived; NoBulkPair at once.
    """
    settled_at: float | None = None
    while True:
        try:
            unit = await _ask_once(session, absent_s)
        except (UsbBusy, UsbAccess, NoBulkPair):
            raise
        except (AtSilent, AtError, Timeout, UsbError) as error:
            if isinstance(error, Disconnected) and session.mode is not Mode.RUNTIME:
                await _await_return(session, absent_s)
            elif time_left_s() < LAST_WORD_S:
                raise
        else:
            settled_at = settled_at or trio.current_time() + SETTLE_S
            patience_s = min(settled_at - trio.current_time(), time_left_s())
            if _is_complete(unit, known) or patience_s < LAST_WORD_S:
                return unit
        await session.backend.wait_change(0.5)


def _is_complete(unit: Unit, known: Unit | None) -> bool:
    return (
        unit.imei is not None
        and unit.firmware is not None
        and unit.functionality is not None
        and (unit.serial is not None or known is None or known.serial is None)
    )


async def _ask_once(session: Session, absent_s: float) -> Unit:
    device = session.port.device
    if device is None or session.families.mode_of(device) is not Mode.RUNTIME:
        await _await_return(session, absent_s)
        device = await session.await_mode(Mode.RUNTIME, timeout_s=0)
    family = session.families.family_of(device)
    if family is None:
        raise UnknownMode(f"the module shows {session.families.what_is(device)}")
    session.family = family
    try:
        await session.open(device, family.at_interface, line_state=True)
        unit = await _converse(session)
    finally:
        await session.close()
    session.identified = device
    return unit


async def _await_return(session: Session, absent_s: float) -> None:
    """Raises Disconnected when the module stays away."""
    patience_s = min(absent_s, time_left_s() - LAST_WORD_S)
    try:
        await session.await_mode(Mode.RUNTIME, timeout_s=patience_s)
    except Timeout as error:
        if session.mode is Mode.CRASHED:
            raise Crashed("the module crashed and offers its memory dump") from error
        raise Disconnected(f"the module is not in normal mode any more: {error.cause}") from error


async def _converse(session: Session) -> Unit:
    channel = AtChannel()
    while True:
        try:
            await session.run(channel.synchronise(timeout_s=PING_S))
            break
        except AtSilent:
            if time_left_s() < LAST_WORD_S:
                raise
    told = await session.run(read_identity(channel, timeout_s=2.0))
    return Unit(
        imei=told.imei,
        serial=told.serial,
        model=told.model,
        firmware=told.firmware,
        functionality=told.functionality,
    )


# --- in EDL -----------------------------------------------------------------------------------


async def _identify_in_edl(session: Session) -> StepResult:
    """By the product string alone: nothing is sent to a module that may be left as it is."""
    session.identified = session.trusted = device = session.port.device
    detail: dict[str, str | int] = {"mode": "edl"}
    told = None if device is None else await chip_by_product(session, device)
    if told is not None:
        chip = Identifier(IdKind.CHIP, told, "usb")
        session.unit = replace(session.unit, chip_serial=chip.value)
        session.identifiers.append(chip)
        detail["chip_serial"] = chip.value
    return StepResult(detail=detail)


async def chip_by_product(session: Session, device: DeviceInfo) -> str | None:
    """The chip serial in the product string of EDL, e.g. `QUSB_BULK_CID:0410_SN:0AA94EFD`; None
    where it is not told, or cannot be read."""
    with suppress(UsbError):
        match = _CHIP_IN_PRODUCT.search(await session.backend.product(device) or "")
        return match[1].lower() if match else None
    return None
