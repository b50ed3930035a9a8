"""Real trouble of a real engine: a full disk, a database that others hold, screens that die."""

import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from station.commands.exits import Exit
from station.dashboard.picture import Picture
from station.live import SlotState
from station.model import Outcome
from station.store.database import BUSY_TIMEOUT_S
from station.store.pending import Pending
from tests.commands.running import engine, files, is_written, process, records, verdict_of
from tests.commands.test_cli import station
from tests.commands.test_serve import change
from tests.fakes.disk import Disk
from tests.kernel.kernel import until
from tests.store.samples import IMEI
from tests.store.test_pending import result


@contextmanager
def held(database: Path) -> Iterator[None]:
    """This process writes, and does not end."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def has_passed(picture: Picture) -> bool:
    return picture.slots["A1"].outcome is Outcome.PASS


def is_unrecorded(picture: Picture) -> bool:
    failure = picture.slots["A1"].failure
    return failure is not None and failure.code == "S530"


def alarms(picture: Picture) -> list[str]:
    return [] if picture.line is None else [alarm.code for alarm in picture.line.alarms]


def test_a_database_that_another_process_holds(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config, "--speed", "10") as running:
        running.arm()
        running.until(is_written)
        began_s = time.monotonic()
        with held(tmp_path / "station.sqlite"):
            picture = running.until(is_unrecorded)
            assert time.monotonic() - began_s > BUSY_TIMEOUT_S
            assert picture.slots["A1"].outcome is None
            picture = running.until(lambda seen: "S531" in alarms(seen))
            assert picture.slots["A1"].outcome is None
        assert alarms(running.until(has_passed)) in ([], ["S501"], ["S501", "S531"], ["S531"])
        running.until(lambda seen: alarms(seen) == [])
        running.end()
    assert verdict_of(config, "A1") == ("PASS", None)


@pytest.mark.skipif(shutil.which("nsenter") is None, reason="no util-linux")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """ENOSPC of a real file system, for the database and for whatever else is written there."""
    if not Disk.is_possible():
        pytest.skip("this kernel lets nobody mount but root of the machine")
    disk = Disk(tmp_path / "disk")
    disk.place.mkdir()
    config = files(tmp_path / "line", 1)
    change(config, database=str(disk.place / "station.sqlite"))
    with engine(config, "--speed", "5", within=disk.within) as running:
        pid = running.process.pid
        running.arm()
        running.until(is_written)
        disk.fill(pid)
        picture = running.until(is_unrecorded)
        assert picture.slots["A1"].outcome is None
        assert "S505" in alarms(running.until(lambda seen: "S505" in alarms(seen)))
        disk.make_room(pid)
        running.until(has_passed)
        running.until(lambda seen: alarms(seen) == [])
        lies = disk.seen_by(pid)
        waiting = lies / "station.sqlite.pending"
        # The alarm is over when the result is on record; the room for the next one is made then.
        assert until(lambda: [path.name for path in waiting.iterdir()] == ["reserve"], 30)
        copy = shutil.copytree(lies, tmp_path / "copy")
        running.end()
    change(config, database=str(copy / "station.sqlite"))
    (record,) = records(config)
    assert (record["outcome"], record["steps"][-1]["name"]) == ("PASS", "confirm")


def test_screens_that_stop_reading_or_are_killed(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    watch = ("line", "watch", "--json", "--config", config)
    with (
        engine(config, "--speed", "5") as running,
        process(*watch) as deaf,
        process(*watch) as killed,
    ):
        for screen in (deaf, killed):
            assert screen.stdout is not None
            assert "hello" in screen.stdout.readline()
        deaf.send_signal(signal.SIGSTOP)
        running.arm()
        running.until(is_written)
        killed.kill()
        killed.wait(30)
        running.until(has_passed)
        running.sim("unplug", "A1")
        running.see("A1", SlotState.EMPTY)
        running.end()
    assert verdict_of(config, "A1") == ("PASS", None)


def test_nothing_is_flashed_once_while_results_wait(tmp_path: Path) -> None:
    demo = ("demo", "--once", "--slots", "1", "--speed", "20", "--data", tmp_path / "line")
    assert station(*demo, cwd=tmp_path).returncode == Exit.GOOD
    database, config = tmp_path / "line" / "station.sqlite", tmp_path / "line" / "station.yaml"
    waits = result()
    Pending(database.with_name("station.sqlite.pending")).write(1, waits)
    with held(database):
        refused = station(*demo, cwd=tmp_path)
    assert refused.returncode == Exit.STATION
    assert "S531 RESULTS WAIT: 1 not recorded yet" in refused.stderr
    assert len(records(config)) == 1
    assert station(*demo, cwd=tmp_path).returncode == Exit.GOOD
    (found,) = records(config, "find", "--imei", IMEI)
    assert found["attempt_id"] == waits.attempt_id
