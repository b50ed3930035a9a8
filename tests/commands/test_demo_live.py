"""`station demo` at a terminal: an engine over simulated modules and its screen."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.commands.call import call
from tests.commands.running import end_engines, is_written, until, verdict_of
from tests.commands.terminal import SCREEN_ON, terminal
from tests.commands.test_cli import station


@pytest.fixture(autouse=True)
def _no_engine_stays(tmp_path: Path) -> Iterator[None]:
    yield
    end_engines(tmp_path)


def test_the_screen_may_go_and_come_and_the_tray_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    config, socket = data / "station.yaml", data / "station.sock"
    demo = ("demo", "--slots", "1", "--speed", "8", "--seed", "7", "--data", data)
    with terminal(*demo, cwd=tmp_path) as seat:
        seat.see_screen()
        with call(socket) as talk:
            assert talk.hello.hands
            pid = talk.pid
        armed = station("line", "arm", "--recipe", "ec25-demo", "--config", config, cwd=tmp_path)
        assert armed.returncode == 0, armed.stderr
        until(socket, is_written)
        seat.process.send_signal(signal.SIGKILL)
        seat.process.wait(30)
    with terminal(*demo, cwd=tmp_path) as seat:
        assert "runs here already" in seat.see_screen()
        until(socket, lambda picture: picture.slots["A1"].outcome is not None)
        words = seat.leave()
        assert seat.process.returncode == 0
    assert f"process {pid}" in words
    assert "15 minutes" in words
    assert f"station line stop --config {config}" in words
    stopped = station("line", "stop", "--wait", "--config", config, cwd=tmp_path)
    assert stopped.returncode == 0, stopped.stderr
    assert not socket.exists()
    assert verdict_of(config, "A1") == ("PASS", None)


def test_a_folder_that_is_too_long_for_a_socket_is_refused_first(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 100)
    with terminal("demo", "--slots", "1", "--data", data, cwd=tmp_path) as seat:
        assert "choose a shorter --data" in " ".join(seat.rest().split())
        assert seat.process.returncode == 2
    assert not data.exists()


def test_with_once_a_terminal_makes_no_screen(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with terminal(
        *("demo", "--once", "--slots", "1", "--speed", "20", "--data", data), cwd=tmp_path
    ) as seat:
        assert SCREEN_ON not in seat.rest()
        assert seat.process.returncode == 0
    assert verdict_of(data / "station.yaml", "A1") == ("PASS", None)
