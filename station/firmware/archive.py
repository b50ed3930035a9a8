"""A release as a ZIP archive, read in place: nothing is ever unpacked elsewhere.

Everything the archive says about itself is checked before a byte is inflated: links, devices,
encryption, members that share bytes, sizes that only a bomb has. That the bytes which come out
are as many as declared is checked by `Release.stream`. Ref: PKWARE APPNOTE.TXT 4.3-4.5.
Quirk: some Windows tools write backslashes into member names, also at the end of folders.
"""

import io
import os
import stat
import struct
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from station.errors import PackageHostile
from station.firmware.members import Limits, Member
from station.firmware.paths import shown

_MOST_AT_ONCE = 8 << 20
"""Bytes of one read: room for the directory of 4096 members, none for that of millions."""

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_LOCAL_HEADER_BYTES = 30
_LINK_FIELDS = {0x000D: 12, 0x756E: 14}
"""Extra fields of Unix archivers and their fixed length; what follows it is a link's target."""


class ArchiveFile(io.FileIO):
    """A file for `ZipFile` that refuses the read that a directory of gigabytes would take."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = -1 if size is None else size
        if wanted < 0:
            wanted = os.fstat(self.fileno()).st_size - self.tell()
        if wanted > _MOST_AT_ONCE:
            raise PackageHostile(f"{self.name}: its directory has {wanted} bytes")
        return super().read(wanted) or b""


def scan_zip(place: str, archive: ZipFile, limits: Limits) -> Iterator[Member]:
    """Every member of an archive over an `ArchiveFile`, once the whole of it was found sane.

    Raises PackageHostile.
    """
    infos = archive.infolist()
    _refuse_bomb(place, archive, limits)
    for info in infos:
        _refuse_odd(f"{place}: {shown(info.orig_filename)}", info)
        is_folder = info.orig_filename.endswith(("/", "\\"))
        if is_folder and info.file_size:
            raise PackageHostile(f"{place}: {shown(info.orig_filename)} is a folder with content")
        open_member = None if is_folder else partial(_open_member, archive, info)
        yield Member(info.orig_filename, info.file_size, open_member)


def _open_member(archive: ZipFile, info: ZipInfo) -> IO[bytes]:
    return archive.open(info)


def _refuse_bomb(place: str, archive: ZipFile, limits: Limits) -> None:
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [info.header_offset for info in infos] + [archive.start_dir]
    for info, (start, end) in zip(infos, pairwise(starts), strict=True):
        if start + _LOCAL_HEADER_BYTES + info.compress_size > end:
            raise PackageHostile(f"{place}: {shown(info.orig_filename)} overlaps what follows it")
    total_bytes = sum(info.file_size for info in infos)
    packed_bytes = sum(info.compress_size for info in infos)
    if total_bytes > limits.ratio_free_bytes and total_bytes > limits.ratio * packed_bytes:
        raise PackageHostile(f"{place}: {packed_bytes} bytes would unpack to {total_bytes}")


def _refuse_odd(place: str, info: ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK or _has_link_target(info.extra):
        raise PackageHostile(f"{place} is a link")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PackageHostile(f"{place} is not a file (device, pipe or socket)")
    if info.flag_bits & _ENCRYPTED:
        raise PackageHostile(f"{place} is encrypted")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise PackageHostile(f"{place} is packed by method {info.compress_type}; only deflate is")


def _has_link_target(extra: bytes) -> bool:
    while len(extra) >= 4:
        field, length_bytes = struct.unpack_from("<HH", extra)
        if field in _LINK_FIELDS and length_bytes > _LINK_FIELDS[field]:
            return True
        extra = extra[4 + length_bytes :]
    return False
