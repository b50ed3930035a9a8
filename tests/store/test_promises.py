"""What the record promises whatever is in it: durable, time-ordered, without floats."""

from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from station.store.database import sqlite_url, writer_engine
from station.store.ids import new_id
from station.store.revision import create_if_missing
from station.store.schema import metadata


def test_a_commit_survives_a_power_cut_and_replace_meets_the_triggers(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "station.sqlite")
    create_if_missing(url)
    with writer_engine(url).connect() as connection:
        asked = ("synchronous", "recursive_triggers", "foreign_keys", "journal_mode")
        told = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in asked]
    assert told == [2, 1, 1, "wal"]


def test_keys_are_version_7_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(1000)]
    assert {UUID(key).version for key in ids} == {7}
    assert ids == sorted(ids)


def test_nothing_in_the_record_is_a_float() -> None:
    kinds = {type(column.type) for table in metadata.tables.values() for column in table.columns}
    assert not any(issubclass(kind, sa.Float | sa.Numeric) for kind in kinds), kinds
