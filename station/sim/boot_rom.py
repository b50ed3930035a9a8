"""How a boot ROM loads a programmer: which bytes it asks for, and what it refuses.

Order: ELF header, program headers, hash segment, then every loadable segment in pieces of at
most 4 KiB. A boot ROM knows the class of its programmers before it sees one: 32-bit parts begin
with (0, 0x34), 64-bit parts with (0, 0x40).

Ref: recorded READ_DATA sequences of SDX24, SDX55 and 9x07; System V ABI (ELF-32, ELF-64).
The signature check is simulated by a marker at offset 0x2000 that names the chip family.
"""

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from station.protocols.sahara import Status

PIECE_BYTES = 0x1000
MAX_HEADERS = 32
MAX_IMAGE_BYTES = 4 << 20
MARKER_OFFSET = 0x2000

_PT_LOAD = 1
_HASH_SEGMENT = 2

Load = Generator[tuple[int, int], bytes, Status]
"""Yields (offset, length) and is sent exactly these bytes; returns the verdict."""


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset_bytes: int
    file_bytes: int
    flags: int

    @property
    def is_hash(self) -> bool:
        return self.flags >> 24 & 7 == _HASH_SEGMENT

    @property
    def end_bytes(self) -> int:
        return self.offset_bytes + self.file_bytes


@dataclass(frozen=True, slots=True)
class ElfClass:
    """Where a 32-bit or 64-bit ELF file keeps what a boot ROM looks at.

    `ident` begins the file; `table` reads e_phoff and `counts` e_phentsize and e_phnum, each from
    its offset in the header. `entry` is one program header, `places` are p_type, p_offset,
    p_filesz and p_flags among its fields.
    """

    ident: bytes
    header_bytes: int
    table: struct.Struct
    table_at: int
    counts_at: int
    entry: struct.Struct
    places: tuple[int, int, int, int]


ELF32 = ElfClass(
    b"\x7fELF\x01", 0x34, struct.Struct("<I"), 0x1C, 0x2A, struct.Struct("<8I"), (0, 1, 4, 6)
)
ELF64 = ElfClass(
    b"\x7fELF\x02", 0x40, struct.Struct("<Q"), 0x20, 0x36, struct.Struct("<2I6Q"), (0, 2, 5, 1)
)
_COUNTS = struct.Struct("<HH")


def load_programmer(family: str, elf: ElfClass = ELF32) -> Load:
    """Fetch one programmer of this class and accept it if it is made for `family`."""
    header = yield 0, elf.header_bytes
    if not header.startswith(elf.ident):
        return Status.INVALID_ELF_HEADER
    (table_offset,) = elf.table.unpack_from(header, elf.table_at)
    entry_bytes, count = _COUNTS.unpack_from(header, elf.counts_at)
    if not 1 <= count <= MAX_HEADERS:
        return Status.UNSUPPORTED_PHDR_COUNT
    if entry_bytes != elf.entry.size:
        return Status.INVALID_PHDR_SIZE
    if table_offset > MAX_IMAGE_BYTES:
        return Status.INVALID_ELF_HEADER
    table = yield table_offset, count * elf.entry.size
    segments = [_segment(entry, elf) for entry in elf.entry.iter_unpack(table)]
    hashes = [segment for segment in segments if segment.is_hash and segment.file_bytes]
    if not hashes:
        return Status.HASH_TABLE_NOT_FOUND
    wanted = hashes[:1] + [s for s in segments if s.kind == _PT_LOAD and not s.is_hash]
    if max(segment.end_bytes for segment in wanted) > MAX_IMAGE_BYTES:
        return Status.INVALID_DATA_SIZE
    if sum(segment.file_bytes for segment in wanted) > MAX_IMAGE_BYTES:
        return Status.INVALID_DATA_SIZE
    return (yield from _fetch(wanted, f"SIM-PROGRAMMER {family}\n".encode()))


def _fetch(segments: list[_Segment], marker: bytes) -> Load:
    marked = False
    for segment in segments:
        for offset, length in _pieces(segment):
            piece = yield offset, length
            at = MARKER_OFFSET - offset
            marked |= 0 <= at < length and piece[at : at + len(marker)] == marker
    return Status.SUCCESS if marked else Status.HASH_TABLE_AUTHENTICATION_FAILURE


def _segment(entry: tuple[int, ...], elf: ElfClass) -> _Segment:
    kind, offset_bytes, file_bytes, flags = (entry[place] for place in elf.places)
    return _Segment(kind, offset_bytes, file_bytes, flags)


def _pieces(segment: _Segment) -> Iterator[tuple[int, int]]:
    for offset in range(segment.offset_bytes, segment.end_bytes, PIECE_BYTES):
        yield offset, min(PIECE_BYTES, segment.end_bytes - offset)
