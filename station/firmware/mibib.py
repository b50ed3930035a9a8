"""MIBIB, the partition table of Qualcomm NAND modules: `partition_complete_*.mbn` and raw dumps.

    page 0   AC 9F 56 FE  7A 12 7F CD   u32 version (4)   u32 age
    page 1   AA 73 EE 55  DB BD 5E E3   u32 version       u32 count
             count x 28 bytes: char name[16] "0:SBL", u32 start block, u32 length in blocks,
                               u8 attributes[3] (FF 01 00, FF 01 FF), u8 which flash
    behind   user table and checksum page, not read here: tools patch the file before use, and
             what they checksum differs

All numbers are little endian, unused bytes FF. Blocks are erase blocks.

Ref: quectel_eg25_recovery partition_complete_p2K_b128K.mbn; bkerler/edl nand_config.py.

Quirks seen: the file's last partition has the length FFFFFFFF, it grows to the end of the chip;
the boot loader keeps several copies in the MIBIB region, the one with the highest age counts;
names are upper case on 9x07 (`0:EFS2`) and lower case on SDX55 (`0:efs2`).
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from station.errors import PackageIncomplete

HEADER_MAGIC = bytes.fromhex("ac9f56fe 7a127fcd")
TABLE_MAGIC = bytes.fromhex("aa73ee55 dbbd5ee3")
VERSION = 4

_HEADER = struct.Struct("<8sII")
_ENTRY = struct.Struct("<16sII3sB")
_GROWS = 0xFFFFFFFF
_MAX_BLOCKS = 1 << 24
_PAGE_SIZES = (2048, 4096, 8192)


@dataclass(frozen=True, slots=True)
class Partition:
    """A named range of erase blocks; `num_blocks` is None when it grows to the end."""

    name: str
    start_block: int
    num_blocks: int | None


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """Partitions in the order of the table; they have distinct names and do not overlap."""

    partitions: tuple[Partition, ...]

    def named(self, name: str) -> Partition | None:
        """The partition of this name, upper or lower case."""
        wanted = name.casefold()
        return next((p for p in self.partitions if p.name.casefold() == wanted), None)

    def at(self, block: int) -> Partition | None:
        """The partition that an erase block belongs to."""
        for partition in self.partitions:
            end = _MAX_BLOCKS if partition.num_blocks is None else _end(partition)
            if partition.start_block <= block < end:
                return partition
        return None


def parse_partition_table(data: bytes, page_size_bytes: int) -> PartitionTable:
    """The table of a file or region that begins with it. Raises PackageIncomplete."""
    return _copy_at(data, 0, page_size_bytes)[1]


def find_partition_table(region: bytes, page_size_bytes: int) -> PartitionTable:
    """The newest valid copy in a raw dump of the MIBIB region: highest age, then the last one.

    Damaged copies are passed over: blocks go bad, and a copy may have been cut off.
    Raises PackageIncomplete when there is none.
    """
    if page_size_bytes not in _PAGE_SIZES:
        raise PackageIncomplete(f"partition table: no flash has pages of {page_size_bytes} bytes")
    newest: tuple[int, PartitionTable] | None = None
    for offset in range(0, len(region) - 2 * page_size_bytes + 1, page_size_bytes):
        if not region.startswith(HEADER_MAGIC, offset):
            continue
        try:
            found = _copy_at(region, offset, page_size_bytes)
        except PackageIncomplete:
            continue
        if newest is None or found[0] >= newest[0]:
            newest = found
    if newest is None:
        raise PackageIncomplete(f"partition table: none in {len(region)} bytes of the MIBIB region")
    return newest[1]


def compose_partition_table(
    partitions: Iterable[Partition], page_size_bytes: int, *, age: int = 1
) -> bytes:
    """Both pages of a table, as `parse_partition_table` reads them. Raises ValueError."""
    entries = tuple(partitions)
    header = _HEADER.pack(HEADER_MAGIC, VERSION, age)
    table = _HEADER.pack(TABLE_MAGIC, VERSION, len(entries)) + b"".join(map(_entry, entries))
    if len(table) > page_size_bytes:
        raise ValueError(f"{len(entries)} partitions do not fit one page")
    return header.ljust(page_size_bytes, b"\xff") + table.ljust(page_size_bytes, b"\xff")


def _entry(partition: Partition) -> bytes:
    name = f"0:{partition.name}".encode("ascii")
    if len(name) > 16:
        raise ValueError(f"partition name {partition.name} is too long")
    keeps_history = partition.name.casefold() in ("mibib", "efs2")
    length = _GROWS if partition.num_blocks is None else partition.num_blocks
    attributes = b"\xff\x01\xff" if keeps_history else b"\xff\x01\x00"
    return _ENTRY.pack(name, partition.start_block, length, attributes, 0)


def _copy_at(data: bytes, offset: int, page_size_bytes: int) -> tuple[int, PartitionTable]:
    """Age and content of the copy that begins at `offset`."""
    if page_size_bytes not in _PAGE_SIZES:
        raise PackageIncomplete(f"partition table: no flash has pages of {page_size_bytes} bytes")
    header, table = (
        data[start : start + page_size_bytes] for start in (offset, offset + page_size_bytes)
    )
    if len(table) < _HEADER.size:
        raise PackageIncomplete(f"partition table: cut off after {len(header) + len(table)} bytes")
    header_magic, _, age = _HEADER.unpack_from(header)
    table_magic, _, count = _HEADER.unpack_from(table)
    if header_magic != HEADER_MAGIC or table_magic != TABLE_MAGIC:
        raise PackageIncomplete(
            f"partition table: pages of {page_size_bytes} bytes begin with "
            f"{header_magic.hex()} and {table_magic.hex()}, which is no MIBIB"
        )
    if not 1 <= count <= (len(table) - _HEADER.size) // _ENTRY.size:
        raise PackageIncomplete(f"partition table: claims {count} partitions")
    offsets = range(_HEADER.size, _HEADER.size + count * _ENTRY.size, _ENTRY.size)
    partitions = tuple(_partition(table, at) for at in offsets)
    _refuse_conflicts(partitions)
    return age, PartitionTable(partitions)


def _partition(table: bytes, offset: int) -> Partition:
    raw_name, start_block, length, _, _ = _ENTRY.unpack_from(table, offset)
    name = raw_name.rstrip(b"\0").removeprefix(b"0:")
    if not name or any(not 0x21 <= byte <= 0x7E for byte in name):
        raise PackageIncomplete(f"partition table: {raw_name.hex()} is not a partition name")
    text = name.decode("ascii")
    if length != _GROWS and not 1 <= length <= _MAX_BLOCKS - start_block:
        raise PackageIncomplete(
            f"partition table: {text} has {length} blocks from block {start_block}"
        )
    if start_block >= _MAX_BLOCKS:
        raise PackageIncomplete(f"partition table: {text} begins at block {start_block}")
    return Partition(text, start_block, None if length == _GROWS else length)


def _refuse_conflicts(partitions: tuple[Partition, ...]) -> None:
    """A name given twice or blocks given twice could hide calibration from the checks."""
    names = [p.name.casefold() for p in partitions]
    for name in names:
        if names.count(name) > 1:
            raise PackageIncomplete(f"partition table: {name} is named twice")
    for before, after in pairwise(sorted(partitions, key=lambda p: p.start_block)):
        if before.num_blocks is None or _end(before) > after.start_block:
            raise PackageIncomplete(f"partition table: {before.name} and {after.name} overlap")


def _end(partition: Partition) -> int:
    return partition.start_block + (partition.num_blocks or 0)
