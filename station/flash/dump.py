"""Before the first erase: EFS2 as it is, read out into the evidence.

It proves what a module held when it came. It is nothing to write back: NAND is read past its bad
blocks, and those are other ones in another place or on another day.
"""

import hashlib
from collections.abc import Iterator

from station.errors import Bug, DumpFailed, Nak
from station.flash.session import Session, StepResult
from station.plan import FlashPlan, Region

PIECE_BYTES = 1 << 20
"""Held in memory at once; at least one block."""

READ_S = 10.0


async def dump(session: Session) -> StepResult:
    """Keep EFS2, once in an attempt; without it nothing is erased.

    Raises DumpFailed where the module refuses to read, DumpNotKept.
    """
    if session.dumped:
        return StepResult(detail={"efs2": "kept already in this attempt"}, skipped=True)
    plan, _ = session.job()
    region = _efs2(plan)
    total_bytes = region.num_sectors * plan.geometry.sector_size_bytes
    sha256 = hashlib.sha256()
    done_bytes = 0
    async with session.keep_dump() as file:
        for piece in _pieces(plan, region):
            data = await _read(session, piece, done_bytes, total_bytes)
            sha256.update(data)
            await file.add(data)
            done_bytes += len(data)
        kept = await file.keep()
    session.dumped = True
    return StepResult(
        bytes=done_bytes, detail={"efs2_sha256": sha256.hexdigest(), "file": kept.sha256}
    )


def _efs2(plan: FlashPlan) -> Region:
    found = next((r for r in plan.protected if r.name.casefold() == "efs2"), None)
    if found is None:  # the plan is refused without
        raise Bug("a plan without EFS2")
    return found


def _pieces(plan: FlashPlan, region: Region) -> Iterator[Region]:
    """The region in whole blocks."""
    per_block = plan.geometry.pages_per_block
    size = max(1, PIECE_BYTES // plan.geometry.block_size_bytes) * per_block
    for start_sector in range(region.start_sector, region.end_sector, size):
        num_sectors = min(size, region.end_sector - start_sector)
        yield Region(region.name, start_sector, num_sectors)


async def _read(session: Session, piece: Region, done_bytes: int, total_bytes: int) -> bytes:
    plan, _ = session.job()
    data = bytearray()
    read = session.programmer().read(
        piece.start_sector, piece.num_sectors, plan.geometry, data.extend, timeout_s=READ_S
    )
    try:
        await session.run(read, before=done_bytes, total=total_bytes)
    except Nak as error:
        raise DumpFailed(f"{piece} cannot be read: {error.cause}") from error
    return bytes(data)
