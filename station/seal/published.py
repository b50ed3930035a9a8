"""Checkpoints outside the record: one to a line, in a file that only grows."""

import os
from dataclasses import dataclass
from pathlib import Path

from station.errors import NoCheckpoint, NotPublished
from station.seal.checkpoint import MAX_LINE_BYTES, Checkpoint, parse_line

MAX_LINES = 1_000_000


@dataclass(frozen=True, slots=True)
class Published:
    """What such a file holds. `strange`: the places of lines that are no checkpoint: cut off by a
    power cut, or meddled with; the others are as good as before."""

    checkpoints: tuple[Checkpoint, ...]
    strange: tuple[str, ...] = ()


def publish(checkpoint: Checkpoint, path: Path, *, must_exist: bool = False) -> None:
    """Add it to the file, and see it on the disk. `must_exist`: no file is begun, because one that
    is gone may lie on a share that is not mounted. Blocks. Raises NotPublished."""
    line = f"{checkpoint.line()}\n".encode("ascii")
    try:
        with open(path, "ab+", buffering=0, opener=_existing if must_exist else None) as file:
            end = file.seek(0, os.SEEK_END)
            if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
                line = b"\n" + line  # what was cut off stays a line of its own
            if file.write(line) != len(line):
                raise NotPublished(f"{path}: the disk took a part of the line only")
            os.fsync(file.fileno())
    except OSError as error:
        raise NotPublished(f"{path}: {error.strerror}") from error


def _existing(name: str, flags: int) -> int:
    return os.open(name, flags & ~os.O_CREAT)


def read_published(path: Path) -> Published:
    """All of them, in the order of the file. Raises NoCheckpoint."""
    found: list[Checkpoint] = []
    strange: list[str] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                if number > MAX_LINES:
                    raise NoCheckpoint(f"{path} has more than {MAX_LINES} lines")
                try:
                    found.append(parse_line(line.decode("ascii", "replace"), f"{path}:{number}"))
                except NoCheckpoint as error:
                    strange.append(error.cause)
    except OSError as error:
        raise NoCheckpoint(f"{path}: {error.strerror}") from error
    return Published(tuple(found), tuple(strange))


def last_published(path: Path, station: str, *, must_exist: bool = False) -> Checkpoint | None:
    """The station's own that reaches furthest; None if none is in the file, or there is no file in
    its folder yet. `must_exist`: as for `publish`. Raises NoCheckpoint."""
    if not must_exist and _is_new(path):
        return None
    mine = [c for c in read_published(path).checkpoints if c.station == station and c.is_genuine()]
    return max(mine, key=lambda checkpoint: checkpoint.seq, default=None)


def _is_new(path: Path) -> bool:
    try:
        path.parent.stat()  # without its folder nobody can tell
        return not path.exists()
    except OSError as error:
        raise NoCheckpoint(f"{path}: {error.strerror}") from error
