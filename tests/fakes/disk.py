"""Disks that take nothing, as the kernel really refuses."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@contextmanager
def dead_disk() -> Iterator[None]:
    """No file of this process can be written any more, wherever it lies."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system that one process has for itself at `place`, and that can be made smaller."""

    place: Path

    @property
    def within(self) -> tuple[str, ...]:
        """The command that mounts it and becomes the one behind it."""
        mount = 'mount -t tmpfs -o size=2g none "$0" && exec "$@"'
        return (*_NAMESPACES, "sh", "-c", mount, str(self.place))

    @staticmethod
    def is_possible() -> bool:
        """Whether this kernel lets us mount."""
        done = subprocess.run(
            [*_NAMESPACES, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        )
        return done.returncode == 0

    def seen_by(self, pid: int) -> Path:
        return Path(f"/proc/{pid}/root", self.place.relative_to("/"))

    def fill(self, pid: int) -> None:
        """Not a byte is left: the disk becomes as small as what lies on it."""
        for _ in range(100):
            state = os.statvfs(self.seen_by(pid))
            if self._resize(pid, (state.f_blocks - state.f_bfree) * state.f_frsize):
                return
        raise AssertionError("something was written between each look and its resize")

    def make_room(self, pid: int) -> None:
        assert self._resize(pid, 2 << 30)

    def _resize(self, pid: int, size_bytes: int) -> bool:
        command = ["mount", "-o", f"remount,size={size_bytes}", str(self.place)]
        enter = ["nsenter", "--user", "--mount", "--preserve-credentials", f"--target={pid}"]
        done = subprocess.run([*enter, *command], capture_output=True, check=False)
        return done.returncode == 0


_NAMESPACES = ("unshare", "--map-root-user", "--mount")
