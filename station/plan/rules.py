"""The rules every NAND plan keeps, checked on the finished list of operations.

They do not trust whoever made the list. Why each exists: a module whose boot loader is gone
falls into EDL and can be flashed again, one with half a firmware behind an intact boot loader
hangs for good; NAND takes each page once after an erase; EFS2 and RAWDATA hold calibration and
identity that no package can bring back.
"""

from collections.abc import Callable, Iterable

from station.errors import PlanRefused
from station.plan.flash_plan import Erase, FlashPlan, Program, Region, VendorLine

MAX_SECTORS = 1 << 26
"""Far above every NAND chip; keeps absurd numbers away from modules that cannot say their size."""


def check_plan(plan: FlashPlan) -> None:
    """Raises PlanRefused with a sentence that names the region."""
    for check in _CHECKS:
        check(plan)


def _check_numbers(plan: FlashPlan) -> None:
    sector, per_block = plan.geometry.sector_size_bytes, plan.geometry.pages_per_block
    if sector < 1 or per_block < 1:
        raise PlanRefused(f"no flash has sectors of {sector} bytes, {per_block} per block")
    for region in plan.regions:
        if region.start_sector < 0 or region.num_sectors < 1:
            raise PlanRefused(
                f"{region.name or 'an operation'} takes {region.num_sectors} sectors "
                f"from sector {region.start_sector}"
            )
        if region.end_sector > MAX_SECTORS:
            raise PlanRefused(f"{region} lies outside of every flash memory")
    for program in plan.programs:
        if program.num_sectors != -(-program.image.length_bytes // sector):
            raise PlanRefused(
                f"{program.region}: {program.image.path} with {program.image.length_bytes} bytes "
                f"does not fill {program.num_sectors} sectors"
            )


def _check_alignment(plan: FlashPlan) -> None:
    per_block = plan.geometry.pages_per_block
    for operation in plan.operations:
        if isinstance(operation, VendorLine):
            continue
        if operation.start_sector % per_block:
            raise PlanRefused(f"{operation.region} does not begin at an erase block")
        if isinstance(operation, Erase) and operation.num_sectors % per_block:
            raise PlanRefused(f"the erase of {operation.region} does not end with an erase block")


def _check_boot_loader(plan: FlashPlan) -> None:
    boot_loaders = [program for program in plan.programs if program.start_sector == 0]
    if len(boot_loaders) != 1:
        raise PlanRefused(
            f"the boot loader at sector 0 is written {len(boot_loaders)} times instead of once"
        )
    (boot_loader,) = boot_loaders
    first = plan.operations[0]
    if not isinstance(first, Erase) or not first.region.holds(boot_loader.region):
        raise PlanRefused(f"the boot loader {boot_loader.region} is not erased before all else")
    if plan.operations[-1] is not boot_loader:
        raise PlanRefused(f"the boot loader {boot_loader.region} is not written last")


def _check_order(plan: FlashPlan) -> None:
    """Each region erased before it is written, nothing erased after."""
    erased: list[Region] = []
    written: list[Region] = []
    for operation in plan.operations:
        match operation:
            case VendorLine():
                if written:
                    raise PlanRefused(f"a vendor line comes after {written[-1]} was written")
            case Erase():
                lost = _first_overlap(operation.region, written)
                if lost:
                    raise PlanRefused(f"{lost} is erased after it was written")
                erased.append(operation.region)
            case Program():
                if not _covered(operation.region, erased):
                    raise PlanRefused(f"{operation.region} is written but not fully erased before")
                twice = _first_overlap(operation.region, written)
                if twice:
                    raise PlanRefused(f"{operation.region} and {twice} overlap")
                written.append(operation.region)


def _check_partitions(plan: FlashPlan) -> None:
    for operation in plan.operations:
        match operation:
            case VendorLine():
                pass
            case Erase():
                if not _covered(operation.region, plan.partitions):
                    raise PlanRefused(f"{operation.region} leaves the partition table")
            case Program():
                if not any(region.holds(operation.region) for region in plan.partitions):
                    raise PlanRefused(f"{operation.region} does not lie inside one partition")


def _check_partition_table(plan: FlashPlan) -> None:
    """A module without its partition table cannot be flashed again by sector."""
    table = plan.partition_table
    touched = _first_overlap(table, (op.region for op in plan.operations if isinstance(op, Erase)))
    if touched and not _first_overlap(table, (program.region for program in plan.programs)):
        raise PlanRefused(f"the partition table {table} is erased but not written again")


def _check_calibration(plan: FlashPlan) -> None:
    if not any(region.name.casefold() == "efs2" for region in plan.protected):
        raise PlanRefused("EFS2 is not in the partition table: calibration cannot be protected")
    for region in plan.regions:
        hurt = _first_overlap(region, plan.protected)
        if hurt:
            raise PlanRefused(f"{region} would destroy the calibration in {hurt}")


_CHECKS: tuple[Callable[[FlashPlan], None], ...] = (
    _check_numbers,
    _check_calibration,
    _check_alignment,
    _check_boot_loader,
    _check_order,
    _check_partitions,
    _check_partition_table,
)


def _first_overlap(region: Region, others: Iterable[Region]) -> Region | None:
    return next((other for other in others if other.overlaps(region)), None)


def _covered(region: Region, by: Iterable[Region]) -> bool:
    """Whether together they hold every sector of the region."""
    reached = region.start_sector
    for other in sorted(by, key=lambda other: other.start_sector):
        if other.start_sector > reached:
            break
        reached = max(reached, other.end_sector)
    return reached >= region.end_sector
