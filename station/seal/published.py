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


def publish(checkpoint: Checkpoint, path: Path) -> None:
    """Add it to the file, and see it on the disk. Blocks. Raises NotPublished."""
    line = f"{checkpoint.line()}\n".encode("ascii")
    try:
        with path.open("ab+", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
                line = b"\n" + line  # what was cut off stays a line of its own
            if file.write(line) != len(line):
                raise NotPublished(f"{path}: the disk took a part of the line only")
            os.fsync(file.fileno())
    except OSError as error:
        raise NotPublished(f"{path}: {error.strerror}") from error


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


def last_published(path: Path, station: str) -> Checkpoint | None:
    """The station's own that reaches furthest; None if there is no such file or none in it.
    Raises NoCheckpoint."""
    if not path.is_file():
        return None
    mine = [c for c in read_published(path).checkpoints if c.station == station and c.is_genuine()]
    return max(mine, key=lambda checkpoint: checkpoint.seq, default=None)
