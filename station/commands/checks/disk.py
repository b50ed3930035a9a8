"""Room and kind of the disks that the record, the packages and the evidence lie on."""

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


@dataclass(frozen=True, slots=True)
class Use:
    """What a disk is for: what cannot be done on one that is read-only, what a lack of room means,
    how to make some."""

    impossible: str
    lack: str
    remedy: str


RESULTS = Use(
    "no result can be recorded",
    f"below {RESERVE_BYTES >> 20} MB the engine starts no module",
    "Free space on the disk, or move database and store to a larger one.",
)
EVIDENCE = Use(
    "no transcript and no dump can be kept",
    "a full disk keeps no transcripts; recipes that ask for a dump end without a flash",
    "Delete old evidence: `station evidence prune --older-than DAYS`.",
)


def disks(ground: Ground) -> Iterator[Finding]:
    """Free space, files left, read-only mounts; what SQLite cannot live on."""
    mounts = read_mounts(ground.root / "proc/self/mountinfo")
    database = sqlite_path(ground.settings.database)
    if database is not None:
        yield from _record_disk(database.parent, mounts)
    folders = dict.fromkeys([*([database.parent] if database else []), ground.settings.store])
    for folder in dict.fromkeys(map(_there, folders)):
        yield from _room(folder, RESULTS)
    if not any(_is_of_the_same_disk(ground.settings.evidence, folder) for folder in folders):
        yield from _room(ground.settings.evidence, EVIDENCE)


def _is_of_the_same_disk(folder: Path, above: Path) -> bool:
    """It lies below and is no mount point on the way."""
    return folder.is_relative_to(above) and _device(folder) == _device(above)


def _device(folder: Path) -> int | None:
    try:
        return _there(folder).stat().st_dev
    except OSError:
        return None


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


def _room(wanted: Path, use: Use) -> Iterator[Finding]:
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
            why=use.impossible,
            remedy="Look at `dmesg` for the disk's errors; mount it for writing.",
        )
    free_bytes = disk.f_bavail * disk.f_frsize
    words = f"{free_bytes >> 20} MB free"
    if free_bytes < RESERVE_BYTES:
        yield bad(words, folder, why=use.lack, remedy=use.remedy)
    elif free_bytes < COMFORT_BYTES:
        yield warn(words, folder, why=use.lack, remedy=use.remedy)
    else:
        yield ok(words, folder)
    if disk.f_files and disk.f_favail < FEW_FILES:
        why = "the disk takes no new file when none is left, however much space there is"
        yield warn(f"only {disk.f_favail} files fit", folder, why=why, remedy=use.remedy)


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
