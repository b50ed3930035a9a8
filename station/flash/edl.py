"""From normal mode to a programmer that answers: the switch, Sahara, configure, the checks."""

from dataclasses import replace

from station.errors import (
    Crashed,
    DiagError,
    Nak,
    NoDownloadMode,
    PartitionMismatch,
    PlanRefused,
    Timeout,
)
from station.flash.identify import open_edl, read_chip, time_left_s
from station.flash.session import Session, StepResult
from station.model import Mode
from station.plan import check_geometry, check_partition_table
from station.protocols import diag, sahara
from station.protocols.firehose import Firehose


async def enter_edl(session: Session) -> StepResult:
    """Switch to EDL by DIAG and wait for the module to return on the same slot."""
    if session.mode is Mode.EDL:
        return StepResult(detail={"mode": "edl already"}, skipped=True)
    device = await session.await_mode(Mode.RUNTIME, timeout_s=5.0)
    family = session.families.family_of(device)
    if family is None:
        raise NoDownloadMode(f"no DIAG port is known for {device.usb_id}")
    await session.open(device, family.diag_interface, line_state=True)
    session.switched = True
    try:
        echoed = await session.run(diag.switch_to_edl(timeout_s=10.0))
    except DiagError as error:
        raise NoDownloadMode(error.cause) from error
    finally:
        await session.close()
    try:
        found = await session.await_mode(Mode.EDL, Mode.CRASHED, timeout_s=time_left_s() - 1)
    except Timeout as error:
        raise NoDownloadMode(
            f"the module took the switch but did not come back in EDL: {error.cause}"
        ) from error
    if session.families.mode_of(found) is Mode.CRASHED:
        raise Crashed(f"the module came back as {found.usb_id} instead of EDL")
    return StepResult(detail={"answer": "echo" if echoed else "left", "port": str(found.path)})


async def load_programmer(session: Session) -> StepResult:
    """Sahara: chip serial where it can be read, then the programmer; its first words follow."""
    plan, package = session.job()
    if session.pipe is None:
        await open_edl(session)
    detail: dict[str, str | int] = {}
    sent = 0
    if session.firehose is None:
        chip = await read_chip(session)
        if chip is not None:
            session.unit = replace(session.unit, chip_serial=chip.value)
            await session.recorder.identifiers((chip,))
            detail["chip_serial"] = chip.value
        loaded = await session.run(
            sahara.load_programmer(
                package.source(plan.programmer.path), session.greeted(), timeout_s=5.0
            )
        )
        session.firehose = Firehose(session.edl_profile, loaded.leftover)
        sent = plan.programmer.length_bytes
    else:
        detail["programmer"] = "was running already"
    await session.run(session.firehose.greet(timeout_s=3.0))
    return StepResult(bytes=sent, detail=detail)


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
        if session.recipe is not None and session.recipe.verify == "readback":
            raise PlanRefused("the recipe wants a read-back, but this programmer cannot read")
        return StepResult(detail={"partition_table": "programmer cannot read"}, skipped=True)
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
            raise PartitionMismatch(
                f"the module's partition table is unreadable: {error}"
            ) from error
        return StepResult(detail={"partition_table": f"not readable: {error}"}, skipped=True)
    check_partition_table(plan, bytes(region))
    return StepResult(bytes=len(region), detail={"partition_table": "agrees with the package"})
