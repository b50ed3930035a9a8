"""The guest's disk: a file that logs its writes, and a power cut that loses those not flushed.

QEMU's own process outlives the guest, so whatever the guest has written would be there after the
cut. A real disk keeps it in memory until it is told to flush. So QEMU logs the writes, and the
disk after a cut is the one before the boot with all that came before the last flush, and of what
came later as much as chance lets through, in pieces of 4 KiB.

The log is that of the kernel's dm-log-writes, little endian, in sectors of 512 bytes:

    sector 0   magic(8) version(8) entries(8) sector size(4)
    an entry   first sector(8) sectors(8) flags(8) 0(8), filled to a sector, then its data

Ref: QEMU block/blklogwrites.c, Linux Documentation/admin-guide/device-mapper/log-writes.rst.
"""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import BinaryIO, NamedTuple

SIZE = "1G"
SECTOR_BYTES = 512
PIECE_BYTES = 4096
"""A piece is written or it is not; real disks tear no smaller ones."""

FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
MAGIC = 0x6A736677736872

_SUPER = struct.Struct("<3QI")
_ENTRY = struct.Struct("<4Q")


class Entry(NamedTuple):
    """`data_at`: where its bytes begin in the log."""

    start_sector: int
    num_sectors: int
    flags: int
    data_at: int


class Lost(NamedTuple):
    """What a cut found in the disk's memory, in pieces, and how many of them it lost."""

    unflushed: int
    lost: int


@dataclass(frozen=True, slots=True)
class Disk:
    """Files in `folder`: `disk` as the guest sees it, `before` the boot, the `log` since then."""

    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "disk"

    def make(self, content: Path) -> None:
        """An ext4 file system with a copy of this folder in it."""
        options = ("-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-d", str(content))
        subprocess.run(
            ["/usr/sbin/mkfs.ext4", *options, str(self.image), SIZE],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def begin(self) -> tuple[str, ...]:
        """Before a boot; QEMU's arguments."""
        _copy(self.image, self.folder / "before")
        log = self.folder / "log"
        log.write_bytes(b"")
        parts = (
            "driver=blklogwrites,node-name=disk,log-super-update-interval=1",
            f"file.driver=file,file.filename={self.image},file.cache.no-flush=on",
            f"log.driver=file,log.filename={log},log.cache.no-flush=on",
        )
        device = "virtio-blk-pci,drive=disk,write-cache=on,discard=off,write-zeroes=off"
        return ("-blockdev", ",".join(parts), "-device", device)

    def cut(self, chance: Random) -> Lost:
        """After the guest died: the disk without what its memory held."""
        _copy(self.folder / "before", self.image)
        with (self.folder / "log").open("rb") as log, self.image.open("r+b") as disk:
            return replay(log, disk, chance)


def replay(log: BinaryIO, disk: BinaryIO, chance: Random) -> Lost:
    """Write what the log holds; behind its last flush, half of the pieces."""
    entries = list(read(log))
    flushed = max(
        (at for at, entry in enumerate(entries, start=1) if entry.flags & FLUSH), default=0
    )
    unflushed = lost = 0
    for number, entry in enumerate(entries):
        log.seek(entry.data_at)
        data = log.read(entry.num_sectors * SECTOR_BYTES)
        for offset in range(0, len(data), PIECE_BYTES):
            if number >= flushed and not entry.flags & FUA:
                unflushed += 1
                if chance.random() < 0.5:
                    lost += 1
                    continue
            disk.seek(entry.start_sector * SECTOR_BYTES + offset)
            disk.write(data[offset : offset + PIECE_BYTES])
    return Lost(unflushed, lost)


def read(log: BinaryIO) -> Iterator[Entry]:
    """Its entries in order. Raises ValueError for what is no such log."""
    magic, _, count, sector_bytes = _SUPER.unpack(log.read(_SUPER.size))
    if magic != MAGIC or sector_bytes != SECTOR_BYTES:
        raise ValueError(f"the disk's log begins with {magic:x}, sectors of {sector_bytes} bytes")
    at = SECTOR_BYTES
    for _ in range(count):
        log.seek(at)
        start, sectors, flags, _ = _ENTRY.unpack(log.read(_ENTRY.size))
        if flags & DISCARD:
            raise ValueError("the guest discards, which its disk does not offer")
        yield Entry(start, sectors, flags, at + SECTOR_BYTES)
        at += SECTOR_BYTES * (1 + sectors)


def _copy(from_: Path, to: Path) -> None:
    """Holes stay holes."""
    cp = shutil.which("cp") or os.devnull
    subprocess.run([cp, "--sparse=always", "--reflink=auto", str(from_), str(to)], check=True)
