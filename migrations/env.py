"""Alembic's way into the database: a connection or URL from the station, or `-x url=...`.

There is no ini file, so nothing here may ask for a main option. The whole upgrade is one
transaction: a database is at its old revision or at the new one, never between.
"""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from station.store.database import migration_engine
from station.store.schema import metadata


def _url() -> str:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        raise CommandError("name the database: alembic -x url=sqlite:///station.db ...")
    return url


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_server_default=True,
        transactional_ddl=True,
    )
    context.run_migrations()


def _print_sql() -> None:
    context.configure(url=_url(), target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    _print_sql()
elif (given := context.config.attributes.get("connection")) is not None:
    _run(given)
else:
    with migration_engine(_url()).begin() as opened:
        _run(opened)
