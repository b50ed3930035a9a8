"""How a boot ROM loads a programmer: which bytes it asks for, and what it refuses.

Order: ELF header, program headers, hash segment, then every loadable segment in pieces of at
most 4 KiB. Ref: recorded READ_DATA sequences of SDX24, SDX55 and 9x07; ELF-32 specification.
The signature check is simulated by a marker at offset 0x2000 that names the chip family.
"""

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from station.protocols.sahara import Status

ELF_HEADER_BYTES = 0x34
PROGRAM_HEADER_BYTES = 0x20
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


def load_programmer(family: str) -> Load:
    """Fetch one 32-bit ELF programmer and accept it if it is made for `family`."""
    header = yield 0, ELF_HEADER_BYTES
    if header[:5] != b"\x7fELF\x01":
        return Status.INVALID_ELF_HEADER
    (table_offset,) = struct.unpack_from("<I", header, 0x1C)
    entry_bytes, count = struct.unpack_from("<HH", header, 0x2A)
    if not 1 <= count <= MAX_HEADERS:
        return Status.UNSUPPORTED_PHDR_COUNT
    if entry_bytes != PROGRAM_HEADER_BYTES:
        return Status.INVALID_PHDR_SIZE
    table = yield table_offset, count * PROGRAM_HEADER_BYTES
    segments = [_segment(entry) for entry in struct.iter_unpack("<8I", table)]
    hashes = [segment for segment in segments if segment.is_hash and segment.file_bytes]
    if not hashes:
        return Status.HASH_TABLE_NOT_FOUND
    wanted = hashes[:1] + [s for s in segments if s.kind == _PT_LOAD and not s.is_hash]
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


def _segment(entry: tuple[int, ...]) -> _Segment:
    return _Segment(entry[0], entry[1], entry[4], entry[6])


def _pieces(segment: _Segment) -> Iterator[tuple[int, int]]:
    end = segment.offset_bytes + segment.file_bytes
    for offset in range(segment.offset_bytes, end, PIECE_BYTES):
        yield offset, min(PIECE_BYTES, end - offset)
