"""Pages and indexes changed by hand, of which `quick_check` does not complain."""

import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from station.store import schema
from station.store.database import sqlite_path
from station.store.indexes import misplaced
from station.store.queries import find_attempts
from station.store.reading import reading
from station.store.untouched import damage_within
from station.store.verify import verify
from tests.store.samples import IMEI, attempt, flashed, stranger

pytestmark = pytest.mark.sqlite

HEADER_BYTES = 100
LEAF_OF_INDEX = 10


@pytest.fixture
def record(url: str) -> str:
    for _ in range(4):
        flashed(url, attempt())
    assert verify(url).is_untouched
    return url


def edit_page(url: str, name: str, edit: Callable[[bytearray], None]) -> None:
    """Of a table or an index that is one page, a leaf."""
    path = Path(sqlite_path(url) or "")
    with stranger(url) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size_bytes,) = db.execute("PRAGMA page_size").fetchone()
        (number,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", [name]
        ).fetchone()
    file = path.read_bytes()
    page = bytearray(file[(number - 1) * size_bytes : number * size_bytes])
    assert page[0] == LEAF_OF_INDEX
    edit(page)
    path.write_bytes(file[: (number - 1) * size_bytes] + page + file[number * size_bytes :])
    with stranger(url) as db:
        assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]


def found(url: str) -> list[tuple[str, str]]:
    with reading(url) as connection:
        return list(damage_within(connection))


def swap_first_and_last(page: bytearray) -> None:
    """The cells stay where they are; the list of them, behind 8 bytes of header, is in another
    order. Ref: sqlite.org/fileformat2.html, section 1.6."""
    (count,) = struct.unpack_from(">H", page, 3)
    first, last = slice(8, 10), slice(8 + 2 * (count - 1), 8 + 2 * count)
    page[first], page[last] = page[last], page[first]


def test_rows_that_are_not_where_they_are_looked_for(record: str) -> None:
    edit_page(record, "attempt_closed", swap_first_and_last)
    told = dict(found(record))
    assert told["table attempt_closed"].endswith("of its rows are not found by their keys")
    assert any(f.what == "table attempt_closed" for f in verify(record).findings)


def write_a_longer_header(page: bytearray) -> None:
    """The first entry says the length of its header in two bytes. To go through the index makes no
    difference; who looks for an entry compares bytes. Ref: fileformat2.html, section 2.1."""
    (start, at) = struct.unpack_from(">H", page, 5) + struct.unpack_from(">H", page, 8)
    old = bytes(page[at : at + 1 + page[at]])
    new = bytes([old[0] + 1, 0x80, old[1] + 1]) + old[2:]
    start -= len(new)
    page[start : start + len(new)] = new
    struct.pack_into(">H", page, 1, at)  # the place of the old one is free
    struct.pack_into(">HH", page, at, 0, len(old))
    struct.pack_into(">H", page, 5, start)
    struct.pack_into(">H", page, 8, start)


def test_an_entry_that_is_listed_and_not_found(record: str) -> None:
    edit_page(record, "ix_attempt_opened_started_utc_us", write_a_longer_header)
    ((what, why),) = found(record)
    assert what == "index ix_attempt_opened_started_utc_us"
    assert why.endswith("of the rows that it lists are not found by it")


def test_entries_of_an_index_in_another_order(record: str) -> None:
    edit_page(record, "ix_attempt_opened_started_utc_us", swap_first_and_last)
    ((what, why),) = found(record)
    assert what == "index ix_attempt_opened_started_utc_us"
    assert why.startswith("it does not list what its table holds: that has (")


def test_an_index_that_says_another_value(record: str) -> None:
    other = "864266059999999"

    def edit(page: bytearray) -> None:
        page[:] = page.replace(IMEI.encode(), other.encode(), 1)

    edit_page(record, "ix_unit_identifier_kind_value", edit)
    ((what, why),) = found(record)
    assert what == "index ix_unit_identifier_kind_value"
    assert IMEI in why


def test_an_index_with_an_entry_too_many(record: str) -> None:
    """Its table's row is gone, and the index was put back as it was."""
    path = sqlite_path(record) or ""
    name = "ix_attempt_closed_unit_id_outcome"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (guard,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {guard}")
        db.execute("PRAGMA writable_schema = ON")
        kept = db.execute("SELECT * FROM sqlite_master WHERE name = ?", [name]).fetchone()
        db.execute("DELETE FROM sqlite_master WHERE name = ?", [name])
        db.execute("PRAGMA writable_schema = RESET")
        db.execute(
            "DELETE FROM attempt_closed"
            " WHERE attempt_id = (SELECT max(attempt_id) FROM attempt_closed)"
        )
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", kept)
        db.execute("PRAGMA writable_schema = RESET")
    told = dict(found(record))
    assert told[f"index {name}"].startswith(
        "it does not list what its table holds: that has no more"
    )


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("ix_attempt_closed_outcome_not_pass", "SELECT outcome, count(*) FROM attempt_closed"),
        ("ix_attempt_closed_failure_code", "SELECT failure_code, count(*) FROM attempt_closed"),
    ],
)
def test_an_index_of_some_rows_that_lists_all(record: str, name: str, question: str) -> None:
    """It is found, or no question comes by what it has too many: SQLite seeks past the NULLs."""
    path = sqlite_path(record) or ""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [name]).fetchone()
        plain, _, condition = sql.partition(" WHERE ")
        asked = f"{question} WHERE {condition} GROUP BY 1"
        assert db.execute(asked).fetchall() == []
        for words in (plain, sql):
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [words, name])
            db.execute("PRAGMA writable_schema = RESET")
            if words == plain:
                db.execute(f"REINDEX {name}")
        is_told_wrong = db.execute(asked).fetchall() != []
        assert db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
    assert [what for what, _ in found(record)] == [f"index {name}"] * is_told_wrong


def test_text_that_is_none_is_told_and_not_the_end_of_looking(record: str) -> None:
    with stranger(record) as db, db:
        for (guard,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {guard}")
        db.execute("UPDATE attempt_opened SET slot = CAST(x'ff41' AS TEXT)")
    told = [what for what, why in found(record) if why == "it holds text that is no UTF-8"]
    assert told == [
        "index ix_attempt_opened_package",
        "index ix_attempt_opened_slot",
        "index ix_attempt_opened_slot_started_utc_us",
    ]
    assert any("attempt_opened" in f.what and f.seq for f in verify(record).findings)


def test_an_index_that_is_not_the_stations_is_asked_nothing(record: str) -> None:
    """Its words would become part of a question."""
    with stranger(record) as db, db:
        db.execute("DROP INDEX ix_attempt_opened_lot")
        db.execute("CREATE INDEX ix_attempt_opened_lot ON attempt_opened (lot) WHERE slot > 0")
    assert found(record) == []
    assert "index ix_attempt_opened_lot" in [f.what for f in verify(record).findings]
    assert len(find_attempts(record, imei=IMEI)) == 4


def test_text_of_another_encoding(record: str, tmp_path: Path) -> None:
    """SQLite reads and compares it differently."""
    other = tmp_path / "other.sqlite"
    with stranger(record) as db, closing(sqlite3.connect(other)) as made:
        made.execute("PRAGMA encoding = 'UTF-16le'")
        made.executescript("\n".join(db.iterdump()))
    assert found(f"sqlite:///{other}") == [("the file", "its text is UTF-16le")]


@pytest.mark.parametrize("words", ["ANALYZE", "CREATE INDEX zz ON step (attempt_id)"])
def test_what_a_stranger_adds_is_told(record: str, words: str) -> None:
    """Even what SQLite makes for itself, and what has a name that is no text."""
    with stranger(record) as db, db:
        db.execute(words)
        db.execute("PRAGMA writable_schema = ON")
        odd = "CREATE INDEX z' || CAST(x'ff' AS TEXT) || 'z ON step (attempt_id)"
        name = "name = CAST(x'7aff7a' AS TEXT)"
        db.execute(f"UPDATE sqlite_master SET sql = '{odd}', {name} WHERE name = 'zz'")
    told = [finding for finding in verify(record).findings if "none of the station" in finding.why]
    assert len(told) == 1


@pytest.mark.parametrize("stat", [None, "16 8 1 unordered"])
def test_no_row_is_looked_up_by_chance(record: str, stat: str | None) -> None:
    """An index is read from its beginning to its end, without its table; rows are looked for in the
    order of the index. What a stranger tells the planner changes nothing."""
    asked: list[str] = []
    with stranger(record) as db:
        names = (
            "SELECT type || ' ' || name, sql FROM sqlite_master WHERE type IN ('table', 'index')"
        )
        made = dict(db.execute(names).fetchall())
        if stat is not None:
            db.execute("ANALYZE")
            db.execute("UPDATE sqlite_stat1 SET stat = ?", [stat])
            db.execute("ANALYZE sqlite_master")
        db.set_trace_callback(asked.append)
        assert list(misplaced(db, made, schema.metadata.tables)) == []
        db.set_trace_callback(None)
        plans = {
            sql: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
            for sql in asked
            if sql.startswith("SELECT") and " pragma_" not in sql
        }
    sought = {sql: plan for sql, plan in plans.items() if "NOT EXISTS" in sql}
    listed = {q: plan for q, plan in plans.items() if 'INDEXED BY "ix_' in q and q not in sought}
    indexes = sum(name.startswith("index ix_") for name in made)
    tables = sum(name.startswith("table ") for name in made) - 1
    assert len(listed) == indexes
    assert len(sought) == indexes + tables + 1  # and of one UNIQUE
    for plan in listed.values():
        assert len(plan) == 1
        assert "USING COVERING INDEX ix_" in plan[0]
    for plan in sought.values():
        assert sum(line.startswith("SEARCH x USING") for line in plan) == 1
        assert not any(line.startswith("SCAN x") for line in plan)
