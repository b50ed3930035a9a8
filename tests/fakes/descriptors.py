"""A process that may open no more files, as the kernel really refuses."""

import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

_ROOM = 50


@contextmanager
def starved(spare: int = 0) -> Iterator[None]:
    """Every descriptor is taken but `spare`, up to a limit that leaves little room above those in
    use."""
    gc.collect()  # what earlier tests left to be collected must not make room meanwhile
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, probe + _ROOM), hard))
    try:
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                break
        for _ in range(spare):
            os.close(taken.pop())
        yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
