"""What somebody may do to a record beyond editing rows, one by one; the rest is `tests/tamper`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.store.database import sqlite_path
from station.store.queries import find_attempts
from station.store.verify import Verified, verify
from tests.store.samples import IMEI, attempt, event, flashed, recorded, stranger

pytestmark = pytest.mark.sqlite

FIRST_FREE_PAGE = 32
"""In the file: its number, big-endian. Ref: sqlite.org/fileformat2.html, sections 1.3, 1.5, 1.6."""

LEAVES = 8
"""In a page that lists free ones: behind the number of the next such page, and of how many."""

FREE_BYTES_IN_PAGE = 7
"""In a page of a tree: so many between its cells belong to none."""


@pytest.fixture
def record(url: str) -> str:
    flashed(url, attempt())
    recorded(url, event())
    assert verify(url).is_untouched
    return url


def changed(url: str, *statements: str, keep_guards: bool = False) -> Verified:
    """As the attacker: the guards are gone meanwhile, and back afterwards."""
    with stranger(url) as db, db:
        guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in () if keep_guards else guards:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, guard in () if keep_guards else guards:
            db.execute(guard)
    return verify(url)


def first(found: Verified) -> str:
    return f"{found.findings[0].what}: {found.findings[0].why}"


def leave_out(url: str, index: str, condition: str) -> None:
    """Of an index, whose words are as before."""
    with stranger(url) as db:
        (plain,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [index]).fetchone()
    for sql, made in ((f"{plain} WHERE {condition}", [f"REINDEX {index}"]), (plain, [])):
        with closing(sqlite3.connect(sqlite_path(url) or "", isolation_level=None)) as db:
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [sql, index])
        with closing(sqlite3.connect(sqlite_path(url) or "", isolation_level=None)) as db:
            for statement in made:
                db.execute(statement)


def test_an_index_that_leaves_a_row_out(record: str) -> None:
    """The rows are all there, and the question is answered as if one were not."""
    name = "ix_unit_identifier_kind_value"
    assert len(find_attempts(record, imei=IMEI)) == 1
    leave_out(record, name, f"value <> '{IMEI}'")
    assert find_attempts(record, imei=IMEI) == []
    assert name in first(verify(record))


def test_rows_are_not_accused_of_what_an_index_leaves_out(record: str) -> None:
    """Whose an attempt is stands in an index, too, which SQLite would rather read."""
    name = "ix_attempt_opened_package"
    leave_out(record, name, "id IS NULL")
    assert [finding.what for finding in verify(record).findings] == [f"index {name}"]


def test_a_free_page_that_is_none(record: str) -> None:
    """It is of no table, and the next row of any table would be written over it."""
    path = Path(sqlite_path(record) or "")
    with stranger(record) as db:
        db.execute("CREATE TABLE gone AS SELECT randomblob(20000) AS bytes")
        db.execute("DROP TABLE gone")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size_bytes,) = db.execute("PRAGMA page_size").fetchone()
    assert verify(record).is_untouched
    with path.open("r+b") as file:
        file.seek(FIRST_FREE_PAGE)
        number = int.from_bytes(file.read(4), "big")
        file.seek((number - 1) * size_bytes + LEAVES)
        file.write((1).to_bytes(4, "big"))
    assert first(verify(record)).startswith("the file: ")


def test_a_page_of_a_table_that_is_none(record: str) -> None:
    path = Path(sqlite_path(record) or "")
    with stranger(record) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size_bytes,) = db.execute("PRAGMA page_size").fetchone()
        (number,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_unit_identifier_kind_value'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((number - 1) * size_bytes + FREE_BYTES_IN_PAGE)
        file.write(b"\xff")
    assert first(verify(record)).startswith("the file: ")


def test_a_guard_that_swallows_rows_under_a_name_like_sqlites(record: str) -> None:
    trigger = (
        "CREATE TRIGGER sqliteXstat_evil BEFORE INSERT ON attempt_closed"
        " WHEN NEW.outcome = 'FAIL' BEGIN SELECT RAISE(IGNORE); END"
    )
    found = changed(record, trigger, keep_guards=True)
    assert first(found) == "trigger sqliteXstat_evil: it is none of the station's"


@pytest.mark.parametrize(
    ("what", "plain", "other"),
    [
        ("table step", "detail TEXT NOT NULL", "detail TEXT\u00a0NOT\u00a0NULL"),
        ("trigger step_no_update", "is insert-only", "is  insert-only"),
    ],
)
def test_the_schema_in_words_that_look_alike(
    record: str, what: str, plain: str, other: str
) -> None:
    """For SQLite, a no-break space is a letter of a type, and within quotes two are not one."""
    name = what.partition(" ")[2]
    with closing(sqlite3.connect(sqlite_path(record) or "", isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        say = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ? AND instr(sql, ?)"
        assert db.execute(say, [plain, other, name, plain]).rowcount == 1
    assert first(verify(record)) == f"{what}: it is not as the station made it"


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE step SET detail = CAST(x'ff' AS TEXT) WHERE ordinal = 1", "step "),
        ("UPDATE step SET seq = 9223372036854775807 WHERE ordinal = 1", "link 1 "),
        ("UPDATE step SET seq = 'x' WHERE ordinal = 1", "step "),
        ("INSERT INTO chain VALUES (x'00', 1, x'', x'')", "chain b'"),
        ("INSERT INTO chain VALUES ('line-1', 99, x'', x'')", "link "),
        ("INSERT INTO chain VALUES ('line-9', 1, x'', x'')", "link 1 "),
        ("UPDATE chain SET hash = 'text' WHERE seq = 1", "link 1 "),
        ("UPDATE attempt_opened SET station = 'line-2'", "attempt_opened "),
        ("INSERT INTO reading SELECT attempt_id, 'a', 'v', seq FROM attempt_closed", "reading "),
        ("INSERT INTO reading SELECT attempt_id, 'zz', 'v', seq FROM attempt_closed", "reading "),
    ],
)
def test_values_that_no_station_writes(record: str, statement: str, named: str) -> None:
    found = changed(record, statement)
    assert not found.is_untouched
    assert any(f.what.startswith(named) for f in found.findings), found.findings


def test_an_added_row_is_the_first_that_is_named(record: str) -> None:
    for name in ("a", "zz"):
        sql = f"INSERT INTO reading SELECT attempt_id, '{name}', 'v', seq FROM attempt_closed"
        assert first(changed(record, sql)).startswith("reading ")


def test_what_is_named_is_printable(record: str) -> None:
    sql = "INSERT INTO reading SELECT attempt_id, ?, 'v', seq FROM attempt_closed"
    with stranger(record) as db, db:
        db.execute(sql, ["x\x1b[2J\nall as they were written" + "y" * 5000])
    (what,) = {f.what for f in verify(record).findings}
    assert what.isascii()
    assert what.isprintable()
    assert len(what) <= 200
