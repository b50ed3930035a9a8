"""Builds and upgrades the database by the revisions in `migrations/`, and by nothing else.

An upgrade of a SQLite file first copies it, while it may be in use, to a dated file beside it, and
looks whether the copy is whole. All revisions run in one transaction: the database ends at the new
revision or stays as it was. There are no downgrades: the copy is the way back.
"""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from station.errors import DatabaseError, NotUpgraded, RecordDamaged
from station.store.copying import copy_record, stamp
from station.store.database import (
    database_errors,
    migration_engine,
    reader,
    shown,
    sqlite_path,
)
from station.store.revision import check, migrations, require_there, revisions_of
from station.store.schema import metadata


@dataclass(frozen=True, slots=True)
class Upgraded:
    """`before` equal to `after`: there was nothing to do."""

    before: str | None
    after: str
    backup: Path | None


# --- questions --------------------------------------------------------------------------------


def drift(url: str) -> list[str]:
    """What differs between the migrated database and the tables in the code; [] if nothing."""
    check(url)
    with reader(url) as connection:
        options = {"compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return [repr(difference) for difference in compare_metadata(context, metadata)]


# --- changes ----------------------------------------------------------------------------------


def upgrade(url: str) -> Upgraded:
    """Create the database or bring it to this software's revision; an older SQLite file is
    copied first. Raises NotUpgraded, RecordDamaged, NoBackup or SchemaTooNew, and then nothing has
    changed."""
    path = sqlite_path(url)
    try:
        if path is not None:
            with database_errors(url):
                path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        return _upgrade(url, path)
    except RecordDamaged:
        raise
    except DatabaseError as error:
        raise NotUpgraded(error.cause) from error


def upgrade_copy(url: str) -> Upgraded:
    """The same of a copy that nobody else uses; none of it is made. Raises DatabaseError,
    SchemaTooNew."""
    require_there(url)
    return _upgrade(url, None)


def _upgrade(url: str, to_copy: Path | None) -> Upgraded:
    with database_errors(url):
        engine = migration_engine(url)
        try:
            with engine.connect() as connection:
                before = revisions_of(connection, shown(url))
            if before.current == before.expected:
                return Upgraded(before.current, before.expected, None)
            backup = _backup(to_copy, before.current) if to_copy and before.current else None
            with engine.begin() as connection:
                _run(connection, shown(url))
        finally:
            engine.dispose()
    return Upgraded(before.current, check(url).current or before.expected, backup)


def migrate_empty(connection: sa.Connection) -> None:
    """Make everything that a record consists of in an empty database."""
    config = _config(migrations())
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _run(connection: sa.Connection, place: str) -> None:
    migrate_empty(connection)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise DatabaseError(f"database {place}: table {broken[0]} refers to rows not there")


def _backup(path: Path, revision: str) -> Path:
    """A copy beside the database, found whole: `station.db.0001-20260131T235959Z.bak`."""
    target = path.with_name(f"{path.name}.{revision}-{stamp()}.bak")
    copy_record(path, target)
    return target


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
