"""A database of every revision ever released comes to this one with its rows."""

from pathlib import Path

import pytest
from alembic import command

from station.errors import SchemaOutdated
from station.model import Outcome, Unit
from station.store import migrate, revision
from station.store.database import migration_engine, sqlite_url
from station.store.events import find_events
from station.store.queries import find_attempts, last_verdict
from station.store.verify import verify
from tests.store.samples import event, recorded, rows, stranger

ROWS_0001 = """
INSERT INTO recipe VALUES ('aa', 'ec25-efa', 3, 'name: ec25-efa');
INSERT INTO plan VALUES ('ee', '{}');
INSERT INTO package VALUES ('bb', 'EC25EFAR06A06M4G');
INSERT INTO package_file VALUES ('bb', 'boot.mbn', 'cc', 4096);
INSERT INTO unit VALUES ('u1');
INSERT INTO attempt_opened VALUES ('a1', 'line-1', 'graz', 'A1', '1-1.1', 'worker', '0.1.0', 'once',
    1790000000123456, 'u1', '864266050000011', NULL, 'EC25', 'EC25EFA', 'module', NULL, 1,
    'OLD', 'aa', 'bb', 'EC25EFAR06A06M4G', 'ee');
INSERT INTO attempt_closed VALUES ('a1', 'PASS', NULL, NULL, NULL, NULL, NULL,
    1790000020123456, 20000001, 'readback', 'u1', '864266050000011', NULL, 'EC25', 'EC25EFA',
    'module', '1f0a2b3c', 1, 'NEW', 'runtime');
INSERT INTO unit_identifier VALUES
    ('i1', 'u1', 'imei', '864266050000011', 'at', 'a1', 1790000000123456);
INSERT INTO reading VALUES ('a1', 'firmware.after', 'NEW');
INSERT INTO step VALUES ('a1', 1, 'identify', 'OK', 1500000, 0, 0, '{}');
INSERT INTO image_sent VALUES ('a1', 1, 'boot.mbn', 'dd', 4096);
"""


@pytest.fixture
def url_0001(tmp_path: Path) -> str:
    """A database of revision 0001 with a row in every table."""
    url = sqlite_url(tmp_path / "station.db")
    engine = migration_engine(url)
    with engine.begin() as connection:
        config = migrate._config(revision.migrations())
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with stranger(url) as plain:
        plain.executescript(ROWS_0001)
    return url


def _everything(url: str, columns: dict[str, list[str]]) -> dict[str, list[tuple[object, ...]]]:
    def read(table: str, names: list[str]) -> list[tuple[object, ...]]:
        quoted = ", ".join(f'"{name}"' for name in names)
        return rows(url, f"SELECT {quoted} FROM {table}")

    return {table: read(table, names) for table, names in columns.items()}


def _columns(url: str) -> dict[str, list[str]]:
    tables = rows(url, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {
        str(table): [str(column[1]) for column in rows(url, f"PRAGMA table_info({table})")]
        for (table,) in tables
        if table != "alembic_version"
    }


def test_a_database_of_0001_keeps_its_rows(url_0001: str) -> None:
    columns = _columns(url_0001)
    before = _everything(url_0001, columns)
    assert len(before) == 11
    assert all(before.values()), before

    done = migrate.upgrade(url_0001)

    assert (done.before, done.after) == ("0001", "0005")
    assert _everything(url_0001, columns) == before
    assert migrate.drift(url_0001) == []
    checked = verify(url_0001)
    assert checked.is_untouched, checked.findings
    assert checked.rows == sum(map(len, before.values()))
    (record,) = find_attempts(url_0001, imei="864266050000011")
    assert record.closed is not None
    assert record.closed.outcome is Outcome.PASS
    assert last_verdict(url_0001, Unit(imei="864266050000011")) == record
    one = event()
    recorded(url_0001, one)
    assert find_events(url_0001) == [one]
    assert done.backup is not None
    assert _everything(sqlite_url(done.backup), columns) == before


def test_until_then_it_is_refused_with_what_to_do(url_0001: str) -> None:
    for ask in (revision.check, find_attempts, find_events):
        with pytest.raises(SchemaOutdated, match="0001, expected 0005") as caught:
            ask(url_0001)
        assert "station db upgrade" in caught.value.remedy
