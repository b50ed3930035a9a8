"""Does the plan fit the module it is for? Asked after `configure`, before the first erase."""

from station.errors import GeometryMismatch, PackageIncomplete, PartitionMismatch
from station.firmware.mibib import Partition, find_partition_table
from station.plan.flash_plan import FlashPlan, Region

CALIBRATION = ("EFS2", "RAWDATA")


def check_geometry(
    plan: FlashPlan, total_blocks: int, block_size_bytes: int, page_size_bytes: int
) -> None:
    """The flash memory as the programmer reports it. Raises GeometryMismatch."""
    geometry = plan.geometry
    wanted = (geometry.sector_size_bytes, geometry.block_size_bytes)
    if (page_size_bytes, block_size_bytes) != wanted:
        raise GeometryMismatch(
            f"the module's flash has pages of {page_size_bytes} and blocks of {block_size_bytes} "
            f"bytes, the package is for {wanted[0]} and {wanted[1]}"
        )
    if plan.required_sectors > total_blocks * geometry.pages_per_block:
        raise GeometryMismatch(
            f"the module's flash has {total_blocks} blocks, the package needs "
            f"{-(-plan.required_sectors // geometry.pages_per_block)}"
        )


def check_partition_table(plan: FlashPlan, region: bytes) -> None:
    """`region`: the MIBIB region as read from the module. Its calibration must lie where the
    package's partition table has it, out of reach of every operation.

    Raises PartitionMismatch, also when no table is found.
    """
    try:
        table = find_partition_table(region, plan.geometry.sector_size_bytes)
    except PackageIncomplete as error:
        raise PartitionMismatch(f"on the module: {error}") from error
    package = {kept.name.casefold(): kept for kept in plan.protected}
    for name in CALIBRATION:
        ours = package.get(name.casefold())
        found = table.named(name)
        theirs = None if found is None else region_of(found, plan.geometry.pages_per_block)
        if _place(ours) != _place(theirs):
            raise PartitionMismatch(
                f"{name}: {theirs or 'absent'} on the module, {ours or 'absent'} in the package"
            )
        for touched in plan.regions:
            if theirs is not None and touched.overlaps(theirs):
                raise PartitionMismatch(f"{touched} would destroy {theirs} of the module")


def region_of(partition: Partition, pages_per_block: int, end_sector: int = 1 << 40) -> Region:
    """A partition in sectors; one that grows to the end of the chip ends at `end_sector`."""
    start_sector = partition.start_block * pages_per_block
    if partition.num_blocks is None:
        num_sectors = max(end_sector - start_sector, pages_per_block)
    else:
        num_sectors = partition.num_blocks * pages_per_block
    return Region(partition.name, start_sector, num_sectors)


def _place(region: Region | None) -> tuple[int, int] | None:
    return None if region is None else (region.start_sector, region.num_sectors)
