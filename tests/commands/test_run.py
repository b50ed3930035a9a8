"""`station run`: an engine behind the screen, which stays when the screen goes."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from station.commands.call import call
from tests.commands.running import end_engines, engine, files, records
from tests.commands.terminal import SCREEN_ON, terminal
from tests.commands.test_cli import station
from tests.commands.test_serve import change


@pytest.fixture(autouse=True)
def _no_engine_stays(tmp_path: Path) -> Iterator[None]:
    yield
    end_engines(tmp_path)


def test_run_starts_an_engine_that_outlives_the_screen(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    change(config, slots={"A1": {"ports": ["199-7.6"]}})
    with terminal("run", "--config", config, cwd=tmp_path) as seat:
        assert "starting an engine" in seat.see_screen()
        with call(tmp_path / "station.sock") as talk:
            pid = talk.pid
        words = seat.leave()
        assert seat.process.returncode == 0
    assert f"process {pid}" in words
    assert f"station line stop --config {config}" in words
    assert f"station dash --config {config}" in words
    log = tmp_path / "station.sock.log"
    assert stat.S_IMODE(log.stat().st_mode) & 0o137 == 0
    with terminal("dash", "--plain", "--config", config, cwd=tmp_path) as again:
        again.see_screen()
        again.leave()
    stopped = station("line", "stop", "--wait", "--config", config, cwd=tmp_path)
    assert (stopped.returncode, "ended" in stopped.stderr) == (0, True)
    assert log.read_text(encoding="utf-8").endswith("ended\n")
    assert [event["kind"] for event in records(config, "events")] == ["started", "stop", "stopped"]


def test_run_attaches_to_an_engine_that_is_there(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config) as running:
        with terminal("run", "--config", config, cwd=tmp_path) as seat:
            assert "starting" not in seat.see_screen()
            assert f"process {running.process.pid}" in seat.leave()
        with terminal("run", "--config", config, cwd=tmp_path) as seat:
            seat.see_screen()
            running.end()
            assert "the engine has ended" in seat.leave()
    assert not (tmp_path / "station.sock.log").exists()


def test_an_engine_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    assert station("db", "upgrade", "--config", config, cwd=tmp_path).returncode == 0
    with closing(sqlite3.connect(tmp_path / "station.sqlite")) as database, database:
        database.execute("update alembic_version set version_num = '0001'")
    (tmp_path / "station.sock.log").write_text("of another day\n", encoding="utf-8")
    with terminal("run", "--config", config, cwd=tmp_path) as seat:
        words = seat.rest()
        assert seat.process.returncode == 3
    assert "did not start (exit code 3)" in words
    assert "S502" in words
    assert str(tmp_path / "station.sock.log") in words
    assert "another day" not in words
    assert SCREEN_ON not in words
