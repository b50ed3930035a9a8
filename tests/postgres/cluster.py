"""A PostgreSQL server of its own while the tests run: a folder, a unix socket, no network.

It refuses to run as root, so root starts it as `postgres` or `nobody`. What it holds is thrown
away: nothing waits for a disk.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.memory import in_memory

WAIT_S = 30

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "50",
}


class NoPostgres(Exception):
    """It is not installed, or does not start; in words."""


@contextmanager
def cluster() -> Iterator[str]:
    """The URL of its database `postgres`. Raises NoPostgres."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    with in_memory() as made:
        folder = Path(made)
        user = _user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, log = folder / "data", folder / "log"
        _run(user, initdb, "-D", data, "-U", "station", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in _SETTINGS.items())
        start = f"-k {folder} {options}"
        _run(user, pg_ctl, "-D", data, "-l", log, "-w", "-t", WAIT_S, "-o", start, "start")
        try:
            yield f"postgresql+psycopg://station@/postgres?host={folder}"
        finally:
            with suppress(NoPostgres):
                _run(user, pg_ctl, "-D", data, "-w", "-t", WAIT_S, "-m", "immediate", "stop")


def _program(name: str) -> str:
    """Debian keeps those that serve out of the path."""
    found = shutil.which(name)
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    if found is None and not versions:
        raise NoPostgres(f"{name} is missing: install Debian's package postgresql")
    return found or str(versions[0])


def _user() -> pwd.struct_passwd | None:
    """None: as whoever asks."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _run(user: pwd.struct_passwd | None, *command: object) -> None:
    quiet = "start" in command  # the server would hold the pipe
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else subprocess.STDOUT,
            timeout=2 * WAIT_S,
            cwd="/",
            env={**os.environ, "LC_ALL": "C", "PGTZ": "UTC"},
            check=False,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPostgres(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stdout or b"").decode(errors="replace").strip()
        raise NoPostgres(f"{command[0]} failed: {said or _tail(command)}")


def _tail(command: tuple[object, ...]) -> str:
    log = next((part for part in command if isinstance(part, Path) and part.name == "log"), None)
    return log.read_text(errors="replace")[-2000:] if log is not None and log.exists() else ""
