"""Folders for what writes much and is thrown away: on a real disk everything else would wait."""

import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


def in_memory(prefix: str = "station-") -> "tempfile.TemporaryDirectory[str]":
    """A folder that is gone afterwards; on a disk where there is no such place."""
    return tempfile.TemporaryDirectory(prefix=prefix, dir=_MEMORY if _MEMORY.is_dir() else None)
