"""How a start looks after the record's file, and for how long."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.errors import NoDatabase, RecordDamaged
from station.store.database import sqlite_url
from station.store.examine import damage, require_whole

pytestmark = pytest.mark.sqlite

ENOUGH_S = 60.0
TOO_SHORT_S = 0.005
"""For some hundred thousand rows."""

MANY_ROWS = """
CREATE TABLE thing (name TEXT PRIMARY KEY, words TEXT) WITHOUT ROWID;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
INSERT INTO thing SELECT printf('%08d', i), hex(zeroblob(50)) FROM n;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "some.sqlite")) as db:
        db.executescript(MANY_ROWS)
    return tmp_path / "some.sqlite"


def test_a_sound_file_has_no_damage(path: Path) -> None:
    assert damage(sqlite_url(path), ENOUGH_S) == []


def test_a_look_ends_when_its_time_is_over(path: Path) -> None:
    """All pages are one instruction of SQLite's machine."""
    assert damage(sqlite_url(path), TOO_SHORT_S) is None
    require_whole(sqlite_url(path), TOO_SHORT_S)


def test_damage_is_told(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(RecordDamaged, match="is damaged"):
        require_whole(sqlite_url(path), ENOUGH_S)


def test_no_file_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(NoDatabase):
        damage(sqlite_url(tmp_path / "none.sqlite"), ENOUGH_S)
