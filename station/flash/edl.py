"""From normal mode to a programmer that answers: the switch, Sahara, configure, the checks."""

from contextlib import suppress
from dataclasses import replace
from functools import partial

from station.disk import from_store
from station.errors import (
    AtError,
    AtSilent,
    Crashed,
    DiagError,
    Disconnected,
    Nak,
    NoDownloadMode,
    NoReadback,
    PartitionMismatch,
    PulledOut,
    SessionReset,
    StationError,
    StoreError,
    Swapped,
    Timeout,
)
from station.flash.identify import (
    ABSENT_S,
    ask_by_at,
    chip_by_product,
)
from station.flash.session import Session, StepResult
from station.model import LAYOUT_AGREES, LAYOUT_STEP, DeviceInfo, Identifier, IdKind, Mode
from station.patience import LAST_WORD_S, time_left_s
from station.plan import check_geometry, check_partition_table
from station.protocols import diag, sahara
from station.protocols.dialogue import BytesSource, Source, read_exact
from station.protocols.firehose import Firehose

RESET_S = 10.0
"""A boot ROM that was told to start anew is off the bus by then."""

ENTRIES = 3
"""A module is taken into EDL so often for one programmer."""

PROGRAMMER_BYTES = 8 << 20
"""Programmers have some hundred KiB; such a one may be held in memory for each slot."""


async def enter_edl(session: Session) -> StepResult:
    """Switch to EDL by DIAG and wait for the module to return on the same slot."""
    if session.mode is Mode.EDL:
        return StepResult(detail={"mode": "edl already"}, skipped=True)
    if session.port.device != session.identified:
        await check_still_the_same(session)
    device = session.identified
    family = None if device is None else session.families.family_of(device)
    if device is None or family is None:
        raise NoDownloadMode("no DIAG port is known for this module")
    is_ours = session.trusted == device
    await session.open(device, family.diag_interface, line_state=True)
    session.switched = True
    try:
        echoed = await session.run(diag.switch_to_edl(timeout_s=10.0))
    except DiagError as error:
        raise NoDownloadMode(error.cause) from error
    finally:
        await session.close()
    try:
        found = await session.await_mode(
            Mode.EDL, Mode.CRASHED, timeout_s=time_left_s() - LAST_WORD_S
        )
    except Timeout as error:
        raise NoDownloadMode(
            f"the module took the switch but did not come back in EDL: {error.cause}"
        ) from error
    if session.families.mode_of(found) is Mode.CRASHED:
        raise Crashed(f"the module came back as {found.usb_id} instead of EDL")
    if is_ours:
        session.trusted = found
    return StepResult(detail={"answer": "echo" if echoed else "left", "port": str(found.path)})


async def check_still_the_same(session: Session) -> None:
    """The module left the bus since it was identified: a restart, or another module.

    Raises NoDownloadMode, Swapped, PulledOut.
    """
    try:
        now = await ask_by_at(session, known=session.unit, absent_s=ABSENT_S)
    except (Disconnected, AtSilent, AtError) as error:
        when = "after" if session.switched else "before"
        raise NoDownloadMode(f"the module left {when} the switch: {error.cause}") from error
    before = session.unit  # a module that came in EDL had no names to compare
    if before.imei is not None and (now.imei, now.serial) != (before.imei, before.serial):
        words = f"the IMEI was {before.imei} when it was checked, now it is {now.imei}"
        raise _another(session, words)
    if before.imei is not None:
        session.trusted = session.identified


def _another(session: Session, words: str) -> StationError:
    """Once the module was changed, what counts for it is that it is away."""
    if session.touched:
        return PulledOut(f"the module left and another is in its place: {words}")
    return Swapped(words)


async def open_edl(session: Session) -> None:
    """Open the EDL interface and find out whether the boot ROM or a programmer listens."""
    device = await session.await_mode(Mode.EDL, timeout_s=time_left_s())
    await recognise(session, device)
    await session.open(device, device.interfaces[0].number, line_state=False)
    session.firehose = None
    session.greeting = await session.run(sahara.greet(timeout_s=1.0))
    if isinstance(session.greeting, sahara.ProgrammerRunning):
        session.firehose = Firehose(session.edl_profile, session.greeting.leftover)


async def load_programmer(session: Session) -> StepResult:
    """Sahara: chip serial where it can be read, then the programmer; its first words follow."""
    plan, package = session.job()
    await _open_undisturbed(session)
    if not is_trusted(session) and not session.touched and session.unit.imei is not None:
        await _restart_to_ask(session)
    if is_trusted(session):
        session.trusted = session.device  # of a nameless one the chip serial is read only now
    if session.firehose is not None:
        check_trusted(session)
        await session.run(session.firehose.rejoin())
        return StepResult(detail={"programmer": "was running already"})
    await _read_chip(session)
    check_trusted(session)
    if session.greeting is None:  # asking for the chip serial ended in a reset: not once more
        session.chip_refused = True
        await _enter_again(session)
        await _open_undisturbed(session)
    source = await _in_memory(session, package.source(plan.programmer.path))
    loaded = await session.run(sahara.load_programmer(source, session.greeted(), timeout_s=5.0))
    session.firehose = Firehose(session.edl_profile, loaded.leftover)
    await session.run(session.firehose.greet(timeout_s=3.0))
    chip = session.unit.chip_serial
    return StepResult(
        bytes=plan.programmer.length_bytes, detail={} if chip is None else {"chip_serial": chip}
    )


async def _in_memory(session: Session, source: Source) -> Source:
    """The boot ROM asks for the programmer in small pieces, each of which would be a trip to the
    disk. One that is too large for a programmer stays there."""
    if source.length_bytes > PROGRAMMER_BYTES:
        return source
    read = partial(read_exact, source, 0, source.length_bytes)
    data = await from_store(session.disk, source.name, read)
    return BytesSource(source.name, data)


async def _open_undisturbed(session: Session) -> None:
    """Open the EDL interface; a boot ROM that another program has talked to was reset, and is taken
    into EDL again. That program may be quicker than we are, but hardly each time."""
    for _ in range(ENTRIES - 1):
        try:
            await open_edl(session)
        except SessionReset:
            await _enter_again(session)
        else:
            return
    await open_edl(session)


async def _enter_again(session: Session) -> None:
    """The boot ROM was reset and the module starts anew: into EDL once more."""
    here = session.device
    await session.close()
    await session.port.wait(lambda device: device != here, RESET_S)
    await session.port.wait(lambda device: device is not None, time_left_s() - LAST_WORD_S)
    await enter_edl(session)


async def _read_chip(session: Session) -> None:
    """The chip serial by Sahara command mode, where the boot ROM offers it, or by its product
    string; committed at once. Where both tell one and they differ, the answer was no serial: the
    bus checks what it carries, and the string is what tells whether it is the same later.

    Leaves no greeting where there was no way back from command mode. Raises Swapped, PulledOut.
    """
    if not session.asks_chip_identity or not isinstance(session.greeting, sahara.Hello):
        await _read_chip_from_product(session)
        return
    told, session.greeting = await session.run(
        sahara.read_chip_identity(session.greeting, timeout_s=1.0)
    )
    shown = None if session.device is None else await chip_by_product(session, session.device)
    if told.serial is None or shown not in (None, told.serial):
        await _read_chip_from_product(session)
        return
    _compare_chip(session, session.device, told.serial)
    await _note_chip(session, Identifier(IdKind.CHIP, told.serial, "sahara"))


async def _read_chip_from_product(session: Session) -> None:
    """So that a module whose boot ROM tells nothing is known again after it was cut off."""
    if session.device is None:
        return
    told = await chip_by_product(session, session.device)
    if told is None:
        return
    _compare_chip(session, session.device, told)
    if session.unit.chip_serial is None:
        await _note_chip(session, Identifier(IdKind.CHIP, told, "usb"))


async def _note_chip(session: Session, chip: Identifier) -> None:
    """Committed before anything is erased. Afterwards a database that fails must not end the
    flash, and the name waits for the closing commit."""
    if chip in session.identifiers:
        return
    session.unit = replace(session.unit, chip_serial=chip.value)
    session.identifiers.append(chip)
    if not session.touched:
        await session.recorder.identifiers((chip,))
        await session.check_names(session.unit)
        return
    await session.recorder.learn((chip,))
    with suppress(StoreError):
        await session.check_names(session.unit)


async def recognise(session: Session, device: DeviceInfo) -> None:
    """The chip serial in the product string of EDL may prove that a module is ours, or that it is
    not. Raises Swapped, PulledOut."""
    if session.unit.chip_serial is None:
        return
    told = await chip_by_product(session, device)
    if told is not None:
        _compare_chip(session, device, told)


def _compare_chip(session: Session, device: DeviceInfo | None, told: str) -> None:
    """The trusted one, too: hands that are quick exchange modules while the power is off."""
    known = session.unit.chip_serial
    if known is None:
        return
    if told != known:
        session.trusted = None
        raise _another(session, f"the chip serial was {known} before and is {told} now")
    session.trusted = device


def is_trusted(session: Session) -> bool:
    """A module of which nothing at all is known was chosen by its slot alone."""
    unit = session.unit
    nameless = unit.imei is None and unit.serial is None and unit.chip_serial is None
    return session.trusted == session.device or (nameless and not session.touched)


async def _restart_to_ask(session: Session) -> None:
    """It came by itself and its chip serial was never read: in normal mode it can be asked."""
    if session.unit.chip_serial is not None and session.firehose is None:
        return  # the boot ROM will tell
    if session.firehose is not None:
        await session.run(session.firehose.power("reset", delay_s=1))
    else:
        await session.run(sahara.reset(timeout_s=1.0))
    await _enter_again(session)
    await _open_undisturbed(session)


def check_trusted(session: Session) -> None:
    """Before a module that came by itself is changed, its chip serial must have been read twice
    and be the same. Raises PulledOut."""
    if is_trusted(session):
        return
    raise PulledOut("the module left and one came back; nothing proves that it is the same")


async def configure(session: Session) -> StepResult:
    """Negotiate the payload; the flash memory must be the one the package was made for."""
    plan, _ = session.job()
    firehose = session.programmer()
    await session.run(firehose.configure())
    storage = await session.run(firehose.storage_info())
    detail: dict[str, str | int] = {"payload_bytes": firehose.payload_bytes}
    if storage is None:
        detail["geometry"] = "not offered by the programmer"
    else:
        check_geometry(
            plan, storage.total_blocks, storage.block_size_bytes, storage.page_size_bytes
        )
        detail["geometry"] = (
            f"{storage.total_blocks} blocks of {storage.block_size_bytes}, "
            f"page {storage.page_size_bytes}"
        )
    return StepResult(detail=detail)


async def check_layout(session: Session) -> StepResult:
    """Read the module's own partition table; calibration must lie where the package thinks."""
    plan, _ = session.job()
    firehose = session.programmer()
    if firehose.functions and "read" not in firehose.functions:
        return _without_reading(session, "its programmer has no `read`")
    region = bytearray()
    try:
        await session.run(
            firehose.read(
                plan.partition_table_sector,
                plan.partition_table_sectors,
                plan.geometry,
                region.extend,
                timeout_s=10.0,
            )
        )
    except Nak as error:
        if firehose.functions:
            raise
        return _without_reading(session, error.cause)
    if region == b"\xff" * len(region):
        await _check_compared_before(session)
        return StepResult(bytes=len(region), detail={LAYOUT_STEP: "erased already"})
    check_partition_table(plan, bytes(region))
    session.layout_proven = True
    return StepResult(bytes=len(region), detail={LAYOUT_STEP: LAYOUT_AGREES})


async def _check_compared_before(session: Session) -> None:
    """An attempt that was cut off erases the table after it has compared it. Asked this late, since
    some modules tell their chip serial to nobody but the boot ROM; once only, since the record may
    fail while the module is half written. Raises PartitionMismatch."""
    chip = session.unit.chip_serial
    if not session.layout_proven and chip is not None:
        session.layout_proven = await session.layout_agreed(chip)
    if not session.layout_proven:
        raise PartitionMismatch(
            "the module's partition table is erased, and no attempt with this package is known to "
            "have compared it before"
        )


def _without_reading(session: Session, why: str) -> StepResult:
    """Allowed only where the recipe wants no read-back; found out before anything is erased."""
    if session.recipe is not None and session.recipe.verify == "readback":
        raise NoReadback(f"the recipe wants a read-back, but the module cannot: {why}")
    return StepResult(detail={LAYOUT_STEP: f"not read: {why}"}, skipped=True)
