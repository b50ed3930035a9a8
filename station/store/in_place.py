"""A SQLite database whose files are still those that were opened.

A connection goes on with the files it has, whatever their names mean by now: a row that it commits
to one that was moved away is in no record that anybody opens. With a log SQLite does not look.
"""

from pathlib import Path

from station.errors import DatabaseError
from station.store.database import shown, sqlite_name

_FileId = tuple[int, int]


class InPlace:
    """To be made before the database is opened. A server's is always in place."""

    def __init__(self, url: str) -> None:
        self._name = shown(url)
        self._paths = _files_of(sqlite_name(url))
        self._opened = [_id_of(path) for path in self._paths[:1]] + [None] * len(self._paths[1:])

    def require(self) -> None:
        """Raises DatabaseError, OSError. Log and index are made with the first row at the latest,
        and never anew while somebody has them open."""
        found = [_id_of(path) for path in self._paths]
        self._opened = [was or now for was, now in zip(self._opened, found, strict=True)]
        if found == self._opened:
            return
        raise DatabaseError(
            f"database {self._name}: {_what_happened(found, self._opened)}; put back what was "
            "there, or restart the engine to go on with what is there now"
        )


def _what_happened(found: list[_FileId | None], opened: list[_FileId | None]) -> str:
    if found[0] == opened[0]:
        return "the log beside it was moved away or replaced"
    return (
        "its file was moved away or deleted"
        if found[0] is None
        else "another file was put in its place"
    )


def _files_of(path: Path | None) -> tuple[Path, ...]:
    """The log lies beside the file itself, wherever links lead."""
    if path is None:
        return ()
    real = path.resolve()
    return path, *(real.with_name(real.name + tail) for tail in ("-wal", "-shm"))


def _id_of(path: Path) -> _FileId | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
