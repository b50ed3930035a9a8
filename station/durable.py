"""What a rename needs to outlive a power cut: the folder, too, must reach the disk."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """The names in this folder are on the disk when this returns. Blocks; raises OSError."""
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)
