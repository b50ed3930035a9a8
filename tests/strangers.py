"""A folder where whoever runs the test may read and not write; root becomes nobody for so long."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """One that others can come by; those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_stranger(folder: Path) -> Iterator[None]:
    """What lies there can be read."""
    for file in folder.iterdir():
        file.chmod(0o644)
    folder.chmod(0o555)
    owner = os.geteuid()
    if owner == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(owner)
        folder.chmod(0o755)


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """The station, in the midst of that."""
    stranger = os.geteuid()
    os.seteuid(os.getuid())
    folder.chmod(0o755)
    try:
        yield
    finally:
        folder.chmod(0o555)
        os.seteuid(stranger)
