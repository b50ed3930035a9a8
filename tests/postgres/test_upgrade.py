"""Migrations on a server: from nothing, and from each revision with the rows of its time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from station.store import migrate, revision
from station.store.database import migration_engine, sqlite_url
from station.store.queries import find_attempts
from station.store.soundness import faults
from station.store.verify import verify
from tests.postgres.databases import empty_database
from tests.store.fixtures import RELEASED, load
from tests.store.samples import attempt, flashed, rows

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def url() -> Iterator[str]:
    with empty_database() as made:
        yield made


def test_it_is_made_from_nothing(url: str) -> None:
    revision.create_if_missing(url)
    assert migrate.drift(url) == []
    assert faults(url) == []
    flashed(url, attempt())
    assert len(find_attempts(url, slot="A1")) == 1
    assert migrate.upgrade(url).backup is None


@pytest.mark.parametrize("was", list(RELEASED))
def test_a_record_of_each_revision_keeps_its_rows(url: str, was: str, tmp_path: Path) -> None:
    load(was, tmp_path / "old.db")
    before = _moved(sqlite_url(tmp_path / "old.db"), url, was)

    done = migrate.upgrade(url)

    assert (done.before, done.after) == (was, revision.check(url).expected)
    for table, (names, kept) in before.items():
        listed = ", ".join(f'"{name}"' for name in names)
        assert sorted(rows(url, f"SELECT {listed} FROM {table}"), key=repr) == kept, table
    assert faults(url) == []
    found = verify(url)
    assert found.is_untouched, found.findings
    assert len(find_attempts(url, since_utc_us=0)) == 6
    flashed(url, attempt(slot="C1"))
    assert verify(url).is_untouched


def _moved(old: str, url: str, was: str) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """The rows of a SQLite record in a server's database of the same revision; by table the columns
    and what was moved."""
    source, target = sa.create_engine(old), migration_engine(url)
    moved: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {}
    try:
        with target.begin() as there:
            config = migrate._config(revision.migrations())
            config.attributes["connection"] = there
            command.upgrade(config, was)
        tables = sa.MetaData()
        tables.reflect(target)
        with source.connect() as here, target.begin() as there:
            for table in tables.sorted_tables:
                if table.name == "alembic_version":
                    continue
                names = [column.name for column in table.columns]
                found = here.execute(sa.select(table)).mappings().all()
                if found:
                    there.execute(sa.insert(table), [dict(row) for row in found])
                moved[table.name] = (names, sorted(map(tuple, _values(found)), key=repr))
    finally:
        source.dispose()
        target.dispose()
    return moved


def _values(found: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - rows of any table
    for row in found:
        yield list(row.values())
