"""A new record for each test, though the migrations run once in a process."""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from station.store.database import sqlite_path, sqlite_url
from station.store.revision import create_if_missing, is_missing


def new_record(url: str) -> None:
    """As `create_if_missing` of an SQLite file."""
    path = sqlite_path(url)
    if path is None or not is_missing(url):
        create_if_missing(url)
        return
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    path.write_bytes(empty_record())


@cache
def empty_record() -> bytes:
    """A record in which nothing is, as the migrations make it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "station.sqlite"
        create_if_missing(sqlite_url(path))
        with closing(sqlite3.connect(path)) as connection:
            return connection.serialize()
