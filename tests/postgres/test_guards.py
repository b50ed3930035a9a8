"""What is written to the server stays written, as far as its own rights go; what was taken away of
the guards is found."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from station.store import migrate, schema
from station.store.soundness import faults
from station.store.verify import verify
from tests.postgres.databases import migrated_database
from tests.store.samples import a_key, attempt, event, fill, flashed, recorded, rows, written

TABLES = sorted(schema.metadata.tables)


@pytest.fixture
def url() -> Iterator[str]:
    with migrated_database() as made:
        yield made


@pytest.fixture(scope="module")
def full() -> Iterator[str]:
    """A row in every table."""
    with migrated_database() as made:
        flashed(made, attempt())
        recorded(made, event())
        written(made, lambda store: store.sign("line-1", a_key(), "asked"))
        fill(made, *rows(made, "SELECT id, unit_id FROM attempt_opened")[0])
        yield made


def run(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_changed(full: str, table: str) -> None:
    before = rows(full, f"SELECT * FROM {table}")
    assert before
    column = schema.metadata.tables[table].columns.keys()[-1]
    key = ", ".join(c.name for c in schema.metadata.tables[table].primary_key)
    for statement in (
        f"UPDATE {table} SET {column} = {column}",
        f"UPDATE {table} SET {column} = {column} WHERE false",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        f"INSERT INTO {table} SELECT * FROM {table} "
        f"ON CONFLICT ({key}) DO UPDATE SET {column} = EXCLUDED.{column}",
        f"MERGE INTO {table} AS t USING {table} AS s ON t.seq = s.seq "
        f"WHEN MATCHED THEN UPDATE SET {column} = s.{column}",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="is insert-only"):
            run(full, statement)
    with pytest.raises(sa.exc.IntegrityError):
        run(full, f"INSERT INTO {table} SELECT * FROM {table}")
    assert rows(full, f"SELECT * FROM {table}") == before


def test_a_full_record_is_untouched(full: str) -> None:
    found = verify(full)
    assert found.is_untouched, found.findings
    assert found.rows > len(TABLES)
    assert faults(full) == []
    assert migrate.drift(full) == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE step DISABLE TRIGGER step_insert_only", "trigger step_insert_only"),
        ("ALTER TABLE step ENABLE REPLICA TRIGGER step_insert_only", "trigger step_insert_only"),
        ("DROP TRIGGER step_insert_only ON step", "trigger step_insert_only"),
        (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN NULL; END $$",
            "function refuse_change",
        ),
        ("DROP FUNCTION refuse_change() CASCADE", "function refuse_change"),
        (
            "CREATE TRIGGER step_too BEFORE INSERT ON step FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger step_too",
        ),
        ("CREATE RULE quiet AS ON INSERT TO step DO INSTEAD NOTHING", "table step"),
        ("ALTER TABLE step ENABLE ROW LEVEL SECURITY", "table step"),
        ("DROP VIEW attempt", "view attempt"),
        ("DROP INDEX ix_attempt_opened_started_utc_us", "the schema"),
        ("ALTER TABLE step DROP CONSTRAINT fk_step_attempt_id", "the schema"),
        ("ALTER TABLE step ADD COLUMN colour text", "the schema"),
        ("CREATE TABLE cats (name text)", "the schema"),
    ],
)
def test_a_guard_that_is_gone_is_found(url: str, statement: str, named: str) -> None:
    run(url, statement)
    assert named in [what for what, _ in faults(url)]
    assert named in [finding.what for finding in verify(url).findings]


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        (" c.outcome,", " 'PASS'::text AS outcome,"),
        ("LEFT JOIN attempt_closed", "JOIN attempt_closed"),
        (";", " WHERE o.slot <> 'A1';"),
        (" o.slot,", " o.port_path AS slot,"),
        (" o.slot,", " o.slot AS place,"),
        (" o.started_utc_us,", " (1 / (1 - 1))::bigint AS started_utc_us,"),
        (";", " LIMIT 3;"),
    ],
)
def test_a_view_that_answers_otherwise_is_found(url: str, was: str, is_now: str) -> None:
    flashed(url, attempt())
    [[meant]] = rows(url, "SELECT pg_get_viewdef('attempt')")
    assert was in meant
    run(url, "DROP VIEW attempt", f"CREATE VIEW attempt AS {meant.replace(was, is_now, 1)}")
    found = ("view attempt", "it is not as the station made it")
    assert faults(url) == [found]
    assert [(one.what, one.why) for one in verify(url).findings] == [found]


def test_a_view_in_other_words_is_the_same(url: str) -> None:
    """As a dump has it."""
    [[meant]] = rows(url, "SELECT pg_get_viewdef('attempt')")
    run(url, "DROP VIEW attempt", f"CREATE VIEW attempt AS {meant}")
    run(url, "ANALYZE")
    assert faults(url) == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE step SET bytes = bytes + 1 WHERE ordinal = 2", "it is not what was written"),
        ("DELETE FROM reading WHERE name = 'firmware.after'", "1 of its rows are missing"),
        (
            "INSERT INTO reading SELECT attempt_id, 'more', value, seq FROM reading LIMIT 1",
            "it was added to its link later|it is not what was written",
        ),
        ("DELETE FROM chain WHERE seq = 2", "it is missing"),
    ],
)
def test_a_row_that_was_changed_is_named(url: str, statement: str, why: str) -> None:
    """By whoever may switch the guards off, and on again."""
    flashed(url, attempt())
    table = statement.replace("DELETE FROM", "").split()[0 if "DELETE" in statement else 1]
    table = "reading" if "INSERT" in statement else table
    run(
        url,
        f"ALTER TABLE {table} DISABLE TRIGGER USER",
        statement,
        f"ALTER TABLE {table} ENABLE TRIGGER USER",
    )
    findings = verify(url).findings
    assert findings
    assert any(part in f.why for f in findings for part in why.split("|"))
