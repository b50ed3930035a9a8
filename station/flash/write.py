"""Erase, program, read back: the steps that change the module."""

from functools import partial
from typing import assert_never

import trio

from station.disk import from_store
from station.errors import FileChanged
from station.flash.readback import Readback
from station.flash.session import Session, StepResult
from station.model import ImageSent
from station.patience import time_left_s
from station.plan import Erase, FlashPlan, Program, VendorLine

PIECE_BYTES = 1 << 20
"""Taken from the module before it is compared: a trip to a thread for each packet would be dear."""


async def erase(session: Session) -> StepResult:
    """Every erase of the plan, the boot loader's first: from here on the module needs us.

    One erase may take as long as the recipe gives the step: "8+8" chips need tens of seconds.
    """
    plan, _ = session.job()
    firehose = session.programmer()
    count = 0
    for operation in plan.operations:
        match operation:
            case Erase():
                await _last_chance(session)
                await session.run(
                    firehose.erase(
                        operation.start_sector,
                        operation.num_sectors,
                        plan.geometry,
                        timeout_s=time_left_s(),
                    )
                )
                count += 1
            case VendorLine(line):
                await _last_chance(session)
                await session.run(firehose.forward(line, timeout_s=time_left_s()))
                count += 1
            case Program():
                pass
            case _:
                assert_never(operation)
    return StepResult(detail={"erases": count})


async def _last_chance(session: Session) -> None:
    """A stop that was asked for before takes effect here, while the module is as it was."""
    if not session.touched:
        await trio.lowlevel.checkpoint()
        session.touched = True


async def program(session: Session) -> StepResult:
    """Every image, the boot loader last. The digest of the bytes sent must be the package's."""
    plan, package = session.job()
    firehose = session.programmer()
    images = sent_bytes = 0
    for operation in plan.programs:
        image = operation.image
        result = await session.run(
            firehose.program(
                package.source(image.path),
                operation.start_sector,
                operation.num_sectors,
                plan.geometry,
                label=operation.label,
                filename=image.path.rpartition("/")[2],
            ),
            before=sent_bytes,
            total=plan.total_bytes,
        )
        sent = ImageSent(image.path, result.sha256, result.length_bytes)
        words = f"{sent.name}: {sent.length_bytes} bytes sent, sha256 {sent.sha256_sent}"
        session.tape.said("image", words)
        await session.recorder.image(sent)
        images, sent_bytes = images + 1, sent_bytes + sent.length_bytes
        if sent.sha256_sent != image.sha256:
            raise FileChanged(f"{image.path}: the bytes sent are not those that were checked")
    return StepResult(bytes=sent_bytes, detail={"images": images})


async def verify(session: Session) -> StepResult:
    """Read every image back and compare, skipped bad blocks allowed for."""
    plan, package = session.job()
    if session.recipe is not None and session.recipe.verify == "version":
        return StepResult(detail={"readback": "not asked for by the recipe"}, skipped=True)
    firehose = session.programmer()
    to_read_bytes = sum(_blocks_bytes(plan, op) for op in plan.programs)
    read_bytes = 0
    bad_blocks: dict[str, str | int] = {}
    for operation in plan.programs:
        readback = Readback(
            package.source(operation.image.path),
            plan.geometry.sector_size_bytes,
            plan.geometry.block_size_bytes,
        )
        while readback.missing_blocks:
            taken = bytearray()
            compare = partial(_compare, session, readback, taken)
            start = operation.start_sector + readback.next_block * plan.geometry.pages_per_block
            count = readback.missing_blocks * plan.geometry.pages_per_block
            await session.run(
                firehose.read(start, count, plan.geometry, taken.extend, timeout_s=10.0),
                before=read_bytes,
                total=to_read_bytes,
                between=compare,
            )
            await compare(least_bytes=1)
            read_bytes += count * plan.geometry.sector_size_bytes
        if found := readback.finish():
            bad_blocks[f"bad blocks in {operation.label or operation.image.path}"] = found
    return StepResult(bytes=read_bytes, detail=bad_blocks)


async def _compare(
    session: Session, readback: Readback, taken: bytearray, least_bytes: int = PIECE_BYTES
) -> None:
    """What was taken, once it is a piece: the image's side of it comes from the disk."""
    if len(taken) < least_bytes:
        return
    piece = bytes(taken)
    taken.clear()
    await from_store(session.disk, readback.source.name, partial(readback.feed, piece))


def _blocks_bytes(plan: FlashPlan, operation: Program) -> int:
    """What a read-back of whole blocks reads for an image."""
    block_bytes = plan.geometry.block_size_bytes
    return -(-operation.image.length_bytes // block_bytes) * block_bytes
