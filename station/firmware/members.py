"""What a folder and a ZIP archive have in common: members, and the limits on them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import IO

from station.errors import PackageHostile
from station.firmware.paths import clean


@dataclass(frozen=True, slots=True)
class Limits:
    """What a release may ask of the disk. The largest real ones hold some 60 files, 0.7 GiB."""

    members: int = 4096
    total_bytes: int = 4 << 30
    ratio: int = 200
    """Bytes out per byte of archive, once more than `ratio_free_bytes` come out."""
    ratio_free_bytes: int = 256 << 20


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Member:
    """A file, or a folder if `open` is None. `path` as found, or cleaned after `gather`."""

    path: str
    length_bytes: int
    open: Callable[[], IO[bytes]] | None


def gather(place: str, found: Iterable[Member], limits: Limits) -> dict[str, Member]:
    """The files by their package path, each name and the whole lot within the limits.

    Stops at the first excess, so an endless `found` is no danger. Raises PackageHostile.
    """
    files: dict[str, Member] = {}
    folders: set[str] = set()
    total_bytes = 0
    for count, member in enumerate(found, 1):
        if count > limits.members:
            raise PackageHostile(f"{place}: more than {limits.members} files and folders")
        total_bytes += member.length_bytes
        if total_bytes > limits.total_bytes:
            raise PackageHostile(f"{place}: unpacks to more than {limits.total_bytes} bytes")
        path = clean(member.path, place)
        if member.open is None:
            folders.add(path)
            continue
        if path in files:
            raise PackageHostile(f"{place}: holds {path} twice")
        files[path] = replace(member, path=path)
        folders.update(_above(path))
    if both := sorted(folders & files.keys()):
        raise PackageHostile(f"{place}: {both[0]} is a file and a folder")
    return files


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
