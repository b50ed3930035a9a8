"""Builds and upgrades the database by the revisions in `migrations/`, and by nothing else.

An upgrade of a SQLite file first copies it, while it may be in use, to a dated file beside it.
All revisions run in one transaction: the database ends at the new revision or stays as it was.
There are no downgrades: the copy is the way back.
"""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

import station
from station.errors import DatabaseError, NoDatabase, SchemaOutdated, SchemaTooNew
from station.store.database import (
    database_errors,
    migration_engine,
    reader_engine,
    shown,
    sqlite_path,
)
from station.store.schema import metadata


@dataclass(frozen=True, slots=True)
class Revisions:
    """Where a database is and where this software wants it; `current` None: it is empty."""

    current: str | None
    expected: str


@dataclass(frozen=True, slots=True)
class Upgraded:
    """`before` equal to `after`: there was nothing to do."""

    before: str | None
    after: str
    backup: Path | None


# --- questions --------------------------------------------------------------------------------


def check(url: str) -> Revisions:
    """The database is there and of this software's revision, else raises DatabaseError,
    SchemaOutdated or SchemaTooNew. Never creates or changes anything."""
    require_there(url)
    with database_errors(url), reader_engine(url).connect() as connection:
        return require_current(connection, shown(url))


def require_there(url: str) -> None:
    """Raises NoDatabase where there is no SQLite file."""
    if is_missing(url):
        raise NoDatabase(f"there is no database at {shown(url)}; `station db upgrade` creates it")


def require_current(connection: sa.Connection, place: str) -> Revisions:
    """As `check`, on an open connection; `place` names the database in the cause."""
    revisions = _revisions(connection, place)
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


def drift(url: str) -> list[str]:
    """What differs between the migrated database and the tables in the code; [] if nothing."""
    check(url)
    with database_errors(url), reader_engine(url).connect() as connection:
        options = {"compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return [repr(difference) for difference in compare_metadata(context, metadata)]


# --- changes ----------------------------------------------------------------------------------


def create_if_missing(url: str) -> None:
    """Create the database if there is none or it is empty; an existing one is only checked."""
    if is_missing(url) or _is_empty(url):
        upgrade(url)
    else:
        check(url)


def upgrade(url: str) -> Upgraded:
    """Create the database or bring it to this software's revision; an older SQLite file is
    copied first. Raises DatabaseError or SchemaTooNew, and then nothing has changed."""
    path = sqlite_path(url)
    if path is not None:
        with database_errors(url):
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with database_errors(url):
        engine = migration_engine(url)
        try:
            with engine.connect() as connection:
                before = _revisions(connection, shown(url))
            if before.current == before.expected:
                return Upgraded(before.current, before.expected, None)
            backup = _backup(path, before.current) if path and before.current else None
            with engine.begin() as connection:
                _run(connection, shown(url))
        finally:
            engine.dispose()
    return Upgraded(before.current, check(url).current or before.expected, backup)


def migrate_empty(connection: sa.Connection) -> None:
    """Make everything that a record consists of in an empty database."""
    config = _config(_migrations())
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _run(connection: sa.Connection, place: str) -> None:
    migrate_empty(connection)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise DatabaseError(f"database {place}: table {broken[0]} refers to rows not there")


def _backup(path: Path, revision: str) -> Path:
    """An online copy beside the database: `station.db.0001-20260131T235959Z.bak`."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = path.with_name(f"{path.name}.{revision}-{moment}.bak")
    with target.open("xb"):
        target.chmod(path.stat().st_mode & 0o777)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


# --- revisions --------------------------------------------------------------------------------


def _is_empty(url: str) -> bool:
    with database_errors(url), reader_engine(url).connect() as connection:
        return not sa.inspect(connection).get_table_names()


def _revisions(connection: sa.Connection, place: str) -> Revisions:
    expected, known = _known(_migrations())
    try:
        current = MigrationContext.configure(connection).get_current_revision()
    except CommandError as error:
        raise DatabaseError(f"{place} says that it is at several revisions at once") from error
    if current is None and sa.inspect(connection).get_table_names():
        raise DatabaseError(f"{place} is a database, but not one of the station's")
    if current is not None and current not in known:
        raise SchemaTooNew(
            f"database {place} is at revision {current}, this software knows up to {expected}"
        )
    return Revisions(current, expected)


@cache
def _known(folder: Path) -> tuple[str, frozenset[str]]:
    """The newest revision of this software, and all of them."""
    script = ScriptDirectory.from_config(_config(folder))
    return str(script.get_current_head()), frozenset(r.revision for r in script.walk_revisions())


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _migrations() -> Path:
    """Inside the installed package, else at the top of the source tree."""
    package = Path(station.__file__).parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise DatabaseError("the station is installed without its migrations; install it again")
