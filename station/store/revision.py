"""At which revision is a database, and at which does this software want it?

Asked at every start and before every question, so without the library that builds and upgrades.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

import station
from station.errors import DatabaseError, NoDatabase, SchemaOutdated, SchemaTooNew
from station.store.database import database_errors, reader, shown, sqlite_path

_FILE = re.compile(r"([0-9]{4})_\w+\.py")
"""A revision among the migrations; they are numbered, one after the other."""

_AT = sa.table("alembic_version", sa.column("version_num"))


@dataclass(frozen=True, slots=True)
class Revisions:
    """Where a database is and where this software wants it; `current` None: it is empty."""

    current: str | None
    expected: str


def check(url: str) -> Revisions:
    """The database is there and of this software's revision, else raises DatabaseError,
    SchemaOutdated or SchemaTooNew. Never creates or changes anything."""
    require_there(url)
    with reader(url) as connection:
        return require_current(connection, shown(url))


def require_there(url: str) -> None:
    """Raises NoDatabase where there is no SQLite file."""
    path = sqlite_path(url)
    if path is not None and path.is_dir():
        raise NoDatabase(f"{path} is a folder, not a database")
    if is_missing(url):
        raise NoDatabase(f"there is no database at {shown(url)}; `station db upgrade` creates it")


def require_current(connection: sa.Connection, place: str) -> Revisions:
    """As `check`, on an open connection; `place` names the database in the cause."""
    revisions = revisions_of(connection, place)
    if revisions.current is None:
        raise SchemaOutdated(f"database {place} is empty, expected {revisions.expected}")
    if revisions.current != revisions.expected:
        raise SchemaOutdated(
            f"database {place} is at revision {revisions.current}, expected {revisions.expected}"
        )
    return revisions


def is_missing(url: str) -> bool:
    """Whether there is no SQLite file at all; a server's database is never missing."""
    path = sqlite_path(url)
    with database_errors(url):
        return path is not None and not path.exists()


def create_if_missing(url: str) -> None:
    """Create the database if there is none or it is empty; an existing one is only checked."""
    if is_missing(url) or _is_empty(url):
        from station.store.migrate import upgrade

        upgrade(url)
    else:
        check(url)


def _is_empty(url: str) -> bool:
    with reader(url) as connection:
        return not sa.inspect(connection).get_table_names()


def revisions_of(connection: sa.Connection, place: str) -> Revisions:
    """Raises DatabaseError for what is no database of the station's, SchemaTooNew."""
    known = known_revisions(migrations())
    tables = sa.inspect(connection).get_table_names()
    found = connection.scalars(sa.select(_AT.c.version_num)).all() if _AT.name in tables else []
    if len(found) > 1:
        raise DatabaseError(f"{place} says that it is at several revisions at once")
    if not found and tables not in ([], [_AT.name]):
        raise DatabaseError(f"{place} is a database, but not one of the station's")
    current = str(found[0]) if found else None
    if current is not None and current not in known:
        raise SchemaTooNew(
            f"database {place} is at revision {current}, this software knows up to {known[-1]}"
        )
    return Revisions(current, known[-1])


def known_revisions(folder: Path) -> list[str]:
    """The revisions of this software, the newest last; `folder` as from `migrations`."""
    files = (_FILE.fullmatch(file.name) for file in (folder / "versions").iterdir())
    return sorted(file[1] for file in files if file)


def migrations() -> Path:
    """Inside the installed package, else at the top of the source tree."""
    package = Path(station.__file__).parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise DatabaseError("the station is installed without its migrations; install it again")
