"""A release as a folder: plain files only, reached without following a single link."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import IO

from station.errors import PackageHostile
from station.firmware.members import Member
from station.firmware.paths import shown

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that took the place of a file must not wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_MOST_NAMES = 100_000
"""Of one folder. Far above the limit of `gather`, which then refuses; bounds the memory."""


def scan_folder(place: str, root_fd: int) -> Iterator[Member]:
    """Everything below the open folder, each folder before what is in it, so that the taker can
    stop at any depth. Raises PackageHostile for links and devices."""
    return _scan(place, root_fd, ())


def _scan(place: str, root_fd: int, above: tuple[str, ...]) -> Iterator[Member]:
    folder_fd = _open_beneath(root_fd, above, _FOLDER)
    try:
        with os.scandir(folder_fd) as found:
            names = [entry.name for entry in islice(found, _MOST_NAMES)]
        states = [(name, os.lstat(name, dir_fd=folder_fd)) for name in sorted(names)]
    finally:
        os.close(folder_fd)
    for name, state in states:
        parts = (*above, name)
        if stat.S_ISDIR(state.st_mode):
            yield Member("/".join(parts), 0, None)
            yield from _scan(place, root_fd, parts)
        else:
            _require_plain_file(f"{place}: {shown('/'.join(parts))}", state)
            open_file = partial(_open_file, place, root_fd, parts)
            yield Member("/".join(parts), state.st_size, open_file)


def _require_plain_file(place: str, state: os.stat_result) -> None:
    if stat.S_ISLNK(state.st_mode):
        raise PackageHostile(f"{place} is a symbolic link")
    if not stat.S_ISREG(state.st_mode):
        raise PackageHostile(f"{place} is not a file (device, pipe or socket)")


def _open_file(place: str, root_fd: int, parts: tuple[str, ...]) -> IO[bytes]:
    file_fd = _open_beneath(root_fd, parts, _FILE)
    try:
        _require_plain_file(f"{place}: {shown('/'.join(parts))}", os.fstat(file_fd))
        return os.fdopen(file_fd, "rb", buffering=0)
    except BaseException:
        os.close(file_fd)
        raise


def _open_beneath(root_fd: int, parts: tuple[str, ...], flags: int) -> int:
    """Open step by step, so that no folder on the way can be swapped for a link."""
    here = os.open(".", _FOLDER, dir_fd=root_fd)
    for number, part in enumerate(parts, 1):
        try:
            deeper = os.open(part, flags if number == len(parts) else _FOLDER, dir_fd=here)
        finally:
            os.close(here)
        here = deeper
    return here
