"""The database is built by the migrations, and only what was asked for is touched."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

import station
from station.errors import (
    DatabaseError,
    HistoryTrouble,
    NoDatabase,
    NotUpgraded,
    RecordDamaged,
    SchemaOutdated,
    SchemaTooNew,
)
from station.store import migrate, revision, schema
from station.store.database import sqlite_path, sqlite_url
from station.store.queries import find_attempts
from tests.store.samples import attempt, flashed, rows, stranger

ROOT = Path(__file__).parents[2]

HEAD = "0006"
NEXT = "0007"

NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

def upgrade() -> None:
    op.add_column("unit", sa.Column("colour", sa.Text))
    {trouble}
"""


@pytest.fixture
def newer_software(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This software with one more revision; returns its `versions` folder."""
    folder = tmp_path / "software" / "migrations"
    versions = folder / "versions"
    versions.mkdir(parents=True)
    for file in (ROOT / "migrations").rglob("*.*"):
        if file.suffix in (".py", ".mako"):
            shutil.copy(file, folder / file.relative_to(ROOT / "migrations"))
    (versions / "0007_next.py").write_text(NEXT_REVISION.format(trouble=""))
    for module in (migrate, revision):
        monkeypatch.setattr(module, "migrations", lambda: folder)
    return versions


def _path(url: str) -> Path:
    path = sqlite_path(url)
    assert path is not None
    return path


# --- creating ---------------------------------------------------------------------------------


def test_the_migrated_database_is_what_the_code_expects(url: str) -> None:
    assert migrate.drift(url) == []
    assert revision.check(url) == revision.Revisions(HEAD, HEAD)


def test_drift_sees_a_forgotten_column(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sa.MetaData(naming_convention=schema.metadata.naming_convention)
    for table in schema.metadata.tables.values():
        table.to_metadata(other)
    other.tables["unit"].append_column(sa.Column("forgotten", sa.Text))
    monkeypatch.setattr(migrate, "metadata", other)
    assert "forgotten" in "".join(migrate.drift(url))


@pytest.mark.sqlite
def test_every_table_is_guarded(url: str) -> None:
    triggers = rows(url, "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'")
    for table in schema.metadata.tables:
        assert triggers.count((table,)) == 3, table


def test_a_missing_folder_is_made_private(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "data" / "station.db")
    revision.create_if_missing(url)
    assert _path(url).parent.stat().st_mode & 0o007 == 0
    revision.create_if_missing(url)
    assert [p.name for p in _path(url).parent.glob("*.bak")] == []


def test_an_empty_file_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "station.db").touch()
    revision.create_if_missing(sqlite_url(tmp_path / "station.db"))
    assert revision.check(sqlite_url(tmp_path / "station.db")).current == HEAD


def test_the_revisions_are_those_that_alembic_finds() -> None:
    script = ScriptDirectory(str(revision.migrations()))
    in_order = [found.revision for found in script.walk_revisions()][::-1]
    assert revision.known_revisions(revision.migrations()) == in_order


def test_upgrade_of_a_current_database_does_nothing(url: str) -> None:
    assert migrate.upgrade(url) == migrate.Upgraded(HEAD, HEAD, None)


def test_two_processes_may_create_it_at_once(tmp_path: Path) -> None:
    code = "import sys; from station.store.revision import create_if_missing as c; c(sys.argv[1])"
    url = sqlite_url(tmp_path / "station.db")
    made = [subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT) for _ in range(3)]
    assert [process.wait(60) for process in made] == [0, 0, 0]
    assert migrate.drift(url) == []


def test_a_path_may_hold_any_characters(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "a b?%#é" / "st%20.db")
    revision.create_if_missing(url)
    assert (tmp_path / "a b?%#é" / "st%20.db").exists()


def test_an_installed_station_carries_its_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "station"
    shutil.copytree(ROOT / "migrations", package / "_migrations")
    monkeypatch.setattr(station, "__file__", str(package / "__init__.py"))
    url = sqlite_url(tmp_path / "station.db")
    revision.create_if_missing(url)
    assert migrate.drift(url) == []
    shutil.rmtree(package)
    with pytest.raises(DatabaseError, match="without its migrations"):
        revision.check(url)


# --- upgrading --------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_an_older_database_is_copied_then_upgraded(url: str, newer_software: Path) -> None:
    opened = attempt()
    with pytest.raises(SchemaOutdated, match=f"{HEAD}, expected {NEXT}"):
        revision.check(url)
    with pytest.raises(SchemaOutdated):
        revision.create_if_missing(url)
    done = migrate.upgrade(url)
    assert (done.before, done.after) == (HEAD, NEXT)
    assert done.backup is not None
    assert done.backup.parent == _path(url).parent
    assert rows(sqlite_url(done.backup), "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert "colour" in rows(url, "SELECT sql FROM sqlite_master WHERE name = 'unit'")[0][0]
    assert newer_software.is_dir()
    flashed(url, opened)  # the additional column does not disturb
    assert len(find_attempts(url)) == 1


@pytest.mark.sqlite
def test_a_folder_that_cannot_be_made_concerns_no_module(tmp_path: Path) -> None:
    """Asked at a desk: no module waits in a slot for it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NotUpgraded, match="File exists") as refused:
        migrate.upgrade(sqlite_url(tmp_path / "file" / "station.db"))
    assert "module" not in refused.value.remedy


@pytest.mark.sqlite
def test_a_failing_upgrade_changes_nothing(url: str, newer_software: Path) -> None:
    flashed_before = attempt()
    trouble = 'op.execute("INSERT INTO nowhere VALUES (1)")'
    (newer_software / "0007_next.py").write_text(NEXT_REVISION.format(trouble=trouble))
    with pytest.raises(DatabaseError, match="nowhere"):
        migrate.upgrade(url)
    assert "colour" not in rows(url, "SELECT sql FROM sqlite_master WHERE name = 'unit'")[0][0]
    with pytest.raises(SchemaOutdated):
        revision.check(url)
    assert flashed_before.attempt_id


@pytest.mark.sqlite
def test_a_database_of_newer_software_is_left_alone(url: str) -> None:
    with stranger(url) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = _path(url).read_bytes()
    for refuse in (revision.check, migrate.upgrade, revision.create_if_missing, find_attempts):
        with pytest.raises(SchemaTooNew, match="9999"):
            refuse(url)
    assert _path(url).read_bytes() == before


# --- trouble ----------------------------------------------------------------------------------


def assert_unreadable(url: str) -> None:
    """Whoever asks for history is not told that a module is not saved."""
    with pytest.raises(HistoryTrouble) as caught:
        find_attempts(url)
    assert caught.value.code == "S508"


def test_a_missing_database_is_named_with_what_to_do(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "none.db")
    for ask in (revision.check, find_attempts):
        with pytest.raises(NoDatabase, match=r"none\.db; `station db upgrade` creates it"):
            ask(url)
    assert not (tmp_path / "none.db").exists()


def test_garbage_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "station.db").write_bytes(b"not a database at all" * 100)
    url = sqlite_url(tmp_path / "station.db")
    for refuse in (revision.check, migrate.upgrade, revision.create_if_missing, find_attempts):
        with pytest.raises(RecordDamaged, match="the file is not a database"):
            refuse(url)
    assert (tmp_path / "station.db").read_bytes().startswith(b"not a database")


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "station.db")
    with stranger(url) as connection, connection:
        connection.execute("CREATE TABLE cats (name)")
    for refuse in (revision.check, migrate.upgrade, revision.create_if_missing):
        with pytest.raises(DatabaseError, match="not one of the station's"):
            refuse(url)
    assert_unreadable(url)


@pytest.mark.sqlite
def test_a_damaged_database_is_said_in_words(url: str) -> None:
    flashed(url, attempt())
    healthy = _path(url).read_bytes()
    _path(url).write_bytes(healthy[:4096] + b"\xa5" * (len(healthy) - 4096))
    for ask in (revision.check, find_attempts):
        with pytest.raises(RecordDamaged, match="the file is damaged") as caught:
            ask(url)
        assert "restore the latest backup" in caught.value.remedy


@pytest.mark.parametrize("place", ["folder", "file/station.db"])
def test_a_place_that_cannot_hold_a_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError):
        revision.create_if_missing(sqlite_url(tmp_path / place))


@pytest.mark.parametrize(
    "url",
    [
        "station.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x?mode=rwc",
        "oracle2://h",
        "postgresql://h:port/x",
    ],
)
def test_a_url_that_cannot_hold_the_record(url: str) -> None:
    for refuse in (revision.check, migrate.upgrade, revision.create_if_missing):
        with pytest.raises(DatabaseError):
            refuse(url)
    assert_unreadable(url)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(DatabaseError) as caught:
        revision.check("postgresql+psycopg2://worker:secret@127.0.0.1:1/x?connect_timeout=1")
    assert "secret" not in caught.value.cause


# --- the command line of alembic ---------------------------------------------------------------


def test_alembic_reads_its_settings_from_pyproject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    script = ScriptDirectory.from_config(Config(toml_file=ROOT / "pyproject.toml"))
    assert script.get_current_head() == HEAD
    url = sqlite_url(tmp_path / "station.db")
    command = [sys.executable, "-m", "alembic", "-x", f"url={url}"]
    for arguments in (["upgrade", "head"], ["check"]):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert migrate.drift(url) == []


def test_postgresql_gets_the_same_tables_and_its_own_guard() -> None:
    command = [sys.executable, "-m", "alembic", "-x", "url=postgresql+psycopg2://", "upgrade"]
    done = subprocess.run(
        [*command, "head", "--sql"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for table in schema.metadata.tables:
        assert f"CREATE TABLE {table} (" in done.stdout
        assert f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH" in done.stdout
