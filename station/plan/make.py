"""Recipe and package in, checked plan out.

The order of a rawprogram cannot be trusted (Quectel's own files erase the boot loader at the
end, after it was written), so the plan has its own:

    1. erase what begins at sector 0: from here on a power cut leads to EDL, not to a boot loop
    2. vendor lines, if the recipe allows them
    3. the other erases, in the order of the file
    4. programs that do not begin at sector 0, in the order of the file
    5. the boot loader at sector 0

Ref: QFirehose V1.4.17 (its release note V1.2.4 gives the reason).
"""

from collections.abc import Callable
from typing import assert_never

from station.config import QuectelEdlRecipe
from station.errors import FirehoseError, PlanRefused, VendorLineRefused
from station.firmware import rawprogram
from station.firmware.mibib import PartitionTable, parse_partition_table
from station.firmware.package import inspect
from station.firmware.paths import resolve
from station.firmware.rawprogram import MAX_FILE_BYTES, Rawprogram, parse_rawprogram
from station.firmware.stored import StoredPackage
from station.model import FileRef
from station.plan.against_module import CALIBRATION, region_of
from station.plan.flash_plan import (
    Erase,
    FlashPlan,
    Geometry,
    Operation,
    Program,
    Region,
    VendorLine,
)
from station.plan.rules import check_plan
from station.protocols.firehose_xml import wrap


def plan_package(recipe: QuectelEdlRecipe, package: StoredPackage) -> FlashPlan:
    """The plan for a package of the store. Blocks on disk for three small files.

    Raises PackageError: what is missing, unreadable, or refused by `make_plan`.
    """
    layout = inspect(package)
    commands = parse_rawprogram(package.read(layout.rawprogram, MAX_FILE_BYTES), layout.rawprogram)
    if layout.partition_table is None:
        raise PlanRefused(f"{package.name} has no partition table: calibration cannot be protected")
    page_size_bytes = geometry_of(commands).sector_size_bytes
    table = parse_partition_table(
        package.read(layout.partition_table, MAX_FILE_BYTES), page_size_bytes
    )

    def image(filename: str) -> FileRef:
        return package.manifest.file(resolve(filename, layout.rawprogram))

    return make_plan(
        recipe,
        commands,
        table,
        programmer=package.manifest.file(layout.programmer),
        table_file=package.manifest.file(layout.partition_table),
        image=image,
    )


def make_plan(
    recipe: QuectelEdlRecipe,
    commands: Rawprogram,
    table: PartitionTable,
    *,
    programmer: FileRef,
    table_file: FileRef,
    image: Callable[[str], FileRef],
) -> FlashPlan:
    """Order the commands safely, complete them and check the result with `check_plan`.

    `table_file` is where `table` was read from; `image` finds the file for a filename as the
    rawprogram writes it. Raises PlanRefused, VendorLineRefused.
    """
    geometry = geometry_of(commands)
    partitions = _partitions(commands, table, geometry)
    table_region = _named(partitions, "MIBIB")
    if table_region is None:
        raise PlanRefused("MIBIB is not in the partition table: the module's cannot be compared")
    operations: list[Operation] = []
    for element in commands.elements:
        match element:
            case rawprogram.Erase(place):
                label = _label(partitions, place)
                operations.append(Erase(place.start_sector, place.num_sectors, label))
            case rawprogram.Program(filename, _, place):
                operations.append(_program(_label(partitions, place), place, image(filename)))
            case rawprogram.VendorLine(line, line_number):
                operations.append(_vendor_line(recipe, line, line_number))
            case _:
                assert_never(element)
    plan = FlashPlan(
        procedure=recipe.procedure,
        version=recipe.firmware.version,
        verify=recipe.verify,
        geometry=geometry,
        programmer=programmer,
        operations=tuple(sorted(operations, key=_turn)),
        partitions=partitions,
        protected=tuple(r for name in CALIBRATION if (r := _named(partitions, name))),
        partition_table=table_region,
    )
    _check_table_file(plan, table_file)
    check_plan(plan)
    return plan


def geometry_of(commands: Rawprogram) -> Geometry:
    """The one geometry all commands share. Raises PlanRefused."""
    places = [e.place for e in commands.elements if not isinstance(e, rawprogram.VendorLine)]
    geometries = {(place.sector_size_bytes, place.pages_per_block) for place in places}
    if len(geometries) != 1:
        raise PlanRefused(f"the rawprogram names {len(geometries)} flash geometries instead of one")
    if any(place.physical_partition_number for place in places):
        raise PlanRefused("the rawprogram writes to another chip than number 0, NAND has only that")
    ((sector_size_bytes, pages_per_block),) = geometries
    if not (512 <= sector_size_bytes <= 1 << 14 and 1 <= pages_per_block <= 1 << 12):
        raise PlanRefused(
            f"no flash has sectors of {sector_size_bytes} bytes, {pages_per_block} per block"
        )
    return Geometry(sector_size_bytes, pages_per_block)


def _turn(operation: Operation) -> int:
    """Where an operation belongs; those of one turn keep the order of the file."""
    match operation:
        case Erase(start_sector):
            return 3 if start_sector else 1
        case VendorLine():
            return 2
        case Program(_, start_sector):
            return 4 if start_sector else 5
        case _:
            assert_never(operation)


def _partitions(
    commands: Rawprogram, table: PartitionTable, geometry: Geometry
) -> tuple[Region, ...]:
    places = [e.place for e in commands.elements if not isinstance(e, rawprogram.VendorLine)]
    end_sector = max(place.start_sector + place.num_sectors for place in places)
    per_block = geometry.pages_per_block
    return tuple(region_of(p, per_block, end_sector) for p in table.partitions)


def _named(partitions: tuple[Region, ...], name: str) -> Region | None:
    return next((r for r in partitions if r.name.casefold() == name.casefold()), None)


def _label(partitions: tuple[Region, ...], place: rawprogram.Place) -> str:
    """The partition a command begins in: Quectel's files carry no labels, others may lie."""
    start = Region("", place.start_sector, 1)
    return next((region.name for region in partitions if region.holds(start)), "")


def _program(label: str, place: rawprogram.Place, image: FileRef) -> Program:
    num_sectors = -(-image.length_bytes // place.sector_size_bytes)
    if num_sectors > place.num_sectors:
        raise PlanRefused(
            f"{image.path} fills {num_sectors} sectors, {label or 'its place'} "
            f"at sector {place.start_sector} has {place.num_sectors}"
        )
    return Program(image, place.start_sector, num_sectors, label)


def _vendor_line(recipe: QuectelEdlRecipe, line: bytes, line_number: int) -> VendorLine:
    shown = line.strip()[:200].decode("ascii", "backslashreplace")
    if not recipe.allow_vendor_lines:
        raise VendorLineRefused(
            f"line {line_number} of the rawprogram is for this vendor's programmer only, "
            f"and recipe {recipe.name} does not allow it: {shown}"
        )
    try:
        wrap(line)
    except FirehoseError as error:
        raise VendorLineRefused(f"line {line_number} cannot be sent as it is: {error}") from error
    return VendorLine(line)


def _check_table_file(plan: FlashPlan, table_file: FileRef) -> None:
    """The table that is written must be the one that was read for what to protect."""
    for program in plan.programs:
        if program.region.overlaps(plan.partition_table) and program.image != table_file:
            raise PlanRefused(
                f"{plan.partition_table} would be written with {program.image.path}, "
                f"but the partition table is {table_file.path}"
            )
