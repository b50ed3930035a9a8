"""The bytes of the archive around its members' contents: as `writing` makes them, and no other.

A ZIP archive is read from its end, so whatever lies in front of it, between its members or behind
a packed content is read by nobody, and what its headers say by the way is nobody's word either.
Ref: PKWARE APPNOTE.TXT 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import IO
from zipfile import ZipInfo

from station.errors import BadBundle

DAWN = (1980, 1, 1, 0, 0, 0)
"""The time of every member: equal content is equal bytes."""

MODE = 0o100644 << 16
_DAWN_DATE = 1 << 5 | 1
_VERSION, _OLD_VERSION, _UNIX, _DEFLATED = 45, 20, 3, 8
_FULL = 0xFFFFFFFF
_LARGE = (1 << 31) - 1
"""What is larger stands in a field of 64 bits."""

_PIECE = 1 << 20


def check_framing(file: IO[bytes], infos: Sequence[ZipInfo]) -> None:
    """`infos` as the directory has them. Raises BadBundle with the first byte that is of no member
    or otherwise than it is written."""
    at = 0
    file.seek(0)
    for info in infos:
        _expect(file, _headers(info), at, f"the header of {info.filename}")
        _check_content(file, info)
        at = file.tell()
    start = at
    for info, begins in _placed(infos):
        _expect(file, _entries(info, begins), at, f"the directory's entry of {info.filename}")
        at = file.tell()
    _expect(file, [_end(len(infos), at - start, start)], at, "the end of the directory")
    if file.read(1):
        raise BadBundle("there are bytes behind the archive")


def _expect(file: IO[bytes], wanted: Sequence[bytes], at: int, what: str) -> None:
    """One of these, that are equally long."""
    if file.read(len(wanted[0])) not in wanted:
        raise BadBundle(f"from byte {at} on, {what} is not as a station writes it")


def _placed(infos: Sequence[ZipInfo]) -> list[tuple[ZipInfo, int]]:
    """Each with where it begins: one right behind the other."""
    placed, at = [], 0
    for info in infos:
        placed.append((info, at))
        at += len(_headers(info)[0]) + info.compress_size
    return placed


def _common(version: int, info: ZipInfo, packed_bytes: int, length_bytes: int) -> bytes:
    """What header and entry have alike: version, flags, method, time, date, CRC, sizes."""
    return struct.pack(
        "<5H3L", version, 0, _DEFLATED, 0, _DAWN_DATE, info.CRC, packed_bytes, length_bytes
    )


def _is_large(info: ZipInfo) -> bool:
    return max(info.compress_size, info.file_size) > _LARGE


def _headers(info: ZipInfo) -> list[bytes]:
    """As Pythons from 3.11.4 on write it, and as those before: they told small sizes twice."""
    name = info.filename.encode()
    sizes = struct.pack("<HHQQ", 1, 16, info.file_size, info.compress_size)
    rest = struct.pack("<HH", len(name), len(sizes)) + name + sizes
    told = [(_VERSION, _FULL, _FULL)]
    if not _is_large(info):
        told.append((_OLD_VERSION, info.compress_size, info.file_size))
    return [
        b"PK\x03\x04" + _common(version, info, packed_bytes, length_bytes) + rest
        for version, packed_bytes, length_bytes in told
    ]


def _entries(info: ZipInfo, at: int) -> list[bytes]:
    """Of the directory, of a member that begins at this byte; by the same Pythons."""
    name, large = info.filename.encode(), []
    packed_bytes, length_bytes = info.compress_size, info.file_size
    if _is_large(info):
        large += [length_bytes, packed_bytes]
        packed_bytes = length_bytes = _FULL
    if at > _LARGE:
        large.append(at)
        at = _FULL
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    rest = struct.pack("<5H2L", len(name), len(extra), 0, 0, 0, MODE, at) + name + extra
    return [
        b"PK\x01\x02"
        + struct.pack("<BB", version, _UNIX)
        + _common(version, info, packed_bytes, length_bytes)
        + rest
        for version in ([_VERSION] if large else [_VERSION, _OLD_VERSION])
    ]


def _end(count: int, length_bytes: int, at: int) -> bytes:
    """Behind the entries, that begin at this byte."""
    large = b""
    if at > _LARGE:
        counts = (count, count, length_bytes, at)
        large = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, _VERSION, _VERSION, 0, 0, *counts)
        large += b"PK\x06\x07" + struct.pack("<LQL", 0, at + length_bytes, 1)
    last = struct.pack("<4H2LH", 0, 0, count, count, length_bytes, min(at, _FULL), 0)
    return large + b"PK\x05\x06" + last


def _check_content(file: IO[bytes], info: ZipInfo) -> None:
    """The packed content ends where the member does."""
    inflater, left, room = zlib.decompressobj(-zlib.MAX_WBITS), info.compress_size, info.file_size
    while not inflater.eof:
        packed = inflater.unconsumed_tail
        if not packed:
            packed = file.read(min(_PIECE, left))
            left -= len(packed)
        content = inflater.decompress(packed, _PIECE)
        room -= len(content)
        if room < 0:
            raise BadBundle(f"{info.filename} unpacks to more than its {info.file_size} bytes")
        if not packed and not content:
            break
    if not inflater.eof or inflater.unused_data or left:
        raise BadBundle(f"{info.filename} does not end where its packed content does")
