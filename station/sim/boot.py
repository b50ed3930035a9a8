"""What comes up when a module starts: decided from its flash alone.

No boot loader: the boot ROM falls into EDL. A boot loader but no partition table, or an image
that is not the one its partition should hold: the system crashes into memory-dump mode. Else
the system runs, reports the version in its own image, and finds its calibration or not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from station.errors import PackageIncomplete
from station.firmware.mibib import PartitionTable, find_partition_table
from station.model import Mode
from station.sim.images import IMAGE_MARKER, SBL_MARKER, VERSION_MARKER
from station.sim.layouts import Layout, Part
from station.sim.nand import Nand

_VERSION = re.compile(rb"[A-Za-z0-9_.]{1,64}")
_MODEL_WITH_REGION = re.compile(r"(R[MG]\d{3}[A-Z])([A-Z]{2})")
_MODEL = re.compile(r"[A-Z]+\d+")


@dataclass(frozen=True, slots=True)
class Boot:
    """`mode` is EDL, CRASHED or RUNTIME; the rest counts for RUNTIME only. `why` is in words."""

    mode: Mode
    why: str = ""
    version: str = ""
    calibrated: bool = False


def boot(nand: Nand, layout: Layout, calibration: Mapping[str, bytes]) -> Boot:
    """Start from what the flash holds; `calibration` is what the maker wrote."""
    if not _first_page(nand, layout.boot_loader.start_block).startswith(
        SBL_MARKER + layout.family.encode() + b"\n"
    ):
        return Boot(Mode.EDL, "no boot loader in flash")
    part = layout.partition_table
    pages = nand.region(layout.start_sector(part), layout.num_sectors(part))
    try:
        table = find_partition_table(b"".join(map(nand.read, pages)), layout.sector_size_bytes)
    except PackageIncomplete as error:
        return Boot(Mode.CRASHED, error.cause)
    for part in layout.programmed[2:]:
        if not _image_begins(nand, table, part.name, _marker(layout, part)):
            return Boot(Mode.CRASHED, f"partition {part.name} does not hold its image")
    version = _version(nand, layout, table)
    if version is None:
        return Boot(Mode.CRASHED, "no version in the system image")
    calibrated = calibration == calibration_of(nand, layout, table)
    return Boot(Mode.RUNTIME, "", version, calibrated)


def calibration_of(nand: Nand, layout: Layout, table: PartitionTable) -> dict[str, bytes]:
    """A fingerprint of each calibration partition, found by the module's own table."""
    return {
        part.name: nand.fingerprint(found.start_block, found.num_blocks)
        for part in layout.calibration
        if (found := table.named(part.name)) is not None and found.num_blocks is not None
    }


def revision_of(version: str) -> str:
    """`EC25EFAR06A06M4G` of `EC25EFAR06A06M4G_01.002.01.002`."""
    return version.partition("_")[0]


def model_of(version: str) -> str:
    """`EC25` or `RM500Q-GL`, as ATI says it."""
    if match := _MODEL_WITH_REGION.match(version):
        return f"{match[1]}-{match[2]}"
    return match[0] if (match := _MODEL.match(version)) else version[:8]


def _marker(layout: Layout, part: Part) -> bytes:
    if part.name == layout.version_partition:
        return VERSION_MARKER
    return IMAGE_MARKER + part.name.encode() + b"\n"


def _version(nand: Nand, layout: Layout, table: PartitionTable) -> str | None:
    found = table.named(layout.version_partition)
    if found is None:
        return None
    line, _, _ = _first_page(nand, found.start_block)[len(VERSION_MARKER) :].partition(b"\n")
    return line.decode("ascii") if _VERSION.fullmatch(line) else None


def _image_begins(nand: Nand, table: PartitionTable, name: str, marker: bytes) -> bool:
    found = table.named(name)
    return found is not None and _first_page(nand, found.start_block).startswith(marker)


def _first_page(nand: Nand, start_block: int) -> bytes:
    """The first page of a region as the loader reads it: bad blocks skipped."""
    page = next(nand.region(start_block * nand.geometry.pages_per_block, 1), None)
    return b"" if page is None else nand.read(page)
