"""A release where it lies, folder or ZIP archive, opened for reading.

The root of the package is the folder of md5.txt: the top, or the one folder a ZIP tool wrapped
around everything. What lies beside that folder (`__MACOSX/` and the like) is no part of it.
"""

import errno
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from station.errors import DiskTrouble, PackageHostile, PackageIncomplete, PackageMissing
from station.firmware.archive import ArchiveFile, scan_zip
from station.firmware.folder import scan_folder
from station.firmware.md5list import MD5_LIST
from station.firmware.members import LIMITS, Limits, Member, gather
from station.firmware.paths import Paths

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Release:
    """The files of one package. Valid inside the `open_release` that made it."""

    name: str
    """The folder's or archive's own name, without `.zip`."""
    top: str
    """The folder wrapped around the package, or empty."""
    place: str
    members: Mapping[str, Member]
    outside: tuple[str, ...]
    """Files beside the wrapping folder; not part of the package."""

    @cached_property
    def paths(self) -> Paths:
        return Paths(self.members)

    def stream(self, path: str) -> Iterator[bytes]:
        """The bytes of the file meant by `path`, in chunks of 1 MiB.

        Raises PackageIncomplete if they are not as many as declared, or cannot be unpacked.
        """
        member = self._member(path)
        place = f"{self.place}: {path}"
        if member.open is None:
            raise PackageIncomplete(f"{place} is a folder")
        left_bytes = member.length_bytes
        with _readable(place), closing(member.open()) as file:
            while chunk := file.read(CHUNK_BYTES):
                left_bytes -= len(chunk)
                if left_bytes < 0:
                    break
                yield chunk
        if left_bytes:
            raise PackageIncomplete(f"{place} changed length while it was read")

    def read(self, path: str, limit_bytes: int) -> bytes:
        """The whole of a small file. Raises PackageHostile above the limit."""
        length_bytes = self._member(path).length_bytes
        if length_bytes > limit_bytes:
            raise PackageHostile(f"{self.place}: {path} has {length_bytes} bytes, too many")
        return b"".join(self.stream(path))

    def _member(self, path: str) -> Member:
        found = self.paths.locate(path)
        if found is None:
            raise PackageIncomplete(f"{self.place}: {path} is missing")
        return self.members[found]


@contextmanager
def open_release(path: Path, limits: Limits = LIMITS) -> Iterator[Release]:
    """Open a folder or a ZIP archive; `path` itself may be a symbolic link.

    Raises PackageMissing, PackageIncomplete (not a ZIP archive, no md5.txt), PackageHostile,
    DiskTrouble.
    """
    real, mode = _look(path)
    place, name = str(path), package_name(real)
    if stat.S_ISDIR(mode):
        members = _in_folder(real, place, limits)
    elif stat.S_ISREG(mode):
        members = _in_archive(real, place, limits)
    else:
        raise PackageHostile(f"{place} is neither a folder nor a file")
    with members as found:
        yield _rooted(name, place, found)


@contextmanager
def _in_folder(path: Path, place: str, limits: Limits) -> Iterator[Mapping[str, Member]]:
    with _readable(place):
        root_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _readable(place):
            members = gather(place, scan_folder(place, root_fd), limits)
        yield members
    finally:
        os.close(root_fd)


@contextmanager
def _in_archive(path: Path, place: str, limits: Limits) -> Iterator[Mapping[str, Member]]:
    with _readable(place):
        file = ArchiveFile(path)
    with file:
        with _readable(place):
            members = gather(place, scan_zip(place, ZipFile(file), limits), limits)
        yield members


def package_name(path: Path) -> str:
    """What a release at this path is called: its last part without `.zip`."""
    return path.stem if path.suffix.lower() == ".zip" else path.name


def _look(path: Path) -> tuple[Path, int]:
    try:
        real = path.resolve(strict=True)
        return real, real.stat().st_mode
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PackageMissing(f"{str(path)!r}: {reason}") from error


def _rooted(name: str, place: str, members: Mapping[str, Member]) -> Release:
    """Find the package in what was found: the folder of md5.txt becomes the root."""
    lists = [path for path in members if path.rpartition("/")[2].casefold() == MD5_LIST]
    if any("/" not in path for path in lists):
        return Release(name, "", place, members, ())
    tops = {path.split("/")[0] for path in lists if path.count("/") == 1}
    if not tops:
        raise PackageIncomplete(f"{place}: {MD5_LIST} is missing")
    if len(tops) > 1:
        raise PackageIncomplete(f"{place} holds several packages: {', '.join(sorted(tops))}")
    top = tops.pop()
    inside = {
        path.removeprefix(f"{top}/"): member
        for path, member in members.items()
        if path.startswith(f"{top}/")
    }
    outside = tuple(sorted(path for path in members if not path.startswith(f"{top}/")))
    return Release(name, top, place, inside, outside)


@contextmanager
def _readable(place: str) -> Iterator[None]:
    """What reading a hostile archive or a moving folder may raise, as package errors."""
    try:
        yield
    except OSError as error:
        raise _of_disk(place, error) from error
    except (
        BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        OverflowError,
        ValueError,
    ) as error:
        raise PackageIncomplete(f"{place} is not a sound ZIP archive: {error}") from error


def _of_disk(
    place: str, error: OSError
) -> PackageMissing | PackageIncomplete | PackageHostile | DiskTrouble:
    match error.errno:
        case errno.ELOOP | errno.ENOTDIR:
            return PackageHostile(f"{place} is, or lies behind, a symbolic link")
        case errno.ENOENT:
            return PackageIncomplete(f"{place} vanished while it was read")
        case errno.EACCES | errno.EPERM:
            return PackageMissing(f"{place}: {error.strerror}")
        case errno.EINVAL:
            return PackageIncomplete(f"{place} is not a sound ZIP archive: {error.strerror}")
        case _:
            return DiskTrouble(f"{place}: {error.strerror or error}")
