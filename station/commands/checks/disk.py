"""Room and kind of the disks that the record and the packages lie on."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from station.commands.checks.finding import Finding, bad, cannot_tell, ok, warn
from station.commands.checks.ground import Ground
from station.engine.health import RESERVE_BYTES
from station.store.database import sqlite_path

COMFORT_BYTES = 4 * RESERVE_BYTES
FEW_FILES = 1000

_NETWORK = ("9p", "afs", "beegfs", "ceph", "cifs", "lustre", "nfs", "nfs4", "smb3", "smbfs")
_NETWORK_FUSE = ("fuse.glusterfs", "fuse.sshfs")
_MEMORY = ("tmpfs", "ramfs")
_MAX_MOUNTS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mount:
    point: Path
    kind: str


def disks(ground: Ground) -> Iterator[Finding]:
    """Free space, files left, read-only mounts; what SQLite cannot live on."""
    mounts = read_mounts(ground.root / "proc/self/mountinfo")
    database = sqlite_path(ground.settings.database)
    if database is not None:
        yield from _record_disk(database.parent, mounts)
    for folder in dict.fromkeys([*([database.parent] if database else []), ground.settings.store]):
        yield from _room(folder)


def _record_disk(folder: Path, mounts: tuple[Mount, ...]) -> Iterator[Finding]:
    mount = mount_of(_there(folder).resolve(), mounts)
    if mount is None:
        yield cannot_tell("disk of the database", folder, remedy="Look at `findmnt`.")
    elif mount.kind in (*_NETWORK, *_NETWORK_FUSE):
        yield bad(
            f"the database is on a network disk ({mount.kind})",
            folder,
            why="SQLite's log needs memory shared by all who use it; a network disk breaks it",
            remedy="Move the database to a disk of this machine.",
        )
    elif mount.kind in _MEMORY:
        yield warn(
            f"the database is in memory ({mount.kind})",
            folder,
            why="the record is gone after a restart of the machine",
            remedy="Move the database to a disk.",
        )
    else:
        yield ok(f"the database is on a disk of this machine ({mount.kind})", folder)


def _room(wanted: Path) -> Iterator[Finding]:
    folder = _there(wanted)
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        yield cannot_tell(f"room on the disk ({error.strerror})", folder, remedy="Run it as root.")
        return
    if disk.f_flag & os.ST_RDONLY:
        yield bad(
            "the disk is mounted read-only",
            folder,
            why="no result can be recorded",
            remedy="Look at `dmesg` for the disk's errors; mount it for writing.",
        )
    free_bytes = disk.f_bavail * disk.f_frsize
    words = f"{free_bytes >> 20} MB free"
    free_space = "Free space on the disk, or move database and store to a larger one."
    if free_bytes < RESERVE_BYTES:
        why = f"below {RESERVE_BYTES >> 20} MB the engine starts no module"
        yield bad(words, folder, why=why, remedy=free_space)
    elif free_bytes < COMFORT_BYTES:
        why = f"below {RESERVE_BYTES >> 20} MB the engine starts no module"
        yield warn(words, folder, why=why, remedy=free_space)
    else:
        yield ok(words, folder)
    if disk.f_files and disk.f_favail < FEW_FILES:
        why = "the disk takes no new file when none is left, however much space there is"
        yield warn(f"only {disk.f_favail} files fit", folder, why=why, remedy=free_space)


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above that is there already."""
    for place in (folder, *folder.parents):
        try:
            if place.exists():
                return place
        except OSError:
            continue
    return Path("/")


# --- mounts -----------------------------------------------------------------------------------


def read_mounts(file: Path) -> tuple[Mount, ...]:
    """What is mounted where, later ones over earlier ones. Ref: proc_pid_mountinfo(5)."""
    try:
        with file.open("rb") as opened:
            text = os.fsdecode(opened.read(_MAX_MOUNTS_BYTES))
    except OSError:
        return ()
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) >= 6 and kind:
            found.append(Mount(Path(_unescaped(fields[4])), kind))
    return tuple(found)


def mount_of(path: Path, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that a path (absolute, links followed) lies on."""
    above = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(above), key=lambda mount: len(mount.point.parts), default=None)


def _unescaped(text: str) -> str:
    for octal, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, letter)
    return text
