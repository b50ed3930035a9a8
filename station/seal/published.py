"""Checkpoints outside the record: one to a line, in a file that only grows."""

import os
from pathlib import Path

from station.errors import NoCheckpoint, NotPublished
from station.seal.checkpoint import MAX_LINE_BYTES, Checkpoint, parse_line

MAX_LINES = 1_000_000


def publish(checkpoint: Checkpoint, path: Path) -> None:
    """Add it to the file, and see it on the disk. Blocks. Raises NotPublished."""
    line = f"{checkpoint.line()}\n".encode("ascii")
    try:
        file_fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(file_fd, line)
            os.fsync(file_fd)
        finally:
            os.close(file_fd)
    except OSError as error:
        raise NotPublished(f"{path}: {error.strerror}") from error


def read_published(path: Path) -> list[Checkpoint]:
    """All of them, in the order of the file. A line that was cut off by a power cut is passed over
    if it is the last. Raises NoCheckpoint, naming the line."""
    found: list[Checkpoint] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), 1):
                if number > MAX_LINES:
                    raise NoCheckpoint(f"{path} has more than {MAX_LINES} lines")
                if not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
                    break
                found.append(parse_line(line.decode("ascii", "replace"), f"{path}:{number}"))
    except OSError as error:
        raise NoCheckpoint(f"{path}: {error.strerror}") from error
    return found
