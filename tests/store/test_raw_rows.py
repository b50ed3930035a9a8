"""Rows as they lie there, each once, whatever their text is."""

import pytest
import sqlalchemy as sa

from station.store import schema
from station.store.raw_rows import columns_of, read_any_text, rows_of
from station.store.reading import reading
from tests.store.samples import attempt, flashed, stranger

pytestmark = pytest.mark.sqlite

MANY = 2500
"""More than are fetched at a time."""


@pytest.mark.parametrize("bad", [1, 1000, 1001, 1700, MANY])
def test_text_that_is_no_utf8_among_many_rows(url: str, bad: int) -> None:
    flashed(url, attempt())
    with stranger(url) as db, db:
        db.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            " INSERT INTO reading (attempt_id, name, value, seq)"
            " SELECT id, printf('x%05d', n), iif(n = ?, CAST(x'41ff' AS TEXT), 'é'), 1"
            " FROM n, attempt_opened",
            [MANY, bad],
        )
    table = schema.reading
    name, value = (columns_of(table).index(column) for column in ("name", "value"))
    with reading(url) as connection:
        read_any_text(connection)
        rows = list(rows_of(connection, table, sa.func.substr(table.c.name, 1, 1) == "x"))
    found = [(row[name], row[value]) for row in rows]
    assert sorted(found) == [
        (f"x{n:05}", "A\udcff" if n == bad else "é") for n in range(1, MANY + 1)
    ]
