"""Databases of the server that `python -m tests.postgres` started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import sqlalchemy as sa

from station.store.migrate import upgrade

VARIABLE = "STATION_TEST_POSTGRES"
"""The URL of the server's first database. Unset: the tests are those of SQLite."""

SERVER = os.environ.get(VARIABLE)

_numbers = count(1)
_template: list[str] = []


@contextmanager
def empty_database() -> Iterator[str]:
    """The URL of a new one with nothing in it; gone afterwards."""
    with _database("template0") as url:
        yield url


@contextmanager
def migrated_database() -> Iterator[str]:
    """One made by the real migrations: they run once, the others are copies."""
    if not _template:
        name = _new_name()
        _ask(f"CREATE DATABASE {name} TEMPLATE template0")
        upgrade(url_of(name))
        _template.append(name)
    with _database(_template[0]) as url:
        yield url


def url_of(name: str) -> str:
    if SERVER is None:
        raise RuntimeError(f"{VARIABLE} is not set: run `python -m tests.postgres`")
    return sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _database(template: str) -> Iterator[str]:
    name = _new_name()
    _ask(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield url_of(name)
    finally:
        _ask(f"DROP DATABASE {name} WITH (FORCE)")


def _new_name() -> str:
    return f"t{os.getpid()}_{next(_numbers)}"


def _ask(statement: str) -> None:
    engine = sa.create_engine(url_of("postgres"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()
