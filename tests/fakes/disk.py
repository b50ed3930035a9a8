"""Disks that take nothing, as the kernel really refuses."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def dead_disk() -> Iterator[None]:
    """No file of this process can be written any more, wherever it lies."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
