"""What the images of a synthetic package hold: a marker, then bytes that follow from the seed.

The markers let a simulated module decide from its flash alone whether it boots and which
version it reports, and let a test see when two images were swapped.
"""

import random
import struct
from collections.abc import Iterable, Iterator

from station.errors import ConfigError
from station.firmware.mibib import Partition, compose_partition_table
from station.sim.layouts import Layout, Part, layout_of

SBL_MARKER = b"SIM-SBL\n"
"""The boot loader begins with this, the family and a line feed."""
VERSION_MARKER = b"SIM-FIRMWARE "
"""The image of `Layout.version_partition` begins with this, the version and a line feed."""
PROGRAMMER_MARKER = b"SIM-PROGRAMMER "
"""At `PROGRAMMER_MARKER_OFFSET` of the programmer, with the family and a line feed."""
PROGRAMMER_MARKER_OFFSET = 0x2000
PROGRAMMER_HASH_OFFSET = 0x1000
IMAGE_MARKER = b"SIM-IMAGE "
"""Every other image begins with this, its partition and a line feed; the partition table with
its own magic."""
CALIBRATION_MARKER = b"SIM-CALIBRATION "
"""EFS2 and RAWDATA of a new module begin with this, the partition and a line feed."""

_PIECE_BLOCKS = 4
_SPARE_BLOCKS = 3
"""Blocks an image leaves free in its partition, for bad blocks to be skipped."""
_CALIBRATION_BLOCKS = 2
_PROGRAM_HEADERS = 3


def image_lengths(layout: Layout, size_mb: int) -> dict[str, int]:
    """Bytes of each image by partition name, together `size_mb` MiB. Raises ConfigError."""
    if not 1 <= size_mb <= largest_size_mb(layout):
        raise ConfigError(
            f"a package for {layout.family} has 1 to {largest_size_mb(layout)} MiB, not {size_mb}"
        )
    return _lengths(layout, size_mb)


def largest_size_mb(layout: Layout) -> int:
    """The largest package whose images all fit their partitions."""
    room = _capacity(layout, layout.part(layout.version_partition))
    size_mb = 1
    while _lengths(layout, size_mb + 1)[layout.version_partition] <= room:
        size_mb += 1
    return size_mb


def image_pieces(
    layout: Layout, part: Part, length_bytes: int, version: str, seed: int
) -> Iterator[bytes]:
    """An image in pieces of a few whole erase blocks, the last one shorter."""
    if part == layout.partition_table:
        yield partition_table(layout)
        return
    yield from _pieces(layout, _marker(layout, part, version), length_bytes, f"{version}/{seed}")


def partition_table(layout: Layout) -> bytes:
    """`partition_complete_*.mbn`; the last partition grows to the end of the chip."""
    *fixed, last = (Partition(p.name, p.start_block, p.num_blocks) for p in layout.parts)
    fixed.append(Partition(last.name, last.start_block, None))
    return compose_partition_table(fixed, layout.sector_size_bytes)


def factory_images(
    family: str, version: str, size_mb: int, seed: int = 0
) -> Iterator[tuple[int, bytes]]:
    """What a module has in its flash when it comes from its maker: (start sector, bytes).

    Images arrive in pieces of whole erase blocks, each with the sector it begins at; the last
    piece of an image may end inside a sector. All images of a version are those of
    `write_package` with the same size and seed 0; `seed` makes the calibration the unit's own.
    """
    layout = layout_of(family)
    lengths = image_lengths(layout, size_mb)
    for part in layout.programmed:
        pieces = image_pieces(layout, part, lengths[part.name], version, 0)
        yield from _placed(layout, part, pieces)
    for part in layout.calibration:
        marker = CALIBRATION_MARKER + part.name.encode() + b"\n"
        length_bytes = _CALIBRATION_BLOCKS * layout.block_size_bytes
        yield from _placed(layout, part, _pieces(layout, marker, length_bytes, f"unit/{seed}"))


def programmer(layout: Layout) -> bytes:
    """An ELF32 file such as a boot ROM asks for piece by piece: header, program headers at 0x34,
    hash segment at 0x1000, one segment to load from 0x2000 on."""
    length, start = layout.programmer_bytes, PROGRAMMER_MARKER_OFFSET
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    entry_point = 0x0800_0000
    header = ident + struct.pack(
        "<HHIIIIIHHHHHH", 2, 40, 1, entry_point, 0x34, 0, 0, 0x34, 0x20, _PROGRAM_HEADERS, 0, 0, 0
    )
    headers_end = 0x34 + _PROGRAM_HEADERS * 0x20
    hash_bytes = 40 + _PROGRAM_HEADERS * 32
    segments = (
        (0, 0, 0, 0, headers_end, 0, 0x0700_0000, 0),
        (0, PROGRAMMER_HASH_OFFSET, 0, 0, hash_bytes, hash_bytes, 0x0220_0000, 0x1000),
        (1, start, entry_point, entry_point, length - start, length - start, 0x8000_0007, 0x1000),
    )
    body = bytearray(random.Random(f"programmer/{layout.family}").randbytes(length))
    body[:PROGRAMMER_HASH_OFFSET] = bytes(PROGRAMMER_HASH_OFFSET)
    for offset, data in (
        (0, header + b"".join(struct.pack("<8I", *segment) for segment in segments)),
        (start, PROGRAMMER_MARKER + layout.family.encode() + b"\n"),
    ):
        body[offset : offset + len(data)] = data
    return bytes(body)


def _lengths(layout: Layout, size_mb: int) -> dict[str, int]:
    """By share, as far as each partition goes; the version's image takes the rest."""
    total = size_mb << 20
    lengths = {layout.partition_table.name: 2 * layout.sector_size_bytes}
    for part in layout.programmed:
        if part.share and part.name != layout.version_partition:
            # An odd number of bytes: the last sector of real images is never full.
            lengths[part.name] = min(total * part.share // 1000 | 1, _capacity(layout, part))
    return lengths | {layout.version_partition: total - sum(lengths.values())}


def _marker(layout: Layout, part: Part, version: str) -> bytes:
    if part == layout.boot_loader:
        return SBL_MARKER + layout.family.encode() + b"\n"
    if part.name == layout.version_partition:
        return VERSION_MARKER + version.encode() + b"\n"
    return IMAGE_MARKER + part.name.encode() + b"\n"


def _pieces(layout: Layout, marker: bytes, length_bytes: int, seed: str) -> Iterator[bytes]:
    source = random.Random(f"{layout.family}/{marker!r}/{seed}")
    piece_bytes = _PIECE_BLOCKS * layout.block_size_bytes
    for offset in range(0, length_bytes, piece_bytes):
        piece = source.randbytes(min(piece_bytes, length_bytes - offset))
        yield marker[: len(piece)] + piece[len(marker) :] if offset == 0 else piece


def _placed(layout: Layout, part: Part, pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    sector = layout.start_sector(part)
    for piece in pieces:
        yield sector, piece
        sector += -(-len(piece) // layout.sector_size_bytes)


def _capacity(layout: Layout, part: Part) -> int:
    return max(1, part.num_blocks - _SPARE_BLOCKS) * layout.block_size_bytes
