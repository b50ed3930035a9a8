"""The engine as a process: it serves, drains, aborts, dies and starts again."""

import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from station import cli
from station.commands.exits import Exit
from station.commands.serve import serve
from station.config import load_settings
from station.engine.lock import own
from station.errors import UsbUnavailable
from station.live import SlotState
from station.model import DeviceInfo, PortPath
from station.sim.backend import SimBackend
from tests.commands.running import (
    engine,
    files,
    is_written,
    process,
    records,
    said,
    verdict_of,
)
from tests.commands.test_cli import environment, station


def change(config: Path, **values: object) -> None:
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    config.write_text(yaml.safe_dump(settings | values), encoding="utf-8")


def test_a_tray_that_arrives_on_an_armed_line_gets_its_verdicts(tmp_path: Path) -> None:
    config = files(tmp_path, 3)
    with engine(config, "--speed", "20", "--fault", "A2=nak") as running:
        running.see("A1", SlotState.WAITING)
        assert records(config) == []
        running.arm("--operator", "maria", "--target", "2")
        picture = running.until(lambda p: all(view.outcome for view in p.slots.values()))
        shown = {view.slot: view.outcome and view.outcome.value for view in picture.slots.values()}
        assert shown == {"A1": "PASS", "A2": "FAIL", "A3": "PASS"}
        running.end()
    kept = {attempt["slot"]: attempt["outcome"] for attempt in records(config)}
    assert kept == shown
    assert verdict_of(config, "A2") == ("FAIL", "P112")
    assert not (tmp_path / "station.sock").exists()
    kinds = [event["kind"] for event in records(config, "events")]
    assert kinds == ["started", "armed", "stopped"]


def test_sigterm_finishes_a_module_that_is_being_written(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config, "--speed", "5") as running:
        running.arm()
        running.until(is_written)
        assert "draining" in running.end()
    assert verdict_of(config, "A1") == ("PASS", None)


def test_sigterm_twice_aborts_it_and_keeps_a_record(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config, "--speed", "1") as running:
        running.arm()
        running.until(is_written)
        running.process.send_signal(signal.SIGTERM)
        said(running.process, "draining")
        assert "aborting" in running.end()
    assert verdict_of(config, "A1") == ("ABORTED", "X902")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGINT, signal.SIGHUP),
        (signal.SIGHUP, signal.SIGHUP),
        (signal.SIGINT, signal.SIGTERM),
        (None, signal.SIGTERM),
    ],
    ids=["window closed", "closed twice", "shutdown", "shutdown after stop"],
)
def test_another_reason_to_stop_is_no_second_thought(
    tmp_path: Path, first: signal.Signals | None, second: signal.Signals
) -> None:
    config = files(tmp_path, 1)
    speed = "2" if first is None else "5"  # the command that stops it takes its time
    with engine(config, "--speed", speed) as running:
        running.arm()
        running.until(is_written)
        if first is None:
            assert running.line("stop").returncode == 0
        else:
            running.process.send_signal(first)
        said(running.process, "draining")
        assert "aborting" not in running.end(second)
    assert verdict_of(config, "A1") == ("PASS", None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_drain_too(tmp_path: Path, number: signal.Signals) -> None:
    with engine(files(tmp_path, 1)) as running:
        assert "draining" in running.end(number)


def test_after_kill_minus_nine_the_next_engine_tells_what_was_interrupted(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config, "--speed", "1") as running:
        running.arm()
        running.until(is_written)
        running.process.kill()
        running.process.wait(30)
    assert (tmp_path / "station.sock").is_socket()
    with engine(config, "--speed", "20") as again:
        assert verdict_of(config, "A1") == ("INTERRUPTED", "X903")
        again.see("A1", SlotState.WAITING)
        again.end()
    assert not (tmp_path / "station.sock").exists()


def test_a_result_that_no_disk_takes_is_named_when_the_engine_ends(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config, "--speed", "10") as running:
        running.arm()
        running.until(is_written)
        limits = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
        picture = running.see("A1", SlotState.DONE)
        failure = picture.slots["A1"].failure
        assert picture.slots["A1"].outcome is None
        assert failure is not None
        assert failure.code == "S530"
        words = running.end(code=Exit.STATION)
    assert "S536 RESULTS LOST" in words
    assert "slot A1" in words
    assert "PASS" in words


def test_an_engine_that_nobody_looks_at_ends_by_itself(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with process("sim", "serve", "--config", config, "--speed", "20", "--linger", "1") as alone:
        assert "ended" in said(alone, "ended")
        assert alone.wait(60) == 0


# --- what is refused --------------------------------------------------------------------------


def test_a_second_engine_on_the_same_database_is_refused(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    with engine(config) as running:
        done = station("sim", "serve", "--config", config, cwd=tmp_path)
        assert (done.returncode, "S504" in done.stderr) == (2, True)
        assert running.line("status").returncode == 0


def test_a_second_engine_on_the_same_ports_is_refused(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    change(config, slots={"A1": {"ports": ["199-7.5"]}})
    with own(None, [PortPath.parse("199-7.5")]):
        done = station("serve", "--config", config, cwd=tmp_path)
    assert (done.returncode, "S504" in done.stderr) == (2, True)
    assert "199-7.5" in done.stderr


def test_an_old_database_is_not_upgraded_by_the_way(tmp_path: Path) -> None:
    config = files(tmp_path, 1)
    assert station("db", "upgrade", "--config", config, cwd=tmp_path).returncode == 0
    with closing(sqlite3.connect(tmp_path / "station.sqlite")) as database, database:
        database.execute("update alembic_version set version_num = '0001'")
    done = station("serve", "--config", config, cwd=tmp_path)
    assert (done.returncode, "S502" in done.stderr) == (3, True)
    assert "station db upgrade" in done.stderr


@pytest.mark.parametrize(
    ("socket", "code"),
    [("x" * 120, 2), ("station.yaml", 2), ("/proc/nowhere/station.sock", 3)],
)
def test_a_socket_that_cannot_be(tmp_path: Path, socket: str, code: int) -> None:
    config = files(tmp_path, 1)
    change(config, socket=socket)
    done = station("sim", "serve", "--config", config, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert socket[:20] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--speed", "0"],
        ["--speed", "0.5"],
        ["--family", "toaster"],
        ["--fault", "A1"],
        ["--fault", "A9=nak"],
        ["--fault", "A1=gremlins"],
        ["--linger", "0"],
        ["--linger", "nan"],
    ],
)
def test_wrong_options_of_a_simulation(tmp_path: Path, arguments: list[str]) -> None:
    config = files(tmp_path, 1)
    done = station("sim", "serve", "--config", config, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "station.sqlite").exists()


# --- how it ends badly ------------------------------------------------------------------------


class Broken(SimBackend):
    def __init__(self, error: Exception) -> None:
        super().__init__(())
        self.error = error

    async def scan(self) -> tuple[DeviceInfo, ...]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("seven"), "RuntimeError: seven"),
        (ExceptionGroup("two", [UsbUnavailable("no"), ValueError("eight")]), "ValueError: eight"),
        (UsbUnavailable("no libusb"), "no libusb"),
    ],
)
def test_an_engine_that_falls_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, words: str
) -> None:
    settings = load_settings(files(tmp_path, 1))
    assert serve(settings, Broken(error), own_ports=False) is Exit.STATION
    assert words in capsys.readouterr().err


# --- what it does not carry -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("station.engine.service", ["textual"]),
        *((module, ["textual"]) for module in sorted(set(cli.MODULES.values()))),
        ("station.dashboard.app", ["trio", "usb"]),
    ],
)
def test_engine_and_screen_load_nothing_of_each_other(module: str, strangers: list[str]) -> None:
    code = f"import sys, {module}; print([name for name in {strangers} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment(),
    )
    assert done.stdout.strip() == "[]"
