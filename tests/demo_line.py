"""The files of a simulated line for each test, though its packages are made once in a process."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from station.commands.demo_files import write_demo_files, write_demo_settings


def demo_line(folder: Path, slot_names: list[str], size_mb: int = 1) -> Path:
    """As `write_demo_files` into a folder that is empty or not there; the path of the settings."""
    shutil.copytree(_made(size_mb), folder, dirs_exist_ok=True)
    return write_demo_settings(folder, slot_names)


@cache
def _made(size_mb: int) -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_demo_files(folder, ["A1"], size_mb)
    return folder
