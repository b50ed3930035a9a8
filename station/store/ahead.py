"""Reads a large file some way ahead of who goes through it.

Rows that were written at the same time lie close together in a SQLite file, in pages of many tables
and indexes. Whoever reads them in the order of time comes by all of these pages, but to the kernel
their order looks like chance: it fetches each page when it is asked for. So a record that is larger
than memory is read at a third of the speed.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

AHEAD_BYTES = 256 << 20
STEP_BYTES = 16 << 20


class Ahead:
    """A context manager; of no file it does nothing. `asked_bytes`: what was asked for so far."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd: int | None = None
        self._length_bytes = self.asked_bytes = 0

    def __enter__(self) -> Self:
        if self._path is not None and hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # whoever reads it will tell
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                self._length_bytes = os.fstat(self._fd).st_size
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def at(self, share: float) -> None:
        """So much of the whole is done, 0 to 1."""
        if self._fd is None:
            return
        wanted_bytes = int(share * self._length_bytes) + AHEAD_BYTES
        while self.asked_bytes < min(wanted_bytes, self._length_bytes):
            with suppress(OSError):
                os.posix_fadvise(self._fd, self.asked_bytes, STEP_BYTES, os.POSIX_FADV_WILLNEED)
            self.asked_bytes += STEP_BYTES
