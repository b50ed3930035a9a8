"""Files that this process may still open. Sockets, devices and databases are files, too."""

import errno
import os
import resource
from pathlib import Path

_NONE_LEFT = (errno.EMFILE, errno.ENFILE)


def are_missing(error: OSError) -> bool:
    """Whether it says that nothing more can be opened."""
    return error.errno in _NONE_LEFT


def are_used_up() -> bool:
    """Whether nothing can be opened now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return are_missing(error)
    return False


def left() -> int | None:
    """How many more the process may open; None where nobody can tell."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        used = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError as error:
        return 0 if are_missing(error) else None
    return None if limit == resource.RLIM_INFINITY else limit - used
