"""A package of the store, opened: verified, then read by all slots at the same time.

Before each use every file is looked at, and one that was touched since is verified anew.

Files are read with pread and never mapped: a file that is cut short gives short answers, which
fail one attempt, where a mapping would kill the process.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from station.errors import Bug, DiskTrouble, FileChanged, PackageHostile
from station.firmware.manifest import Manifest
from station.firmware.paths import Paths
from station.firmware.release import CHUNK_BYTES
from station.model import FileRef


class Identity(NamedTuple):
    """Differs as soon as somebody wrote to the file or put another one in its place. The kernel
    sets the time of the last change; nobody can set it back."""

    device: int
    inode: int
    length_bytes: int
    mtime_ns: int
    ctime_ns: int


def _identity(state: os.stat_result) -> Identity:
    return Identity(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def open_object(place: Path, file: FileRef) -> tuple[int, Identity]:
    """A descriptor of the stored file, every byte of it verified, and what it was then.

    Raises FileChanged if it is missing, no plain file, or other bytes; DiskTrouble.
    """
    try:
        file_fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise FileChanged(f"{file.path}: its copy {place} is missing") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileChanged(f"{file.path}: its copy {place} is a symbolic link") from None
        raise DiskTrouble(f"{place}: {error.strerror}") from error
    try:
        identity = _verify(file_fd, place, file)
    except OSError as error:
        os.close(file_fd)
        raise DiskTrouble(f"{place}: {error.strerror}") from error
    except BaseException:
        os.close(file_fd)
        raise
    return file_fd, identity


def _verify(file_fd: int, place: Path, file: FileRef) -> Identity:
    state = os.fstat(file_fd)
    if not stat.S_ISREG(state.st_mode) or state.st_size != file.length_bytes:
        raise FileChanged(
            f"{file.path}: its copy {place} has {state.st_size} bytes, not {file.length_bytes}"
        )
    sha256 = hashlib.sha256()
    for offset_bytes in range(0, file.length_bytes, CHUNK_BYTES):
        sha256.update(os.pread(file_fd, CHUNK_BYTES, offset_bytes))
    if sha256.hexdigest() != file.sha256:
        raise FileChanged(f"{file.path}: the bytes of its copy {place} are not those stored")
    return _identity(state)


class StoredFile:
    """An image in the store; has the shape of `station.protocols.dialogue.Source`."""

    def __init__(self, file: FileRef, place: Path) -> None:
        """Opens and verifies it. Raises FileChanged, DiskTrouble."""
        self._file = file
        self._place = place
        self._fd, self._identity = open_object(place, file)
        self._replaced: list[int] = []
        self._is_open = True

    @property
    def name(self) -> str:
        return self._file.path

    @property
    def length_bytes(self) -> int:
        return self._file.length_bytes

    @property
    def sha256(self) -> str:
        return self._file.sha256

    def pread(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Up to `length_bytes` from `offset_bytes`; fewer at the end, or if the file was cut.

        From any thread, except while the package is being closed. Raises DiskTrouble.
        """
        if not self._is_open:
            raise Bug(f"{self.name} was read after its package was closed")
        wanted_bytes = min(length_bytes, self.length_bytes - offset_bytes)
        if offset_bytes < 0 or wanted_bytes <= 0:
            return b""
        try:
            return os.pread(self._fd, wanted_bytes, offset_bytes)
        except OSError as error:
            raise DiskTrouble(f"{self.name}: {error.strerror}") from error

    def is_touched(self) -> bool:
        """It is not the file any more that was verified; or it is missing, as will be told by the
        one who opens it."""
        try:
            return _identity(self._place.lstat()) != self._identity
        except OSError:
            return True

    def recheck(self) -> None:
        """Verify it again if it was touched. Others may be reading meanwhile: what they have open
        stays open. Raises FileChanged, DiskTrouble."""
        if not self.is_touched():
            return
        file_fd, identity = open_object(self._place, self._file)
        if identity[:2] == self._identity[:2]:
            os.close(file_fd)
        else:
            self._replaced.append(self._fd)
            self._fd = file_fd
        self._identity = identity

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            for file_fd in (self._fd, *self._replaced):
                with suppress(OSError):  # of a file that was only read: nothing is lost
                    os.close(file_fd)


class StoredPackage:
    """Every file of a package, open. A context manager; close it after its last reader."""

    def __init__(self, manifest: Manifest, places: Mapping[str, Path]) -> None:
        self.manifest = manifest
        self._files: dict[str, StoredFile] = {}
        try:
            for file in manifest.files:
                self._files[file.path] = StoredFile(file, places[file.path])
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def paths(self) -> Paths:
        return self.manifest.paths

    def source(self, path: str) -> StoredFile:
        """The file meant by a package path. Raises PackageIncomplete if there is none."""
        return self._files[self.manifest.file(path).path]

    def read(self, path: str, limit_bytes: int) -> bytes:
        """The whole of a small file. Raises PackageIncomplete, PackageHostile (above the limit),
        FileChanged, DiskTrouble."""
        source = self.source(path)
        if source.length_bytes > limit_bytes:
            raise PackageHostile(f"{path} has {source.length_bytes} bytes, too many")
        data = source.pread(0, source.length_bytes)
        if len(data) != source.length_bytes:
            raise FileChanged(f"{path}: wanted {source.length_bytes} bytes, got {len(data)}")
        return data

    def is_touched(self) -> bool:
        """Some file has to be verified again. Blocks, but not for long."""
        return any(file.is_touched() for file in self._files.values())

    def recheck(self) -> None:
        """Every file is still the one that was verified, or is verified again. Blocks. Raises
        FileChanged naming the file, DiskTrouble."""
        for file in self._files.values():
            file.recheck()

    def close(self) -> None:
        """Idempotent."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
